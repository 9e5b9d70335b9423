"""The sample, the projection and the verdict, without running anything."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from core.cli import commands_rehearse
from core.run.models import Check
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.projection import MeasuredCase, makespan, project, share_bounds
from core.run.rehearsal import configuration_digest
from core.run.rehearsal_models import Disturbance, Measured, Projection, RehearsalLimits, RehearsalScale
from core.run.rehearsal_verdict import Findings, judge, project_run
from core.run.sample import Stratum, draw_sample
from core.store import open_store
from core.workload import Case
from tests.toy_workload import ToyWorkload


def cases_of(sizes: list[int]) -> list[Case]:
    return [
        Case(f"{n:04d}", n, f"g{n}", n, f"{n:04d}.toy", size, estimated_records=1) for n, size in enumerate(sizes, 1)
    ]


@pytest.mark.parametrize(("count", "share", "drawn"), [(5, 0.1, 5), (24, 0.1, 20), (300, 0.1, 30), (301, 0.1, 31)])
def test_sample_has_a_tenth_at_least_twenty_or_all(count: int, share: float, drawn: int) -> None:
    strata = draw_sample(cases_of(list(range(count))), share, seed=1)
    assert sum(len(stratum.drawn) for stratum in strata) == drawn
    names = [case.id for stratum in strata for case in stratum.cases]
    assert len(names) == len(set(names)) == count
    assert all(case in stratum.cases for stratum in strata for case in stratum.drawn)


def test_sample_is_spread_over_sizes_and_holds_the_largest() -> None:
    cases = cases_of([(n * 7919) % 1000 for n in range(1000)])
    strata = draw_sample(cases, 0.1, seed=3)
    drawn = sorted(case.size for stratum in strata for case in stratum.drawn)
    assert drawn[-1] == 999
    for low in range(0, 1000, 100):
        assert sum(low <= size < low + 100 for size in drawn) in (9, 10, 11)


def test_sample_depends_on_the_seed_alone() -> None:
    cases = cases_of(list(range(400)))
    assert draw_sample(cases, 0.1, 1) == draw_sample(cases[::-1], 0.1, 1)
    assert draw_sample(cases, 0.1, 1) != draw_sample(cases, 0.1, 2)


def test_nothing_to_draw_from() -> None:
    assert draw_sample([], 0.1, 1) == ()


def measured(case: Case, **changes: Any) -> MeasuredCase:
    content = {"seconds": case.size / 100, "bytes_out": case.size * 2, "records": 3, "succeeded": True, **changes}
    return MeasuredCase(**content)  # type: ignore[arg-type]


def test_complete_sample_is_projected_exactly_and_without_spread() -> None:
    cases = cases_of([10, 20, 30, 40, 50])
    totals = project(draw_sample(cases, 0.1, 1), {case.id: measured(case) for case in cases}, seed=1)
    assert totals.seconds.value == pytest.approx(1.5)
    assert (totals.seconds.low, totals.seconds.high) == pytest.approx((1.5, 1.5))
    assert totals.bytes_out.value == pytest.approx(300)
    assert totals.records.value == pytest.approx(15)


def test_projection_comes_close_and_its_bounds_hold_the_truth_about_nine_times_in_ten() -> None:
    cases = cases_of([100 + (n * 7919) % 1000 for n in range(600)])
    truth = sum(case.size / 100 + (case.number % 5) for case in cases)
    inside = 0
    for seed in range(60):
        strata = draw_sample(cases, 0.1, seed)
        found = {
            case.id: measured(case, seconds=case.size / 100 + case.number % 5)
            for stratum in strata
            for case in stratum.drawn
        }
        seconds = project(strata, found, seed).seconds
        assert seconds.value == pytest.approx(truth, rel=0.15)
        inside += seconds.low <= truth <= seconds.high
    assert 46 <= inside <= 60


def test_no_failure_in_a_small_sample_still_leaves_doubt() -> None:
    bounds = share_bounds(1.0, drawn=20, population=2000)
    assert bounds.value == 1.0
    assert 0.85 < bounds.low < 0.9
    assert share_bounds(0.9, 20, 20).low == 0.9


@pytest.mark.parametrize(("workers", "seconds"), [(1, 10), (2, 6), (4, 4), (9, 4)])
def test_makespan(workers: int, seconds: float) -> None:
    assert makespan([1, 2, 3, 4], workers) == seconds


def full_plan(cases: int = 40, missing: int = 0) -> Plan:
    toy = ToyWorkload({"cases": cases})
    whole = toy.cohort(None, {})
    changed = tuple(dataclasses.replace(case, key=None) if case.number <= missing else case for case in whole.cases)
    toy.cohort = lambda source, selection: dataclasses.replace(whole, cases=changed)  # type: ignore[method-assign]
    return make_plan(toy, None, {}, PlanOptions(data_set="d"))


def findings_of(plan: Plan, failing: int = 0, **changes: Any) -> Findings:
    strata = draw_sample([entry.case for entry in plan.cases if entry.case.key is not None], 0.1, 1)
    drawn = [case for stratum in strata for case in stratum.drawn]
    content: dict[str, Any] = {
        "plan": plan,
        "strata": strata,
        "cases": {case.id: measured(case, succeeded=place >= failing) for place, case in enumerate(drawn)},
        "measured": Measured(
            work_seconds=10, verify_seconds=2, case_seconds=20, bytes_out=4000, records=60,
            reasons={"unreadable": failing} if failing else {}, peak_memory_bytes=200_000_000,
        ),
        "startup_seconds": 1.0,
        "sample_shard_bytes": 1_000_000,
        "disturbance": Disturbance(killed=True, tries=1, restored=3, root_hash="a", undisturbed_root_hash="a"),
        "checks": (Check(name="records", passed=True, detail=""), Check(name="shares", passed=False, detail="")),
        **changes,
    }  # fmt: skip
    return Findings(**content)


LIMITS = RehearsalLimits(success_rate=0.95)
SCALE = RehearsalScale(workers=2, array=4, price_per_hour=0.04)


def verdict(findings: Findings, limits: RehearsalLimits = LIMITS) -> tuple[str, Projection]:
    projection = project_run(findings, SCALE, 1)
    reasons, _ = judge(findings, projection, limits)
    return "\n".join(reasons), projection


def test_good_sample_goes_and_projects_the_whole_run() -> None:
    reasons, projection = verdict(findings_of(full_plan()))
    assert reasons == ""
    # 40 cases of 1 s by 2 workers, the start, and the verification of twice the sample's bytes.
    assert projection.seconds_local.value == pytest.approx(20 + 1 + 4, abs=2)
    assert projection.worker_hours.value == pytest.approx((40 + 4 + 4 * 1.0) / 3600)
    assert projection.dollars is not None
    assert projection.dollars.value == pytest.approx(projection.worker_hours.value * 0.04)
    assert projection.output_bytes.value == pytest.approx(8000)
    assert projection.peak_memory_bytes == 200_000_000 + 20 * 4_000


def test_unknown_price_is_unknown_and_never_zero() -> None:
    findings = findings_of(full_plan())
    projection = project_run(findings, SCALE.model_copy(update={"price_per_hour": None}), 1)
    assert projection.dollars is None
    assert "the cost is unknown: give --price-per-hour" in judge(findings, projection, LIMITS)[1]


def test_segments_of_long_shards_are_staging() -> None:
    findings = findings_of(full_plan())
    slow = {name: dataclasses.replace(case, seconds=100.0) for name, case in findings.cases.items()}
    assert project_run(findings, SCALE, 1).staging_bytes == 0
    assert project_run(dataclasses.replace(findings, cases=slow), SCALE, 1).staging_bytes == pytest.approx(8000)


@pytest.mark.parametrize(
    ("changes", "limits", "reason"),
    [
        ({"failing": 4}, LIMITS, "81.2% of the cases would succeed, 95.0% are needed"),
        (
            {"disturbance": Disturbance(killed=True, tries=1, restored=0, root_hash="a", undisturbed_root_hash="b")},
            LIMITS,
            "gave other data",
        ),
        (
            {"disturbance": Disturbance(killed=False, tries=3, restored=0, root_hash="a", undisturbed_root_hash="a")},
            LIMITS,
            "before it could be killed",
        ),
        ({"checks": (Check(name="records", passed=False, detail="bad"),)}, LIMITS, "not verified: records: bad"),
        ({"cases": {}}, LIMITS, "20 cases of the sample have no outcome"),
        ({}, RehearsalLimits(success_rate=0.95, memory_bytes=100_000_000), "need 200 MB of memory, 100 MB are allowed"),
        ({}, RehearsalLimits(success_rate=0.95, time_seconds=5), "5 s are allowed"),
    ],
)  # fmt: skip
def test_each_reason_stops(changes: dict[str, Any], limits: RehearsalLimits, reason: str) -> None:
    assert reason in verdict(findings_of(full_plan(), **changes), limits)[0]


def test_missing_cases_count_as_failed() -> None:
    reasons, projection = verdict(findings_of(full_plan(40, missing=4)))
    assert "90.0% of the cases would succeed" in reasons
    assert projection.failures["missing"] == 4


def test_digest_follows_the_configuration_and_not_the_name() -> None:
    request = full_plan().request
    assert configuration_digest(request) == configuration_digest(request.model_copy(update={"data_set": "other"}))
    for change in ({"code_version": "2"}, {"source": "elsewhere"}, {"configuration": {"windows": 7}}):
        assert configuration_digest(request) != configuration_digest(request.model_copy(update=change))


def test_stratum_of_one_has_no_spread() -> None:
    case = cases_of([10])[0]
    totals = project([Stratum((case,), (case,))], {case.id: measured(case)}, 1)
    assert totals.seconds.low == totals.seconds.high == pytest.approx(0.1)


@pytest.mark.parametrize(("cases", "reminded"), [(200, False), (201, True)])
def test_large_run_without_a_rehearsal_is_remarked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: int, reminded: bool
) -> None:
    said: list[str] = []
    monkeypatch.setattr(commands_rehearse, "note", said.append)
    commands_rehearse.remind_of_rehearsal(open_store(tmp_path), full_plan(cases))
    assert len(said) == reminded
    assert all("no rehearsal of this configuration has passed" in text for text in said)


def modelled(case: Case) -> float:
    return case.size / 300


def test_with_a_time_model_the_sample_only_says_how_fast_the_machine_is() -> None:
    cases = cases_of([100 + (n * 7919) % 1000 for n in range(600)])
    strata = draw_sample(cases, 0.1, 2)
    found = {case.id: measured(case) for stratum in strata for case in stratum.drawn}
    totals = project(strata, found, seed=2, model=modelled)
    assert totals.machine is not None
    # Each case takes three times what the model says, so the sample leaves no doubt about the rest.
    assert (totals.machine.value, totals.machine.low, totals.machine.high) == pytest.approx((3.0, 3.0, 3.0))
    assert totals.seconds.value == pytest.approx(sum(case.size / 100 for case in cases))
    assert totals.seconds_by_case[cases[5].id] == pytest.approx(cases[5].size / 100)
    without = project(strata, found, seed=2)
    assert without.machine is None
    assert (without.bytes_out, without.records) == (totals.bytes_out, totals.records)


def test_bounds_of_the_machine_hold_the_truth_about_nine_times_in_ten() -> None:
    cases = cases_of([100 + (n * 7919) % 1000 for n in range(600)])
    truth = sum(case.size / 100 + (case.number % 5) for case in cases)
    inside = 0
    for seed in range(60):
        strata = draw_sample(cases, 0.1, seed)
        drawn = [case for stratum in strata for case in stratum.drawn]
        found = {case.id: measured(case, seconds=case.size / 100 + case.number % 5) for case in drawn}
        seconds = project(strata, found, seed, modelled).seconds
        assert seconds.value == pytest.approx(truth, rel=0.15)
        inside += seconds.low <= truth <= seconds.high
    assert 46 <= inside <= 60


def test_a_sample_that_took_no_time_says_nothing_of_the_machine() -> None:
    cases = cases_of([10, 20, 30])
    strata = draw_sample(cases, 0.1, 1)
    found = {case.id: measured(case, seconds=0.0) for case in cases}
    assert project(strata, found, 1, modelled).machine is None


def test_rehearsal_keeps_the_machines_factor() -> None:
    findings = dataclasses.replace(findings_of(full_plan()), model=modelled)
    factor = project_run(findings, SCALE, 1).machine_factor
    assert factor is not None
    assert factor.value == pytest.approx(3.0)
    assert project_run(findings_of(full_plan()), SCALE, 1).machine_factor is None
