"""Executions of the state machine, as tries at runs: ``<run_id>-<n>``, a new name each time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from core.errors import BadRequestError, TransientError
from core.run.layout import RunLayout
from core.run.submission import Submission
from core.store import Store
from handlers.aws.clients import client
from handlers.command_line.account import asking
from handlers.command_line.stack import DeployedStack

MOST_RIVALS = 10
"""How many names others may take while this one looks for its own."""

RUNNING = "RUNNING"
SUCCEEDED = "SUCCEEDED"


@dataclass(frozen=True)
class Execution:
    """One try at a run; clock times, ``ended`` is None while it runs."""

    arn: str
    status: str
    started: float
    ended: float | None

    @property
    def name(self) -> str:
        """``<run_id>-<n>``, unless somebody started it by hand."""
        return self.arn.rpartition(":")[2]

    @property
    def running(self) -> bool:
        """Whether it may still change anything."""
        return self.status in (RUNNING, "PENDING_REDRIVE")


def executions_of(stack: DeployedStack, run_id: str) -> list[Execution]:
    """Every execution of a run that Step Functions remembers (90 days), the newest first."""
    found = []
    with asking("ListExecutions", f"stack {stack.name}"):
        for page in client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=stack.machine):
            for item in page["executions"]:
                execution = _execution(item)
                if _number(execution.name, run_id) is not None or (execution.running and _is_of(execution, run_id)):
                    found.append(execution)
    return sorted(found, key=lambda execution: execution.started, reverse=True)


def running_of(stack: DeployedStack, run_id: str) -> list[Execution]:
    """Those of :func:`executions_of` that run."""
    return [execution for execution in executions_of(stack, run_id) if execution.running]


def last_of(stack: DeployedStack, run_id: str) -> Execution | None:
    """The execution to look at: the one that runs, else the newest."""
    found = executions_of(stack, run_id)
    return next((execution for execution in found if execution.running), found[0] if found else None)


def needed_execution(stack: DeployedStack, run_id: str) -> Execution:
    """As :func:`last_of`.

    Raises
    ------
    BadRequestError
        ``no_execution``.
    """
    found = last_of(stack, run_id)
    if found is None:
        raise BadRequestError(
            "no_execution", f"no execution of a run {run_id!r}", where=f"stack {stack.name} in {stack.region}",
            fix="casemill submit prints the run's id; Step Functions forgets executions after 90 days.",
        )  # fmt: skip
    return found


def describe(arn: str) -> dict[str, Any]:
    """What Step Functions says of an execution."""
    with asking("DescribeExecution"):
        described: dict[str, Any] = client("stepfunctions").describe_execution(executionArn=arn)
    return described


def start(stack: DeployedStack, store: Store, submission: Submission) -> tuple[Execution, bool]:
    """Start an execution of the run; or the one that runs already, and False.

    Raises
    ------
    TransientError
        ``executions_busy``: others keep taking the names.
    """
    text = submission.model_dump_json()
    for _ in range(MOST_RIVALS):
        known = executions_of(stack, submission.run_id)
        running = next((execution for execution in known if execution.running), None)
        if running is not None:
            return running, False
        number = _next_number(store, submission.run_id, known)
        with asking("StartExecution", f"stack {stack.name}"):
            begun = _try_start(stack.machine, f"{submission.run_id}-{number}", text)
        if begun is not None:
            return begun, True
    raise TransientError(
        "executions_busy", "others keep starting executions of this run", where=f"run {submission.run_id}",
        fix="Run the same command again.",
    )  # fmt: skip


def stop(execution: Execution, cause: str) -> None:
    """End an execution; its job ends with it."""
    with asking("StopExecution", execution.name):
        client("stepfunctions").stop_execution(executionArn=execution.arn, error="Stopped", cause=cause)


def _try_start(machine: str, name: str, text: str) -> Execution | None:
    """None where the name is taken: the list of executions lags behind."""
    try:
        begun = client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input=text)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ExecutionAlreadyExists":
            return None
        raise
    return Execution(begun["executionArn"], RUNNING, begun["startDate"].timestamp(), None)


def _next_number(store: Store, run_id: str, known: Iterable[Execution]) -> int:
    """Above every number that was ever used: an end that the bucket remembers would be taken for the new one's."""
    folder = RunLayout(run_id).execution("").rpartition("/")[0]
    stored = {re.sub(r"\.\w+$", "", item.key.rpartition("/")[2]) for item in store.list(folder)}
    names = stored | {execution.name for execution in known}
    return 1 + max((number for name in names if (number := _number(name, run_id)) is not None), default=0)


def _number(name: str, run_id: str) -> int | None:
    """The ``n`` of ``<run_id>-<n>``.

    >>> _number("toy-1-12", "toy-1"), _number("toy-1-x", "toy-1")
    (12, None)
    """
    found = re.fullmatch(re.escape(run_id) + r"-([0-9]{1,15})", name)
    return int(found[1]) if found else None


def _is_of(execution: Execution, run_id: str) -> bool:
    """Whether an execution with a name of somebody's own is at this run."""
    try:
        given = json.loads(describe(execution.arn).get("input") or "null")
    except ValueError:
        return False
    return isinstance(given, dict) and given.get("run_id") == run_id


def _execution(item: dict[str, Any]) -> Execution:
    ended = item.get("stopDate")
    return Execution(
        item["executionArn"], item["status"], item["startDate"].timestamp(), ended.timestamp() if ended else None
    )
