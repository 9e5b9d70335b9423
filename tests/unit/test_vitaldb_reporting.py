"""What the vitaldb workload says in the report, against its own figures and signals."""

from __future__ import annotations

import numpy as np
import pytest

from core.report.viewing import view
from core.reporting import ReportingWorkload
from core.run.source import open_source
from core.workload import Case
from core.workloads.vitaldb.features import FEATURE_NAMES, FEATURES
from core.workloads.vitaldb.grid import denormalise
from core.workloads.vitaldb.reporting import oddities
from core.workloads.vitaldb.workload import VitaldbWorkload
from tests.tiny_recordings import SHORT_WINDOWS, write_cohort


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[VitaldbWorkload, list[Case], str]:
    cohort = write_cohort(tmp_path_factory.mktemp("cohort"), 3, suffix=".vital")
    workload = VitaldbWorkload(SHORT_WINDOWS)
    selection = {"cases": "all", "clinical": str(cohort.clinical), "where": None}
    return workload, list(workload.cohort(open_source(str(cohort.source)), selection).cases), str(cohort.source)


def test_the_traces_are_what_the_windows_are_cut_from(made: tuple[VitaldbWorkload, list[Case], str]) -> None:
    workload, cases, source = made
    assert isinstance(workload, ReportingWorkload)
    for case in cases:
        result, seen = workload.process(case, open_source(source)), workload.traces(case, open_source(source))
        assert len(seen.windows) == result.records
        assert [trace.name for trace in seen.traces] == list(FEATURE_NAMES)
        starts = result.columns["start_s"][:, 0].tolist()
        assert [start for start, _ in seen.windows] == starts
        start, end = seen.windows[-1]
        for place, (trace, feature) in enumerate(zip(seen.traces, FEATURES, strict=True)):
            window = denormalise(result.columns["timeseries"][-1, :, place].astype(np.float32), feature)
            expected = np.clip(trace.signal[start:end], feature.minimum, feature.maximum)
            np.testing.assert_allclose(window, expected, atol=1e-4 * (feature.maximum - feature.minimum))
            assert result.columns["observed"][-1, place] == pytest.approx(float(np.mean(trace.measured[start:end])))


def test_distributions_add_up(made: tuple[VitaldbWorkload, list[Case], str]) -> None:
    workload, cases, source = made
    results = [workload.process(case, open_source(source)) for case in cases]
    sums = {name: sum(result.histograms[name] for result in results) for name in FEATURE_NAMES}
    found = workload.distributions([result.figures for result in results], sums)
    seconds = sum(result.figures["seconds"] for result in results)
    for item in found:
        observed = sum(result.figures["observed_seconds"][item.name] for result in results)
        assert item.below + sum(item.counts) + item.above == observed
        assert item.observed_share == pytest.approx(observed / seconds)
    by_name = {item.name: item for item in found}
    assert by_name["HR"].cleaned_share == 0.0
    assert by_name["BIS"].cleaned_share is None, "without a sample there is no share"
    assert (by_name["HR"].minimum, by_name["HR"].maximum, by_name["HR"].cases) == (20, 200, 3)


def figures(**changes: object) -> dict[str, object]:
    same = dict.fromkeys(FEATURE_NAMES, 3600)
    nothing = dict.fromkeys(FEATURE_NAMES, 0)
    return {
        "windows": 100, "seconds": 3600, "observed_seconds": same, "below_range_seconds": nothing,
        "above_range_seconds": nothing, "cleaned": {}, "samples": {"A": 1000}, "loss": {"largest_gap_s": 1.0},
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"observed_seconds": {**dict.fromkeys(FEATURE_NAMES, 3600), "HR": 360}}, "HR measured 10% of the time"),
        ({"above_range_seconds": {**dict.fromkeys(FEATURE_NAMES, 0), "BIS": 1800}}, "BIS outside its range 50%"),
        ({"cleaned": {"A: out of bounds": 500}}, "50% of its samples cleaned away"),
        ({"loss": {"largest_gap_s": 2400.0}}, "40 min without any sample"),
        ({"seconds": 36_000, "observed_seconds": dict.fromkeys(FEATURE_NAMES, 36_000)}, "10.0 h long (usual: 1.0 h)"),
    ],
)
def test_what_is_odd_is_found_and_said(changes: dict[str, object], words: str) -> None:
    cases = [(f"{number:04d}", figures()) for number in range(30)] + [("odd", figures(**changes))]
    (found,) = oddities(cases, 10)
    assert found.case_id == "odd"
    assert words in found.words
    assert oddities([("0001", figures(windows=0, **changes))], 10) == ()


def test_what_most_cases_lack_is_not_missed() -> None:
    without = {**dict.fromkeys(FEATURE_NAMES, 3600), "Noradrenalin_INF": 0}
    cases = [(f"{number:04d}", figures(observed_seconds=without)) for number in range(30)]
    assert oddities([*cases, ("with", figures())], 10) == ()


def test_a_view_names_the_features_without_a_sample(made: tuple[VitaldbWorkload, list[Case], str]) -> None:
    workload, cases, source = made
    seen = view(workload.traces(cases[0], open_source(source)), "why")
    assert "BIS = 0 –" in seen.imputed_features
    assert "HR" in {trace.name for trace in seen.traces}
