"""A run of the toy workload as the state machine drives it, in memory: every function is called as a handler would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.run.findings import verify_group
from core.run.layout import RunLayout
from core.run.models import Place, RoundPlan
from core.run.partition import read_partition
from core.run.plan_store import read_plan, read_request
from core.run.progress import read_shards
from core.run.publish import Publication, publish
from core.run.report import report_publication
from core.run.rounds import RoundDecision, next_round
from core.run.stop import StopRequest
from core.run.submission import AskedRun, Submission, submission_id
from core.run.take_up import StoredRun, plan_submission
from core.run.verify_groups import groups_of
from core.run.worker import Clock, PartitionWorker
from core.store import Store, open_store
from core.workload import Case
from tests.toy_workload import ToyWorkload, build_toy

SPOT = Place(instance_type="c7i.large", zone="eu-west-1b", capacity="spot", processors=1, host_processors=2)


class KilledError(BaseException):
    """The machine is gone: nothing of the worker runs any more."""


def asked_toy(settings: dict[str, Any] | None = None, **options: Any) -> AskedRun:
    return AskedRun(
        source=None,
        workload="toy",
        settings=settings or {},
        **{"data_set": "toy", "shard_cases": 2, "partitions": 4, "checkpoint_seconds": 0.0001, **options},
    )


@dataclass
class CloudBench:
    """One run; ``fate`` says before each case whether its machine dies (``kill``) or is reclaimed (``reclaim``)."""

    asked: AskedRun
    store: Store = field(default_factory=lambda: open_store("memory://"))
    fate: Callable[[Case], str] = lambda case: ""
    seconds: float = 1000.0

    def __post_init__(self) -> None:
        self.submission = Submission(run_id=submission_id(self.asked), asked=self.asked)
        self.run_id = self.submission.run_id
        self.layout = RunLayout(self.run_id)

    def plan(self) -> StoredRun:
        return plan_submission(self.store, self.submission, build_toy)

    def array(self, decision: RoundDecision, retries: int = 1) -> None:
        """What AWS Batch does: every child with its attempts; nobody learns whether it went well."""
        listed = RoundPlan.model_validate_json(self.store.get(self.layout.round_plan(decision.round)))
        for index in range(decision.array_size):
            for _ in range(retries):
                if self.child(listed.partitions[index]):
                    break

    def child(self, partition: int) -> bool:
        """One attempt at a partition; whether it finished."""
        plan = read_partition(self.store, read_request(self.store, self.run_id), partition)
        workload, stop = ToyWorkload(plan.request.configuration), StopRequest()

        def before(case: Case) -> None:
            self.seconds += 1.0
            match self.fate(case):
                case "kill":
                    raise KilledError
                case "reclaim":
                    stop.reason = "reclaimed"

        workload.before_case = before
        clock = Clock(now=lambda: self.seconds, elapsed=lambda: self.seconds)
        try:
            worker = PartitionWorker(
                self.store, plan, workload, None, partition, stop=stop, clock=clock, place=SPOT,
                heartbeat_seconds=0.0,
            )  # fmt: skip
            return worker.run().why == "finished"
        except KilledError:
            return False

    def work(self, tries: int = 0) -> RoundDecision:
        """Rounds until there is nothing left to do or nothing left to try."""
        decision = next_round(self.store, self.run_id, tries)
        while decision.action in ("work_array", "work_single"):
            self.array(decision)
            decision = next_round(self.store, self.run_id, decision.tries)
        return decision

    def groups(self) -> int:
        shards = read_shards(self.store, self.run_id).shards
        return len(groups_of(read_request(self.store, self.run_id), shards))

    def verify(self) -> None:
        for group in range(self.groups()):
            verify_group(self.store, self.run_id, group, build_toy)

    def publish(self, execution: str = "first") -> Publication:
        plan = read_plan(self.store, self.run_id)
        publication = publish(self.store, plan, ToyWorkload(plan.request.configuration), trust="findings only")
        report_publication(self.store, self.run_id, execution, publication)
        return publication

    def finished(self) -> CloudBench:
        """Planned, worked and verified, not published."""
        self.plan()
        assert self.work().action == "verify"
        self.verify()
        return self
