"""A workload that divides and judges its records: asked about every record that was read back, never just believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.errors import BadRequestError, BugError
from core.judging import AuditingWorkload, SplittingWorkload
from core.run.audit import ShardAudit, judge_records, needs_workload
from core.run.findings import GroupFindings, verify_group
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import Check, Verification
from core.run.partition import read_partition
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import read_plan, write_plan
from core.run.publish import Publication, publish, read_success, verify_published
from core.run.sample import sampled
from core.run.worker import PartitionWorker
from core.store import Store, open_store
from tests.judged_workload import JudgedToy, build_judged
from tests.toy_workload import ToyWorkload, build_toy

OPTIONS: dict[str, Any] = {"data_set": "judged", "shard_cases": 4, "partitions": 1}


class Run:
    """One run over a folder, worked to its end."""

    def __init__(self, output: object, **settings: Any) -> None:
        self.store: Store = open_store(str(output), create=True)
        self.workload = JudgedToy(settings)
        self.plan: Plan = make_plan(self.workload, None, {}, PlanOptions(**OPTIONS))
        write_plan(self.store, self.plan)
        PartitionWorker(self.store, self.plan, self.workload, None, 0).run()

    @property
    def run_id(self) -> str:
        return self.plan.request.run_id

    def publish(self, **trust: Any) -> Publication:
        return publish(self.store, self.plan, self.workload, **trust)

    def published(self) -> Store:
        return open_store(f"{self.store.uri}/datasets/judged")


def failed(verification: Verification) -> dict[str, Check]:
    return {check.name: check for check in verification.checks if not check.passed}


def test_gates_are_checks_and_what_is_reported_beside_them_is_kept(tmp_path: Any) -> None:
    run = Run(tmp_path)
    found = run.publish()
    assert failed(found.verification) == {}
    gates = {check.name: check.detail for check in found.verification.checks if check.name.startswith("gate: ")}
    assert gates == {"gate: records": "120; wanted: exactly 120", "gate: places": "300; wanted: above 0"}
    assert found.manifest.needs_workload
    sides = {"train": 84, "validation": 18, "test": 18}
    assert found.verification.figures == {"by_side": sides}
    metadata = json.loads(run.published().get("preprocessing_metadata.json"))
    assert metadata["audit"] == {"by_side": sides}


def test_a_gate_that_is_missed_takes_back_the_data_set(tmp_path: Any) -> None:
    run = Run(tmp_path)
    assert run.publish().verification.passed
    run.workload.settings["wanted"] = 121
    verification = run.publish().verification
    assert set(failed(verification)) == {"gate: records"}
    assert read_success(run.store, DataSetLayout.named("judged")) is None
    assert Verification.model_validate_json(run.store.get(RunLayout(run.run_id).verification)) == verification


@pytest.mark.parametrize("trust", ["nothing", "findings only"])
def test_a_record_on_the_wrong_side_is_found_by_the_record(tmp_path: Any, trust: str) -> None:
    run = Run(tmp_path, misplaced=3)
    verify_group(run.store, run.run_id, 0, build_judged)
    problems = failed(run.publish(trust=trust).verification)
    assert "6 records do not belong to test, by the workload's rule" in problems["provenance"].detail
    assert "case 0003" in problems["provenance"].detail


def test_the_figures_go_through_the_findings_of_a_group(tmp_path: Any) -> None:
    run = Run(tmp_path)
    verify_group(run.store, run.run_id, 0, build_judged)
    document = GroupFindings.model_validate_json(run.store.get(RunLayout(run.run_id).group_findings(0)))
    assert sum(sum(shard.figures["records"].values()) for shard in document.shards) == 120
    by_findings = run.publish(trust="findings only")
    assert by_findings.verification.passed
    assert by_findings.verification == run.publish().verification


def test_figures_that_were_changed_are_not_believed(tmp_path: Any) -> None:
    run = Run(tmp_path, wanted=121)
    verify_group(run.store, run.run_id, 0, build_judged)
    key = RunLayout(run.run_id).group_findings(0)
    document = json.loads(run.store.get(key))
    document["shards"][0]["figures"]["records"]["train"] += 1
    run.store.put(key, json.dumps(document).encode())
    assert set(failed(run.publish(trust="findings").verification)) == {"gate: records"}


def test_findings_without_the_workload_publish_nothing(tmp_path: Any) -> None:
    run = Run(tmp_path)
    verify_group(run.store, run.run_id, 0, build_toy)
    assert set(failed(run.publish(trust="findings only").verification)) == {"gates"}


def test_a_published_data_set_is_judged_again_by_its_records(tmp_path: Any) -> None:
    run = Run(tmp_path)
    run.publish()
    verification, _ = verify_published(run.published(), 1, build_judged)
    assert verification.passed
    assert verification.figures["by_side"]["train"] == 84
    assert [check.name for check in verification.checks][-2:] == ["gate: records", "gate: places"]


def unknown(name: str, settings: dict[str, Any]) -> JudgedToy:
    raise BadRequestError("unknown_workload", f"no workload {name!r}")


@pytest.mark.parametrize("build", [None, unknown, build_toy], ids=["none", "unknown", "one that judges nothing"])
def test_where_nobody_can_judge_nobody_says_verified(tmp_path: Any, build: Any) -> None:
    run = Run(tmp_path)
    run.publish()
    verification, _ = verify_published(run.published(), 1, build)
    assert set(failed(verification)) == {"workload"}
    assert "'judged'" in failed(verification)["workload"].detail


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", None])
def test_a_configuration_that_cannot_be_read_is_a_failed_check(tmp_path: Any, content: bytes | None) -> None:
    run = Run(tmp_path)
    run.publish()
    key = "preprocessing_metadata.json"
    run.published().delete(key) if content is None else run.published().put(key, content)
    verification, _ = verify_published(run.published(), 1, build_judged)
    assert set(failed(verification)) == {"seal", "workload"}


def test_the_sides_stand_in_every_copy_of_the_plan(tmp_path: Any) -> None:
    run = Run(tmp_path)
    for plan in (read_plan(run.store, run.run_id), read_partition(run.store, run.plan.request, 0)):
        assert plan.cases == run.plan.cases
        assert all(entry.case.split == entry.split for entry in plan.cases)
    assert run.plan.request.thresholds is None


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"salt": "other"}, "--salt"),
        ({"thresholds": {"salt": "casemill", "validation": 0.5, "test": 0.7}}, "--split-from"),
    ],
)
def test_nobody_else_decides_the_split(options: dict[str, Any], where: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        make_plan(JudgedToy({}), None, {}, PlanOptions(**OPTIONS, **options))
    assert (caught.value.code, caught.value.where) == ("bad_option", where)


def test_sides_without_a_rule_and_sides_for_some_are_bugs() -> None:
    class NoRule(JudgedToy):
        filed_under = None  # type: ignore[assignment]

    class Some(JudgedToy):
        def _planned(self, case: Any) -> Any:
            return super()._planned(case) if case.number > 3 else None

    for workload in (NoRule({}), Some({})):
        with pytest.raises(BugError) as caught:
            make_plan(workload, None, {}, PlanOptions(**OPTIONS))
        assert caught.value.code == "bad_split_rule"


def test_a_sample_keeps_the_rule_and_has_no_gates() -> None:
    sample = sampled(JudgedToy({}), ["0001", "0004"])
    assert isinstance(sample, SplittingWorkload)
    assert not isinstance(sample, AuditingWorkload)
    assert not isinstance(sampled(ToyWorkload({}), []), SplittingWorkload)
    plan = make_plan(sample, None, {}, PlanOptions(**OPTIONS))
    assert [(entry.case.id, entry.split) for entry in plan.cases] == [("0001", "train"), ("0004", "validation")]


def test_who_judges_nothing_says_nothing() -> None:
    assert not needs_workload(ToyWorkload({}))
    audit = ShardAudit(ToyWorkload({}), "train")
    audit.add({})
    assert audit.as_json() == {}
    assert judge_records(ToyWorkload({}), [{}]).checks == ()


def test_nothing_that_could_be_read_passes_no_gate() -> None:
    (check,) = judge_records(JudgedToy({}), [{}, {}]).checks
    assert not check.passed
