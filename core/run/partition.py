"""What one worker reads of a plan: its own shards and cases, so that its memory does not grow with the cohort.

The case table tells the same of the whole cohort, but reading it takes Arrow, and the time and memory of all cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from core.errors import IntegrityError
from core.run.layout import RunLayout
from core.run.models import Document, PlannedShard, RunRequest, ShardPlan
from core.run.plan import Plan, PlannedCase
from core.store import Store
from core.workload import Case
from core.wrong_values import why_unreadable

WRITERS = 16
"""Partitions written at the same time: there may be thousands, and what counts on S3 is the waiting."""


class PartitionPlan(Document):
    """``plan/partitions/<partition>.json``; ``cases`` in the order of ``shards``, each as many as its shard says.

    ``partitions`` is how many the run has. ``plan_sha256`` is the whole plan's, as in ``run.json``.
    """

    partition: int
    partitions: int
    plan_sha256: str
    shards: tuple[PlannedShard, ...]
    cases: tuple[Case, ...]

    def to_bytes(self) -> bytes:
        """JSON without blanks: together they hold every case once more."""
        return (self.model_dump_json(by_alias=True) + "\n").encode()


def write_partitions(store: Store, plan: Plan) -> None:
    """Write every partition of the plan, in place of what an earlier planner left that did not get to its end."""
    layout = RunLayout(plan.request.run_id)

    def write(partition: int) -> None:
        store.put(layout.partition(partition), _partition_of(plan, partition).to_bytes())

    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(write, range(plan.shards.partitions)):
            pass


def _partition_of(plan: Plan, partition: int) -> PartitionPlan:
    shards = plan.shards_of(partition)
    return PartitionPlan(
        partition=partition,
        partitions=plan.shards.partitions,
        plan_sha256=plan.request.plan_sha256,
        shards=shards,
        cases=tuple(entry.case for shard in shards for entry in plan.cases_of(shard.shard)),
    )


def read_partition(store: Store, request: RunRequest, partition: int) -> Plan:
    """The plan with the shards and cases of one partition only.

    Raises
    ------
    IntegrityError
        ``plan_damaged``: it is missing, cannot be read, or belongs to another plan.
    """
    own = _read(store, request, partition)
    cases = tuple(_planned(own))
    if own.partition != partition or len(cases) != len(own.cases) or len(cases) != sum(s.cases for s in own.shards):
        raise _damaged(request, partition, "its cases are not those of its shards")
    return Plan(request, cases, ShardPlan(partitions=own.partitions, shards=own.shards))


def count_partitions(store: Store, request: RunRequest) -> int:
    """How many partitions the run has; errors as :func:`read_partition`."""
    return _read(store, request, 0).partitions


def _read(store: Store, request: RunRequest, partition: int) -> PartitionPlan:
    try:
        found = PartitionPlan.model_validate_json(store.get(RunLayout(request.run_id).partition(partition)))
    except (FileNotFoundError, ValueError) as error:
        raise _damaged(request, partition, why_unreadable(error)) from error
    if found.plan_sha256 != request.plan_sha256:
        raise _damaged(request, partition, "it belongs to another plan than run.json")
    return found


def _planned(own: PartitionPlan) -> Iterator[PlannedCase]:
    cases = iter(own.cases)
    for shard in own.shards:
        for case in islice(cases, shard.cases):
            yield PlannedCase(case, shard.split, shard.shard)


def _damaged(request: RunRequest, partition: int, what: str) -> IntegrityError:
    where = RunLayout(request.run_id).partition(partition)
    return IntegrityError("plan_damaged", what, where=where, fix="Start the run afresh.")
