"""A run of the toy workload in memory, and workers on it that stop where a test says."""

from __future__ import annotations

from typing import Any

from core.run.assemble import read_commits
from core.run.commit import read_commit
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import CaseEntry, CommitRecord
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.publish import publish
from core.run.stop import StopRequest
from core.run.worker import Clock, PartitionReport, PartitionWorker
from core.store import Store, open_store
from tests.toy_workload import ToyWorkload


class Bench:
    """One run of a toy workload over a store in memory, on one partition."""

    def __init__(self, options: dict[str, Any] | None = None, **settings: Any) -> None:
        self.store: Store = open_store("memory://")
        self.workload = ToyWorkload(settings)
        planned = PlanOptions(**{"shard_cases": 4, "partitions": 1, **(options or {})})
        self.plan: Plan = make_plan(self.workload, None, {}, planned)
        self.layout = RunLayout(self.plan.request.run_id)
        write_plan(self.store, self.plan)

    def worker(self, *, stop: StopRequest | None = None, seconds_per_case: float = 0.0) -> PartitionWorker:
        workload = ToyWorkload(self.workload.settings)
        times = [0.0]

        def count(case: object) -> None:
            times[0] += seconds_per_case

        workload.before_case = count
        clock = Clock(now=lambda: 1000.0 + times[0], elapsed=lambda: times[0])
        return PartitionWorker(self.store, self.plan, workload, None, 0, stop=stop or StopRequest(), clock=clock)

    def work(self) -> PartitionReport:
        return self.worker().run()

    def hashes(self) -> dict[str, str]:
        return {record.shard: record.content_sha256 for record in read_commits(self.store, self.plan)}

    def root_hash(self) -> str:
        publication = publish(self.store, self.plan, self.workload)
        assert publication.verification.passed, publication.verification
        return publication.manifest.root_hash

    def shards(self) -> list[str]:
        return [shard.shard for shard in self.plan.shards.shards]

    def segments(self) -> list[str]:
        return [item.key for item in self.store.list(f"{self.layout.root}/staging")]

    def object_key(self, record: CommitRecord) -> str:
        return DataSetLayout.named(self.plan.request.data_set).key(record.path)

    def commit_of_first(self) -> CommitRecord:
        record = read_commit(self.store, self.layout, self.shards()[0])
        assert record is not None
        return record

    def entries(self) -> dict[str, CaseEntry]:
        return {case.case_id: case for record in read_commits(self.store, self.plan) for case in record.cases}


def stopped_after(bench: Bench, cases: int, reason: str = "reclaimed") -> PartitionWorker:
    """A worker that is asked to stop while it does its ``cases``-th case."""
    stop = StopRequest()
    worker = bench.worker(stop=stop)
    seen: list[str] = []

    def ask(case: Any) -> None:
        seen.append(case.id)
        if len(seen) == cases:
            stop.reason = reason

    worker.workload.before_case = ask  # type: ignore[attr-defined]
    return worker


def processed(worker: PartitionWorker) -> list[str]:
    return worker.workload.processed  # type: ignore[attr-defined, no-any-return]


def entries_of_a_whole_run() -> dict[str, CaseEntry]:
    bench = Bench()
    bench.work()
    return bench.entries()


def all_train() -> dict[str, object]:
    return {"salt": "casemill", "validation": 1.0, "test": 1.0}
