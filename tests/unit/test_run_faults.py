"""A bad case never stops a run; a bad machine never fails a case; a bad workload is never published."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BugError, TransientError
from core.run.layout import DataSetLayout
from core.run.models import Attempt
from core.run.publish import publish
from core.workload import CaseResult, Outcome
from tests.toy_bench import Bench, all_train, entries_of_a_whole_run


@pytest.mark.parametrize(
    ("fault", "reason", "detail"),
    [("value", "internal", "ValueError at toy_workload.py:"), ("content", "unreadable", "case 0004: bad bytes")],
)
def test_a_case_that_raises_fails_alone(fault: str, reason: str, detail: str) -> None:
    bench = Bench(fault=fault, fault_case=4)
    assert bench.work().why == "finished"
    entries = bench.entries()
    assert (entries["0004"].outcome, entries["0004"].reason, entries["0004"].records) == (Outcome.FAILED, reason, 0)
    assert entries["0004"].detail.startswith(detail)
    assert "secret" not in entries["0004"].detail
    sound = entries_of_a_whole_run()
    for name, entry in entries.items():
        if name != "0004":
            assert entry.model_copy(update={"offset": 0}) == sound[name].model_copy(update={"offset": 0})


@pytest.mark.parametrize("fault", ["transient", "memory", "disk"])
def test_faults_of_the_machine_are_raised_and_blame_no_case(fault: str) -> None:
    bench = Bench(fault=fault, fault_case=6)
    with pytest.raises(TransientError):
        bench.work()
    committed = {item.key for item in bench.store.list(bench.layout.commits)}
    guilty = next(entry.shard for entry in bench.plan.cases if entry.case.number == 6)
    assert bench.layout.commit(guilty) not in committed
    (attempt,) = bench.store.list(bench.layout.attempts(0))
    told = Attempt.model_validate_json(bench.store.get(attempt.key))
    assert (told.why, told.exit_code) == ("transient", 75)
    assert told.cause


def test_a_transient_fault_that_passes_leaves_no_trace(tmp_path: Path) -> None:
    bench = Bench(fault="transient_once", fault_case=6, marker=str(tmp_path / "marker"))
    with pytest.raises(TransientError):
        bench.work()
    bench.work()
    assert bench.entries() == entries_of_a_whole_run()


def test_columns_that_do_not_fit_the_schema_are_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    worker = bench.worker()
    broken = CaseResult(Outcome.DONE, records=2, columns={})
    monkeypatch.setattr(worker.workload, "process", lambda case, source: broken)
    with pytest.raises(BugError):
        worker.run()
    (attempt,) = bench.store.list(bench.layout.attempts(0))
    told = Attempt.model_validate_json(bench.store.get(attempt.key))
    assert (told.why, told.cause, told.exit_code) == ("crashed", "schema_mismatch", 70)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5])
def test_a_workload_that_writes_bad_values_is_never_published(value: float) -> None:
    bench = Bench(value=value)
    bench.work()
    publication = publish(bench.store, bench.plan, bench.workload)
    assert [check.name for check in publication.verification.checks if not check.passed] == ["values"]
    data_set = DataSetLayout.named(bench.plan.request.data_set)
    assert bench.store.head(data_set.success) is None
    assert bench.store.head(data_set.manifest) is None
    assert bench.store.head(bench.layout.verification)


def test_a_split_far_from_its_targets_is_never_published() -> None:
    bench = Bench({"thresholds": all_train()})
    bench.work()
    verification = publish(bench.store, bench.plan, bench.workload).verification
    assert [check.name for check in verification.checks if not check.passed] == ["shares"]


def test_a_run_without_a_single_example_is_never_published() -> None:
    bench = Bench(empty=list(range(1, 11)))
    bench.work()
    verification = publish(bench.store, bench.plan, bench.workload).verification
    assert [check.name for check in verification.checks if not check.passed] == ["examples"]
