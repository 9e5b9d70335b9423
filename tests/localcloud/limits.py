"""What AWS refuses and the emulator would take: sizes, numbers, names and characters of requests.

Each limit has its source beside it; those that moto keeps itself are not here, and ``test_limits.py`` shows both kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.localcloud.requests import Application, Request, read_request, refuse

STATE_BYTES = 262_144
"""Of an execution's input, and of what a state takes and gives (Step Functions quotas)."""

HISTORY_EVENTS = 25_000
"""Of one execution (Step Functions quotas)."""

SUBJECT_CHARACTERS = 100
"""Of a mail (SNS API, Publish): ASCII, begun by a letter, a number or a punctuation mark, no control character."""

REASON_CHARACTERS = 1024
"""For ending a job (Batch API, TerminateJob)."""

JOBS_ENDED_AT_ONCE = 50
"""Batch API, TerminateJobs and CancelJobs."""

SHORTEST_ATTEMPT_SECONDS = 60
"""Batch API, JobTimeout."""

DEFINITION_BYTES = 24 * 1024
"""Of a job definition (Batch guide, service quotas)."""

EVENT_BYTES = 6 * 1024 * 1024
"""What a function is called with (Lambda quotas)."""

VARIABLES_BYTES = 4096
"""Names and values of a function's environment together (Lambda quotas)."""

ROLE_POLICY_CHARACTERS = 10_240
"""Of all inline policies of a role, white space not counted (IAM quotas)."""

TEMPLATE_BYTES, TEMPLATE_RESOURCES = 1_048_576, 500
"""Of a template in a bucket (CloudFormation quotas)."""


_EXECUTION_NAME = r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]{1,80}"
"""Step Functions API, StartExecution."""


class LimitError(AssertionError):
    """AWS would not have taken it."""


@dataclass(frozen=True)
class LimitedApplication:
    """An application that refuses what AWS would."""

    application: Application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = read_request(environ)
        if request is None:
            return self.application(environ, start_response)
        found = next(complaints(request), None)
        if found is None:
            return self.application(environ, start_response)
        code, message = found
        return refuse(environ, start_response, request.service, code, message, "400 Bad Request")


def complaints(request: Request) -> Iterator[tuple[str, str]]:
    """Error code and message of each limit that a request breaks."""
    check = _CHECKS.get(f"{request.service}:{request.action}")
    return check(request.fields) if check else iter(())


def check_variables(function: str, variables: dict[str, str]) -> None:
    """A function's environment.

    Raises
    ------
    LimitError
        Too large, or a name that Lambda keeps for itself.
    """
    size = sum(len(f"{name}{value}".encode()) for name, value in variables.items())
    if size > VARIABLES_BYTES:
        raise LimitError(f"{function}: {size} bytes of environment variables; Lambda takes {VARIABLES_BYTES}")
    kept = sorted(name for name in variables if name.startswith(("AWS_LAMBDA_", "AWS_REGION", "AWS_DEFAULT_REGION")))
    if kept:
        raise LimitError(f"{function}: Lambda keeps {', '.join(kept)} for itself")


def check_policies(role: str, documents: Iterable[str]) -> None:
    """All inline policies of a role.

    Raises
    ------
    LimitError
        Too large together.
    """
    size = sum(len(re.sub(r"\s", "", document)) for document in documents)
    if size > ROLE_POLICY_CHARACTERS:
        raise LimitError(f"{role}: {size} characters of inline policies; IAM takes {ROLE_POLICY_CHARACTERS}")


def check_template(template: str, resources: int) -> None:
    """A stack's template.

    Raises
    ------
    LimitError
        Too large, or too many resources.
    """
    if len(template.encode()) > TEMPLATE_BYTES or resources > TEMPLATE_RESOURCES:
        raise LimitError(f"a template of {len(template.encode())} bytes with {resources} resources")


