"""AWS Batch: a round's job by its name, in the words of :mod:`core.run.guard`, and how attempts ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.run.guard import BLOCKED_REASONS, JobState
from core.run.told_ends import OUT_OF_TIME, ToldEnd
from handlers.aws.clients import asking, client

DESCRIBED_AT_ONCE = 100
"""Job ids that DescribeJobs takes (Batch API)."""

_ENDED = ("SUCCEEDED", "FAILED")
_MAY_WORK = ("STARTING", "RUNNING", "PENDING")
"""States of jobs that may have a machine: the parent of an array is pending while its children work."""


@dataclass(frozen=True)
class RoundJob:
    """The jobs of one name: one, or more where a submission was repeated; ``submitted`` is the earliest's clock time.

    ``reasons`` are those that AWS Batch gives for jobs that ended badly.
    """

    ids: tuple[str, ...]
    state: JobState
    submitted: float


def find_job(queue: str, name: str) -> RoundJob | None:
    """The round's job; None while there is none."""
    jobs = describe(job_ids(queue, name))
    states = [_state(job) for job in jobs]
    if not states:
        return None
    return RoundJob(
        ids=tuple(job["jobId"] for job in jobs),
        state=_together(states),
        submitted=min(job["createdAt"] for job in jobs) / 1000.0,
    )


def job_ids(queue: str, name: str) -> list[str]:
    """The ids of the jobs of a name, parents of arrays among them, as long as AWS Batch remembers them."""
    with asking("ListJobs"):
        filters = [{"name": "JOB_NAME", "values": [name]}]
        return [summary["jobId"] for summary in _listed(jobQueue=queue, filters=filters)]


def others_work(queue: str, own: Sequence[str]) -> bool:
    """Whether jobs of the queue but these have a machine."""
    with asking("ListJobs"):
        ids = [job["jobId"] for status in _MAY_WORK for job in _listed(jobQueue=queue, jobStatus=status)]
    return any(_count_at_work(job) for job in describe([job_id for job_id in ids if job_id not in own]))


def describe(ids: Sequence[str]) -> list[dict[str, Any]]:
    """What AWS Batch says of these jobs; those that it has forgotten are left out."""
    jobs: list[dict[str, Any]] = []
    for first in range(0, len(ids), DESCRIBED_AT_ONCE):
        with asking("DescribeJobs"):
            jobs += client("batch").describe_jobs(jobs=list(ids[first : first + DESCRIBED_AT_ONCE]))["jobs"]
    return jobs


def ends_of(attempts: Iterable[tuple[str, int]]) -> dict[tuple[str, int], ToldEnd]:
    """How attempts ended, by their job's id and their number (from 1).

    Left out are those that work, those that ended well, and those that AWS Batch has forgotten.
    """
    wanted = set(attempts)
    jobs = describe(sorted({job_id for job_id, _ in wanted}))
    ends = {(job["jobId"], number): end for job in jobs for number, end in _ends(job)}
    return {key: end for key, end in ends.items() if key in wanted and end.exit_code != 0}


def told_end(attempt: Mapping[str, Any]) -> ToldEnd:
    """One entry of a job's ``attempts``."""
    container = attempt.get("container", {})
    return ToldEnd(attempt.get("statusReason", ""), container.get("reason", ""), container.get("exitCode"))


def end_job(job: RoundJob, reason: str) -> None:
    """End what still runs; a job that has ended is left alone by AWS Batch."""
    for job_id in job.ids:
        with asking("TerminateJob"):
            client("batch").terminate_job(jobId=job_id, reason=reason[:1000])


def _ends(job: Mapping[str, Any]) -> Iterator[tuple[int, ToldEnd]]:
    """Attempts stand in the order of their numbers; one that works has neither an end nor a reason yet."""
    attempts, of_job = job.get("attempts", []), job.get("statusReason", "")
    for number, attempt in enumerate(attempts, 1):
        if not attempt.get("stoppedAt") and not attempt.get("statusReason"):
            continue
        end = told_end(attempt)
        # A job that ran out of time is not tried again: its reason is the last attempt's.
        if number == len(attempts) and job["status"] == "FAILED" and of_job.startswith(OUT_OF_TIME):
            end = replace(end, status_reason=of_job)
        yield number, end


def _listed(**arguments: Any) -> Iterator[dict[str, Any]]:
    for page in client("batch").get_paginator("list_jobs").paginate(**arguments):
        yield from page["jobSummaryList"]


def _counts(job: Mapping[str, Any]) -> Mapping[str, int]:
    """How many are in which state: its children, or itself."""
    counts: Mapping[str, int] = job.get("arrayProperties", {}).get("statusSummary") or {job["status"]: 1}
    return counts


def _count_at_work(job: Mapping[str, Any]) -> int:
    return _counts(job).get("STARTING", 0) + _counts(job).get("RUNNING", 0)


def _state(job: dict[str, Any]) -> JobState:
    status, reason, counts = job["status"], job.get("statusReason", ""), _counts(job)
    if "arrayProperties" in job and counts.get("FAILED", 0) and not _count_at_work(job):
        # The parent of an array says nothing of it, and ends long after: each child waits its own time.
        reason = _childs_reason(job["jobId"]) or reason
    return JobState(
        status=status,
        status_reason=reason[:1000],
        runnable=counts.get("RUNNABLE", 0) + counts.get("SUBMITTED", 0) + counts.get("PENDING", 0),
        starting=counts.get("STARTING", 0),
        running=counts.get("RUNNING", 0),
        succeeded=counts.get("SUCCEEDED", 0),
        failed=counts.get("FAILED", 0),
    )


def _childs_reason(parent: str) -> str:
    """Why a child was cancelled, where that was for want of machines."""
    with asking("ListJobs"):
        for child in _listed(arrayJobId=parent, jobStatus="FAILED"):
            reason = str(child.get("statusReason", ""))
            if any(part in reason for part in BLOCKED_REASONS):
                return reason
    return ""


def _together(states: list[JobState]) -> JobState:
    """One state for jobs of one name: it has ended when all of them have."""
    first = next((state for state in states if not state.ended), states[0])
    return first.model_copy(
        update={
            name: sum(getattr(state, name) for state in states)
            for name in ("runnable", "starting", "running", "succeeded", "failed")
        }
    )
