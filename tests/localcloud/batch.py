"""AWS Batch's calls over real processes: moto keeps the queues, the definitions and the calls that look at jobs.

A job's container is a process of this machine (:mod:`tests.localcloud.jobs`); the limits that AWS checks are checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.batch.exceptions import ClientException
from moto.batch.models import BatchBackend
from moto.batch.responses import BatchResponse

from tests.localcloud.jobs import LocalJob, Machines

SMALLEST_ARRAY, LARGEST_ARRAY = 2, 10_000
MOST_DESCRIBED = 100
PAGE = 100
LARGEST_SUBMISSION_BYTES = 30 * 1024
MOST_ATTEMPTS, MOST_RULES = 10, 5
"""Limits of AWS Batch (its API reference; userguide service_limits)."""


def _submit(machines: Machines, response: BatchResponse) -> str:
    """SubmitJob, with the limits that AWS checks."""
    asked = json.loads(response.body)
    if len(response.body) > LARGEST_SUBMISSION_BYTES:
        raise ClientException("Job payload is larger than 30 KiB")
    backend: BatchBackend = response.batch_backend
    definition = backend.get_job_definition(asked["jobDefinition"])
    queue = backend.get_job_queue(asked["jobQueue"])
    if definition is None or definition.status != "ACTIVE":
        raise ClientException(f"Job definition {asked['jobDefinition']} does not exist or is not active")
    if queue is None:
        raise ClientException(f"Job queue {asked['jobQueue']} does not exist")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", asked["jobName"]):
        raise ClientException("Job name should match valid pattern")
    overrides = asked.get("containerOverrides", {})
    _refuse_reserved([*overrides.get("environment", []), *definition.container_properties.get("environment", [])])
    retry = asked.get("retryStrategy") or definition.retry_strategy or {}
    _check_retry(retry)
    size = asked.get("arrayProperties", {}).get("size")
    if size is not None and not SMALLEST_ARRAY <= size <= LARGEST_ARRAY:
        raise ClientException(f"Array size must be from {SMALLEST_ARRAY} to {LARGEST_ARRAY}, not {size}")

    def make(job_id: str | None = None) -> LocalJob:
        job = LocalJob(
            asked["jobName"], definition, queue, backend, backend.logs_backend, overrides, None, None,
            asked.get("parameters"), backend._jobs, asked.get("timeout"), {}, job_id, asked.get("tags"),
        )  # fmt: skip
        job.machines, job.retry = machines, retry
        backend._jobs[job.job_id] = job
        return job

    parent = make()
    if size is None:
        started = [parent]
    else:
        started = [make(f"{parent.job_id}:{index}") for index in range(size)]
        for index, child in enumerate(started):
            child.index = index
            # JOB_NAME filters and a queue's list show parents only.
            queue.jobs.remove(child)
        parent.children = tuple(started)
        parent._child_jobs = list(started)
    machines.jobs += started
    for job in started:
        job.start()
    return json.dumps({"jobId": parent.job_id, "jobName": asked["jobName"], "jobArn": parent.arn})


def _refuse_reserved(pairs: list[dict[str, str]]) -> None:
    reserved = sorted(pair["name"] for pair in pairs if pair["name"].startswith("AWS_BATCH"))
    if reserved:
        raise ClientException(f"Environment variables must not start with AWS_BATCH: {', '.join(reserved)}")


def _check_retry(retry: dict[str, Any]) -> None:
    if not 1 <= int(retry.get("attempts", 1)) <= MOST_ATTEMPTS or len(retry.get("evaluateOnExit", [])) > MOST_RULES:
        raise ClientException(f"1 to {MOST_ATTEMPTS} attempts and at most {MOST_RULES} rules")


def _describe(original: Callable[[BatchResponse], str], response: BatchResponse) -> str:
    if len(response._get_param("jobs") or ()) > MOST_DESCRIBED:
        raise ClientException(f"At most {MOST_DESCRIBED} jobs can be described at once")
    return original(response)


def _list(original: Callable[[BatchResponse], str], response: BatchResponse) -> str:
    """ListJobs: RUNNING only where no state is given, and pages of at most 100."""
    asked = json.loads(response.body)
    found = json.loads(original(response))["jobSummaryList"]
    if not asked.get("filters"):
        found = [job for job in found if job["status"] == (asked.get("jobStatus") or "RUNNING")]
    first, size = int(asked.get("nextToken") or 0), min(int(asked.get("maxResults") or PAGE), PAGE)
    page = {"jobSummaryList": found[first : first + size]}
    return json.dumps(page | ({"nextToken": str(first + size)} if first + size < len(found) else {}))


@contextmanager
def batch_on(machines: Machines) -> Iterator[None]:
    """Let moto's Batch run its jobs on these machines."""
    describe, listing = BatchResponse.describejobs, BatchResponse.listjobs
    with (
        patch.object(BatchResponse, "submitjob", lambda response: _submit(machines, response)),
        patch.object(BatchResponse, "describejobs", lambda response: _describe(describe, response)),
        patch.object(BatchResponse, "listjobs", lambda response: _list(listing, response)),
    ):
        try:
            yield
        finally:
            machines.stop_all()
