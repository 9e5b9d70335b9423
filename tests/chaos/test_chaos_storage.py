"""A run on an emulated S3 that fails in every way that storage fails."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import EXIT_RETRY, TransientError
from core.run.commit import commit_shard, read_commit
from core.run.layout import RunLayout
from core.run.models import Attempt, Worker
from core.run.plan import Plan, checked_options, make_plan
from core.run.plan_store import write_plan
from core.run.process import process_case
from core.run.publish import publish, verify_published
from core.run.shard import OpenShard
from core.run.source import open_source
from core.run.worker import PartitionWorker
from core.store import Store, open_store
from core.workload import Workload
from core.workloads.registry import build_workload
from tests.command_line import casemill
from tests.s3_server import S3Server
from tests.storage_faults import Rule
from tests.tiny_recordings import SHORT_WINDOWS, TinyCohort

EACH = 0.018
"""Probability of each of the six faults: about 10 % of all requests fail."""


@dataclass(frozen=True)
class Run:
    """A planned run and where it reads and writes; opened anew by whoever uses it."""

    source: str
    output: str
    plan: Plan
    workload: Workload

    @property
    def layout(self) -> RunLayout:
        return RunLayout(self.plan.request.run_id)

    def worker(self, partition: int) -> PartitionWorker:
        store = open_store(self.output, create=True)
        return PartitionWorker(store, self.plan, self.workload, open_source(self.source), partition)

    def work(self) -> None:
        for partition in range(self.plan.shards.partitions):
            self.worker(partition).run()

    def root_hash(self) -> str:
        """Publish, verify what was published, and give its hash."""
        store = open_store(self.output)
        assert publish(store, self.plan, self.workload).verification.passed
        published = open_store(f"{self.output}/datasets/{self.plan.request.data_set}")
        verification, manifest = verify_published(published)
        assert verification.passed, verification
        assert manifest.planned_cases == len(self.plan.cases)
        assert not manifest.reasons, "no fault of the storage is held against a case"
        return manifest.root_hash

    def attempts(self) -> list[Attempt]:
        store = open_store(self.output)
        found = store.list(f"{self.layout.root}/attempts")
        return [Attempt.model_validate_json(store.get(item.key)) for item in found]


def plan_run(source: str, clinical: str, output: str) -> Run:
    workload = build_workload("vitaldb", dict(SHORT_WINDOWS))
    options = checked_options(data_set="tiny", shard_cases=2, partitions=2)
    plan = make_plan(workload, open_source(source), {"clinical": clinical}, options)
    write_plan(open_store(output, create=True), plan)
    return Run(source, output, plan, workload)


@pytest.fixture(autouse=True)
def _environment(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CASEMILL_STORAGE_READ_SECONDS", "0.5")
    server.faults.reset()


@pytest.fixture
def bucket(server: S3Server, tiny_cohort: TinyCohort) -> str:
    return server.bucket_of(tiny_cohort)


@pytest.fixture(scope="module")
def undisturbed(tiny_cohort: TinyCohort, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The root hash of the run on a folder."""
    output: Path = tmp_path_factory.mktemp("undisturbed")
    run = plan_run(str(tiny_cohort.source), str(tiny_cohort.clinical), str(output))
    run.work()
    return run.root_hash()


def remote_run(bucket: str) -> Run:
    return plan_run(f"s3://{bucket}/recordings", f"s3://{bucket}/clinical_data.csv", f"s3://{bucket}/out")


def test_on_s3_as_on_a_folder(bucket: str, undisturbed: str) -> None:
    run = remote_run(bucket)
    run.work()
    assert run.root_hash() == undisturbed
    assert [attempt.storage_repeats for attempt in run.attempts()] == [0, 0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_a_tenth_of_all_requests_failing(
    server: S3Server, bucket: str, undisturbed: str, seed: int, record_property: pytest.RecordProperty
) -> None:
    faults = ("SlowDown", "InternalError", "reset", "lost", "stall")
    rules = [Rule(fault, probability=EACH, seconds=0.8) for fault in faults]
    server.faults.reset(*rules, Rule("cut", method="GET", probability=2 * EACH), seed=seed)
    run = remote_run(bucket)
    run.work()
    assert run.root_hash() == undisturbed
    fired, requests = server.faults.fired.total(), len(server.faults.requests)
    server.faults.reset()
    assert 0.05 < fired / requests < 0.2
    repeats = sum(attempt.storage_repeats for attempt in run.attempts())
    assert 0 < repeats <= fired, "the attempts report the repeats of the work; planning and verification had the others"
    record_property("faults", f"{fired} of {requests} requests, {repeats} repeats reported by attempts")


def test_storage_that_stays_down_blames_no_case(
    server: S3Server, bucket: str, undisturbed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = remote_run(bucket)
    monkeypatch.setenv("CASEMILL_STORAGE_RETRY_SECONDS", "0.5")
    victim = run.plan.cases_of(run.plan.shards_of(0)[-1].shard)[-1].case
    server.faults.reset(Rule("SlowDown", path=f"/{bucket}/recordings/{victim.key}"))
    with pytest.raises(TransientError, match="fewer requests") as caught:
        run.work()
    assert caught.value.exit_code == EXIT_RETRY
    (attempt,) = run.attempts()
    assert attempt.why == "transient"
    assert attempt.storage_repeats > 0
    store = open_store(run.output)
    outcomes = [
        case
        for shard in run.plan.shards.shards
        if (record := read_commit(store, run.layout, shard.shard)) is not None
        for case in record.cases
    ]
    assert len(outcomes) == sum(shard.cases for shard in run.plan.shards_of(0)[:-1])
    assert all(not case.reason for case in outcomes)
    server.faults.reset(Rule("ServiceUnavailable"))
    answer = casemill("status", f"{run.output}/runs/{run.plan.request.run_id}")
    assert answer.code == EXIT_RETRY
    assert "[storage_busy]" in answer.err
    server.faults.reset()
    run.work()
    assert run.root_hash() == undisturbed


@pytest.mark.parametrize("faulty", [False, True])
def test_twenty_racing_for_one_commit(server: S3Server, bucket: str, faulty: bool) -> None:
    run = remote_run(bucket)
    planned = run.plan.shards.shards[0]
    source = open_source(run.source)
    request = run.plan.request

    def finished() -> OpenShard:
        shard = OpenShard(request.compression)
        for entry in run.plan.cases_of(planned.shard):
            result = process_case(run.workload, entry.case, source)
            shard.finish(entry, result, run.workload.schema)
        return shard

    shard, start = finished(), threading.Barrier(20)
    if faulty:
        server.faults.reset(*(Rule(fault, method="PUT", probability=0.1) for fault in ("reset", "lost", "SlowDown")))

    def race(number: int) -> bool:
        store: Store = open_store(run.output)
        start.wait()
        return commit_shard(store, request, planned, shard, Worker(partition=number, attempt=1, seconds=1, bytes_in=1))

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(race, range(20)))
    assert sum(won) == 1
    if faulty:
        assert server.faults.fired.total() > 0
        server.faults.reset()
    record = read_commit(open_store(run.output), run.layout, planned.shard)
    assert record is not None
    assert record.made_by.partition == won.index(True)
    run.work()
    run.root_hash()
