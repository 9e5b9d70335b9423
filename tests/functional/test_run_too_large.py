"""A case above the limit is decided before a byte of it is read."""

from __future__ import annotations

from pathlib import Path

from core.run.assemble import read_commits
from core.run.plan import checked_options, make_plan
from core.run.plan_store import write_plan
from core.run.worker import PartitionWorker
from core.store import open_store
from core.workload import Case, Outcome
from tests.toy_workload import ToyWorkload


def test_too_large_is_an_outcome_and_nothing_is_read(tmp_path: Path) -> None:
    workload = ToyWorkload({"cases": 3})
    read: list[str] = []

    def note(case: Case) -> None:
        read.append(case.id)

    workload.before_case = note
    store = open_store(tmp_path, create=True)
    sizes = {entry.case.size for entry in make_plan(workload, None, {}, checked_options()).cases}
    (size,) = sizes
    for limit, outcome in ((size, Outcome.DONE), (size - 1, Outcome.FAILED)):
        read.clear()
        plan = make_plan(workload, None, {}, checked_options(largest_case_bytes=limit, partitions=1))
        write_plan(store, plan)
        PartitionWorker(store, plan, workload, None, 0).run()
        cases = [case for record in read_commits(store, plan) for case in record.cases]
        assert {case.outcome for case in cases} == {outcome}
        assert len(read) == (3 if outcome is Outcome.DONE else 0)
        assert {case.reason for case in cases} == ({""} if outcome is Outcome.DONE else {"too_large"})