def check_history(arn: str, events: Iterable[dict[str, Any]]) -> None:
    """What an execution's states took and gave, and how much was written down of it.

    Raises
    ------
    LimitError
        A state over 256 KiB, or a history that is too long.
    """
    listed = list(events)
    for event in listed:
        for details in ("stateEnteredEventDetails", "stateExitedEventDetails"):
            for side in ("input", "output"):
                text = event.get(details, {}).get(side) or ""
                if len(text.encode()) > STATE_BYTES:
                    name = event[details].get("name")
                    raise LimitError(f"{arn}: {side} of {name} is over {STATE_BYTES} bytes (States.DataLimitExceeded)")
    if len(listed) > HISTORY_EVENTS:
        raise LimitError(f"{arn}: {len(listed)} events in its history; Step Functions ends it after {HISTORY_EVENTS}")


def _start_execution(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name = fields.get("name")
    if name is not None and not re.fullmatch(_EXECUTION_NAME, name):
        yield "InvalidName", f"Invalid Name: '{name}'"
    if len(str(fields.get("input") or "").encode()) > STATE_BYTES:
        yield "ValidationException", f"Member must have length less than or equal to {STATE_BYTES} (input)"


def _publish(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    subject = fields.get("Subject")
    if subject is not None and not re.fullmatch(rf"[\x21-\x7e][\x20-\x7e]{{0,{SUBJECT_CHARACTERS - 1}}}", subject):
        yield "InvalidParameter", "Invalid parameter: Subject"


def _end_job(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not fields.get("reason"):
        yield "ClientException", "Reason must be provided"
    elif len(fields["reason"]) > REASON_CHARACTERS:
        yield "ClientException", f"Reason must not be longer than {REASON_CHARACTERS} characters"


def _end_jobs(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not 1 <= len(fields.get("jobs") or ()) <= JOBS_ENDED_AT_ONCE:
        yield "ClientException", f"1 to {JOBS_ENDED_AT_ONCE} jobs can be ended at once"
    yield from _end_job(fields)


def _list_jobs(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if sum(bool(fields.get(name)) for name in ("jobQueue", "arrayJobId", "multiNodeJobId")) != 1:
        yield "ClientException", "Exactly one of jobQueue, arrayJobId and multiNodeJobId must be given"
    if len(fields.get("filters") or ()) > 1:
        yield "ClientException", "Only one filter can be used at a time"
    if fields.get("filters") and fields.get("arrayJobId"):
        yield "ClientException", "Filters do not apply to child jobs of an array"


def _timeout(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    seconds = (fields.get("timeout") or {}).get("attemptDurationSeconds")
    if seconds is not None and seconds < SHORTEST_ATTEMPT_SECONDS:
        yield "ClientException", f"attemptDurationSeconds must be at least {SHORTEST_ATTEMPT_SECONDS}"


def _definition(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if len(str(fields).encode()) > DEFINITION_BYTES:
        yield "ClientException", "A job definition must not be larger than 24 KiB"
    names = [pair["name"] for pair in (fields.get("containerProperties") or {}).get("environment", ())]
    if any(name.startswith("AWS_BATCH") for name in names):
        yield "ClientException", "Environment variables must not start with AWS_BATCH"
    yield from _timeout(fields)


def _invoke(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if fields["PayloadBytes"] > EVENT_BYTES:
        yield "RequestTooLargeException", f"Request must be smaller than {EVENT_BYTES} bytes"


_CHECKS: dict[str, Callable[[dict[str, Any]], Iterator[tuple[str, str]]]] = {
    "batch:ListJobs": _list_jobs,
    "batch:RegisterJobDefinition": _definition,
    "batch:SubmitJob": _timeout,
    "batch:TerminateJob": _end_job,
    "batch:TerminateJobs": _end_jobs,
    "batch:CancelJob": _end_job,
    "batch:CancelJobs": _end_jobs,
    "lambda:InvokeFunction": _invoke,
    "sns:Publish": _publish,
    "states:StartExecution": _start_execution,
}
