"""Which log stream holds which attempt of a run: round → array index → partition, by what AWS Batch knows of the jobs.

AWS Batch remembers jobs for a week or so. After that the streams are found by what the containers say of themselves in
their first line, so those that never came so far are not found any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from core.errors import BadRequestError, IntegrityError
from core.run.layout import RunLayout
from core.run.models import RoundPlan
from core.run.plan_store import read_plan
from core.run.rounds import job_name
from core.store import Store
from handlers.aws.jobs import describe, job_ids, told_end
from handlers.command_line.account import asking
from handlers.command_line.log_lines import events, parsed
from handlers.command_line.stack import DeployedStack


@dataclass(frozen=True)
class LogStream:
    """The stream of one attempt of a container; ``why`` is AWS Batch's word on its end, empty while it runs."""

    name: str
    round: int
    partition: int
    attempt: int
    why: str = ""

    @property
    def origin(self) -> str:
        """What stands before each of its lines."""
        return f"round {self.round} partition {self.partition} attempt {self.attempt}"


def partition_of_case(store: Store, run_id: str, case_id: str) -> int:
    """The partition that works a case, by the plan.

    Raises
    ------
    BadRequestError
        ``unknown_case``: the run did not plan it.
    """
    plan = read_plan(store, run_id)
    shard = next((entry.shard for entry in plan.cases if entry.case.id == case_id), None)
    if shard is None:
        raise BadRequestError(
            "unknown_case",
            f"the run has no case {case_id!r}",
            where=f"run {run_id}",
            fix="Give its id as planned.",
        )
    return next(item.partition for item in plan.shards.shards if item.shard == shard)


def find_streams(stack: DeployedStack, store: Store, run_id: str, partition: int | None = None) -> list[LogStream]:
    """The streams of every attempt of every round, in order; of one partition only where it is given."""
    found: list[LogStream] = []
    forgotten = False
    for number, plan in sorted(_rounds(store, run_id).items()):
        with asking("looking for the jobs", f"round {number}"):
            parents = [name for queue in stack.queues for name in job_ids(queue, job_name(run_id, number))]
            forgotten = forgotten or not parents
            children = dict(_children(parents, plan, partition))
            jobs = describe(list(children))
        found += [stream for job in jobs for stream in _streams(job, number, children[job["jobId"]])]
    if forgotten:
        known = {stream.name for stream in found}
        told = _told_by_themselves(stack, run_id)
        found += [item for item in told if item.name not in known and partition in (None, item.partition)]
    return sorted(found, key=lambda stream: (stream.round, stream.partition, stream.attempt))


def _rounds(store: Store, run_id: str) -> dict[int, RoundPlan]:
    found: dict[int, RoundPlan] = {}
    for item in store.list(RunLayout(run_id).rounds):
        try:
            number = int(item.key.rpartition("/")[2].removesuffix(".json"))
            found[number] = RoundPlan.model_validate_json(store.get(item.key))
        except (ValueError, ValidationError) as error:
            raise IntegrityError(
                "round_damaged", "not a list of partitions", where=item.key, fix="Read the log group by hand."
            ) from error
    return found


def _children(parents: list[str], plan: RoundPlan, wanted: int | None) -> Iterator[tuple[str, int]]:
    """The id of each child, and its partition; a round of one partition is a plain job."""
    for parent in parents:
        for index, partition in enumerate(plan.partitions):
            if wanted in (None, partition):
                yield (f"{parent}:{index}" if len(plan.partitions) > 1 else parent), partition


def _streams(job: Mapping[str, Any], number: int, partition: int) -> Iterator[LogStream]:
    attempts = job.get("attempts", [])
    names = set()
    for position, attempt in enumerate(attempts, 1):
        if name := attempt.get("container", {}).get("logStreamName"):
            names.add(name)
            yield LogStream(name, number, partition, position, told_end(attempt).text)
    current = job.get("container", {}).get("logStreamName")
    if current and current not in names:
        yield LogStream(current, number, partition, len(attempts) + 1)


def _told_by_themselves(stack: DeployedStack, run_id: str) -> Iterator[LogStream]:
    pattern = f'{{ ($.event = "started") && ($.run = "{run_id}") }}'
    for event in events(stack.job_log_group, filterPattern=pattern):
        said = parsed(event["message"]) or {}
        if said.get("event") == "started" and said.get("run") == run_id:
            for partition in said.get("partitions", ()):
                number, attempt = said.get("round", 1), said.get("batch_attempt") or 1
                yield LogStream(event["logStreamName"], number, partition, attempt)
