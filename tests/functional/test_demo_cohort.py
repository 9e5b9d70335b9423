"""A demo cohort as a folder: size, repeatability, traps, and what the usual reader makes of the plain cases."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import vitaldb

from core.errors import BadRequestError
from core.workload import Outcome
from core.workloads.vitaldb.demo import DemoCohort, read_truth, write_demo_cohort
from core.workloads.vitaldb.demo.devices import channels_of
from core.workloads.vitaldb.demo.faults import FAULTS
from core.workloads.vitaldb.demo.patient import plan_case

SEED = 7


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> DemoCohort:
    return write_demo_cohort(tmp_path_factory.mktemp("demo"), 24, SEED, waveforms=False, faults=False)


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> DemoCohort:
    return write_demo_cohort(tmp_path_factory.mktemp("faults"), 1, SEED, waveforms=False, faults=True)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _rows(cohort: DemoCohort) -> list[dict[str, str]]:
    with cohort.clinical_table.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_default_demo_is_small(cohort: DemoCohort) -> None:
    assert len(list(cohort.recordings.iterdir())) == 24
    assert _bytes(cohort.folder) < 30_000_000
    assert [case.case_id for case in cohort.truth] == [f"{number:04d}" for number in range(1, 25)]
    assert all(case.outcome is Outcome.DONE for case in cohort.truth)
    assert {case.profile for case in cohort.truth} == {"vitaldb", "draeger", "intellivue"}
    assert cohort.windows > 5000


def test_same_seed_same_bytes_and_growing_keeps_the_prefix(tmp_path: Path, cohort: DemoCohort) -> None:
    few = write_demo_cohort(tmp_path / "few", 5, SEED, waveforms=False, faults=False)
    again = write_demo_cohort(tmp_path / "again", 5, SEED, waveforms=False, faults=False)
    assert _digests(few.folder) == _digests(again.folder)
    assert _digests(few.recordings).items() <= _digests(cohort.recordings).items()
    assert few.truth == cohort.truth[:5]
    other = write_demo_cohort(tmp_path / "other", 1, SEED + 1, waveforms=False, faults=False)
    assert _digests(other.recordings)["0001.vital"] != _digests(few.recordings)["0001.vital"]


def test_faults_are_repeatable_small_and_labelled(tmp_path: Path, faults: DemoCohort) -> None:
    again = write_demo_cohort(tmp_path, 1, SEED, waveforms=False, faults=True)
    assert _digests(again.folder) == _digests(faults.folder)
    assert _bytes(faults.folder) < 10_000_000
    broken = [case for case in faults.truth if case.fault]
    assert [case.fault for case in broken] == list(FAULTS)
    assert [int(case.case_id) for case in broken] == list(range(9001, 9001 + len(FAULTS)))
    assert {case.reason for case in broken} == {"", "unreadable", "no_signal", "unknown_unit", "not_found"}
    assert len({case.subject_id for case in faults.truth}) == len(faults.truth)
    for case in broken:
        assert (case.outcome is Outcome.FAILED) == bool(case.reason)
        assert (case.outcome is Outcome.DONE) == (case.windows > 0)
        assert case.file is None or (faults.folder / case.file).is_file()
    assert [case.fault for case in broken if case.file is None] == ["missing_file"]


def test_ground_truth_reads_back(faults: DemoCohort) -> None:
    assert tuple(read_truth(faults.ground_truth)) == faults.truth


def test_clinical_table_has_its_traps(cohort: DemoCohort) -> None:
    assert cohort.clinical_table.read_bytes().startswith(b"\xef\xbb\xbfcaseid,subjectid,")
    rows = _rows(cohort)
    ids = [row["caseid"] for row in rows]
    assert len(ids) == 24  # one case has no row, one has two
    assert set(range(1, 25)) - {int(number) for number in ids} == {22}
    assert [number for number in ids if ids.count(number) == 2] == ["20", "20"]
    by_id = {row["caseid"]: row for row in reversed(rows)}
    assert by_id["3"]["age"] == ">89"
    assert by_id["14"]["age"] == "0.4"
    assert by_id["7"]["asa"] == ""
    assert by_id["18"]["height"] == ""
    assert float(by_id["9"]["age"]) < 18
    assert by_id["11"]["aneend"] == "-3691470416"
    assert sum(float(row["anestart"]) < 0 for row in rows) > 15
    for case in cohort.truth:
        assert case.clinical_row == (str(int(case.case_id)) in by_id)
        if case.clinical_row:
            assert by_id[str(int(case.case_id))]["subjectid"] == str(case.subject_id)
    by_row = {case.case_id: case for case in cohort.truth}
    assert by_row["0022"].subject_id == -22
    assert by_row["0022"].flags == ("static_imputed",)


def test_table_of_a_fault_set_names_the_missing_file_only(faults: DemoCohort) -> None:
    numbers = {int(row["caseid"]) for row in _rows(faults)}
    for case in faults.truth:
        assert case.clinical_row == (int(case.case_id) in numbers)
    assert next(case for case in faults.truth if case.fault == "missing_file").clinical_row
    assert not next(case for case in faults.truth if case.fault == "no_clinical_row").clinical_row


@pytest.mark.parametrize("number", [1, 3, 4, 5, 12])
def test_usual_reader_reads_the_same_values(cohort: DemoCohort, number: int) -> None:
    file = vitaldb.VitalFile(str(cohort.recordings / f"{number:04d}.vital"))
    channels = channels_of(plan_case(number, SEED))
    assert {channel.full_name for channel in channels} | {"EVENT"} == set(file.trks)
    for channel in channels:
        track = file.trks[channel.full_name]
        assert track.unit == channel.unit
        assert [record["dt"] for record in track.recs] == channel.times.tolist()
        values = np.array([record["val"] for record in track.recs], np.float64)
        if channel.gain != 1.0:
            values = values * track.gain + track.offset
        np.testing.assert_allclose(values, channel.values, atol=1e-4)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_usual_reader_reads_the_waves(tmp_path: Path, number: int) -> None:
    from core.workloads.vitaldb.demo.cases import write_case

    (tmp_path / "vital_files").mkdir()
    plan = plan_case(number, SEED)
    case = write_case(tmp_path, plan, waveforms=True)
    assert case.file is not None
    path = tmp_path / case.file
    assert 3_000_000 < path.stat().st_size / (plan.seconds / 3600) < 8_000_000
    file = vitaldb.VitalFile(str(path), ["SNUADC/ECG_II", "SNUADC/PLETH"])
    for name in ("SNUADC/ECG_II", "SNUADC/PLETH"):
        track = file.trks[name]
        assert track.srate == 500
        assert sum(len(record["val"]) for record in track.recs) == (plan.seconds - 2) * 500
    beat = np.concatenate([record["val"] for record in file.trks["SNUADC/ECG_II"].recs])
    assert 0.5 < beat.max() * file.trks["SNUADC/ECG_II"].gain < 2.0


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    write_demo_cohort(tmp_path, 2, SEED, waveforms=False, faults=False, progress=progress)
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("cases", "seed", "code"), [(0, 7, "bad_demo_size"), (9001, 7, "bad_demo_size"), (1, -1, "bad_seed")]
)
def test_nonsense_is_refused(tmp_path: Path, cases: int, seed: int, code: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        write_demo_cohort(tmp_path, cases, seed, waveforms=False, faults=False)
    assert caught.value.code == code


def test_folder_with_recordings_is_refused(cohort: DemoCohort) -> None:
    with pytest.raises(BadRequestError) as caught:
        write_demo_cohort(cohort.folder, 1, SEED, waveforms=False, faults=False)
    assert caught.value.code == "demo_folder_in_use"


def _values(name: str, keep: Callable[[int], bool]) -> list[float]:
    found: list[float] = []
    for number in filter(keep, range(1, 25)):
        found += [v for c in channels_of(plan_case(number, SEED)) if c.full_name == name for v in c.values.tolist()]
    return found


def test_arterial_line_has_its_artefacts() -> None:
    systolic = _values("Solar8000/ART_SBP", lambda number: number in (1, 6))
    assert min(systolic) < 0
    assert max(systolic) > 300
    assert 70 < float(np.median(systolic)) < 160


def test_leads_off_silence_and_stutter_occur() -> None:
    plans = [plan_case(number, SEED) for number in range(1, 25)]
    assert any(plan.leads_off for plan in plans)
    assert any(plan.silence for plan in plans)
    assert any(plan.duplicate_times for plan in plans)
    off = next(plan.number for plan in plans if plan.leads_off)
    assert 0.0 in _values("Solar8000/HR", lambda number: number == off)
