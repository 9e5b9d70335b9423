"""The workload against the independent slow reference (tests/reference), number by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.recording.read import read_recording
from core.run.source import StoreSource, open_source
from core.workload import CaseResult, Outcome
from core.workloads.registry import build_workload
from core.workloads.vitaldb.demo.cohort import write_demo_cohort
from core.workloads.vitaldb.demo.truth import CaseTruth, read_truth
from tests.reference.slow_clinical import read_table
from tests.reference.slow_workload import SlowResult, windows

TOLERANCE = 1e-6
DEMO_CASES = 16
UNFIT_FOR_THE_REFERENCE = {
    # The reference keeps what a damaged file still gives; the product uses none of it (docs/output.md, unreadable).
    "bit_flip",
    "damaged_deflate",
    # It inflates whole files and has no bounds.
    "gzip_bomb",
    "million_tracks",
    "missing_file",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo_cohort(folder, DEMO_CASES, 11, waveforms=False, faults=True)
    return folder


def process(demo: Path, case: str, settings: dict[str, object]) -> CaseResult:
    workload = build_workload("vitaldb", settings)
    source = open_source(str(demo / "vital_files"))
    selection = {"cases": case, "clinical": str(demo / "clinical_data.csv"), "where": None}
    (planned,) = workload.cohort(source, selection).cases
    return workload.process(planned, source)


def assert_equal(result: CaseResult, slow: SlowResult) -> None:
    assert (result.outcome.value, result.reason, result.records) == (slow.outcome, slow.reason or "", len(slow.windows))
    for name, column in result.columns.items():
        expected = np.array([window[name] for window in slow.windows], np.float64).reshape(column.shape)
        np.testing.assert_allclose(np.asarray(column, np.float64), expected, rtol=0, atol=TOLERANCE, err_msg=name)


def truths(demo: Path) -> list[CaseTruth]:
    return read_truth(demo / "ground_truth.json")


@pytest.mark.slow
def test_every_kind_of_case_agrees(demo: Path) -> None:
    table = read_table(demo / "clinical_data.csv")
    compared: dict[str, int] = {}
    for truth in truths(demo):
        if truth.fault in UNFIT_FOR_THE_REFERENCE:
            continue
        number = int(truth.case_id)
        result = process(demo, truth.case_id, {})
        slow = windows(demo / truth.file, truth.profile or "vitaldb", table.get(number), number)
        assert_equal(result, slow)
        compared[truth.profile or ""] = compared.get(truth.profile or "", 0) + result.records
    # Both cadences of every profile were really compared, not just empty cases.
    assert set(compared) >= {"vitaldb", "draeger", "intellivue"}
    assert min(compared[name] for name in ("vitaldb", "draeger", "intellivue")) > 100


@pytest.mark.parametrize(
    ("settings", "slow_settings"),
    [
        ({"window_s": 20, "step_s": 5, "horizon_s": 2}, {"window_s": 20, "step_s": 5, "horizon_s": 2}),
        ({"window_s": 600, "step_s": 7, "horizon_s": 0}, {"window_s": 600, "step_s": 7, "horizon_s": 0}),
        (
            {"concentrations": {"Orchestra/NEPI_RATE": 40.0, "Orchestra/PPF20_RATE": 10.0}},
            {
                "concentrations": {
                    "Orchestra/PPF20_RATE": 10.0,
                    "Orchestra/RFTN20_RATE": 20.0,
                    "Orchestra/RFTN50_RATE": 50.0,
                    "Orchestra/NEPI_RATE": 40.0,
                }
            },
        ),
    ],
)
def test_other_configurations_agree(demo: Path, settings: dict[str, object], slow_settings: dict[str, object]) -> None:
    truth = next(truth for truth in truths(demo) if truth.fault == "other_units")
    number = int(truth.case_id)
    row = read_table(demo / "clinical_data.csv").get(number)
    slow = windows(demo / truth.file, "vitaldb", row, number, **slow_settings)
    result = process(demo, truth.case_id, settings)
    assert result.records >= 40
    assert_equal(result, slow)
    standard = process(demo, truth.case_id, {})
    same = [np.array_equal(result.columns[name], standard.columns[name]) for name in ("timeseries", "targets")]
    assert not any(same), "the configuration must make a difference"


def test_real_recordings_agree() -> None:
    folder = Path(__file__).parents[1] / "data" / "vital"
    workload = build_workload("vitaldb", {"window_s": 20, "step_s": 5, "horizon_s": 2, "profiles": "intellivue"})
    source = open_source(str(folder))
    cases = workload.cohort(source, {"cases": "all"}).cases
    assert len(cases) == 3
    for case in cases:
        result = workload.process(case, source)
        slow = windows(folder / str(case.key), "intellivue", None, case.number, window_s=20, step_s=5, horizon_s=2)
        assert result.outcome is Outcome.DONE
        assert_equal(result, slow)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_same_tracks_as_a_table_agree(demo: Path, tmp_path: Path, suffix: str) -> None:
    truth = next(truth for truth in truths(demo) if truth.fault == "exactly_one_window")
    number = int(truth.case_id)
    write_table(demo / truth.file, tmp_path / f"{truth.case_id}{suffix}")
    result = build_workload("vitaldb", {}).process(
        build_workload("vitaldb", {}).cohort(open_source(str(tmp_path)), {"cases": truth.case_id}).cases[0],
        open_source(str(tmp_path)),
    )
    write_table(demo / truth.file, tmp_path / "reference.csv")
    slow = windows(tmp_path / "reference.csv", "vitaldb", None, number)
    assert result.records >= 1
    assert_equal(result, slow)


def write_table(recording: Path, target: Path) -> None:
    """The recording's numeric tracks as one wide table."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    tracks = read_recording(recording.name, [recording.read_bytes()], None).tracks
    times = np.unique(np.concatenate([track.times for track in tracks.values()]))
    columns: dict[str, list[float | None]] = {"Time": times.tolist()}
    for name, track in tracks.items():
        cells: list[float | None] = [None] * len(times)
        for position, value in zip(np.searchsorted(times, track.times), track.values, strict=True):
            cells[position] = None if np.isnan(value) else float(value)
        columns[name] = cells
    table = pa.table({name: pa.array(cells, pa.float64()) for name, cells in columns.items()})
    if target.suffix == ".csv":
        pyarrow.csv.write_csv(table, target)
    else:
        pyarrow.parquet.write_table(table, target)


def test_source_counts_its_bytes(demo: Path) -> None:
    source = open_source(str(demo / "vital_files"))
    assert isinstance(source, StoreSource)
    size = sum(len(piece) for piece in source.read("0001.vital"))
    assert source.bytes_read == size == (demo / "vital_files" / "0001.vital").stat().st_size
