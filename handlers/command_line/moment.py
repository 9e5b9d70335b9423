"""One look at an execution: where its state machine stands, the round's job, and what the guard knew of the money."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.run.guard import JobState
from handlers.aws.clients import client
from handlers.aws.jobs import find_job
from handlers.command_line.account import asking
from handlers.command_line.executions import RUNNING, SUCCEEDED, Execution, describe

EVENTS_READ = 200
"""Of the history, the newest; a state's input holds what the states before it found out."""

_STAGES = {
    "Plan": "planning",
    "Inspect": "looking for what is left",
    "Work": "working",
    "Watch": "working",
    "Wait": "working",
    "Job": "working",
    "Guard": "working",
    "Verify": "verifying",
    "Publish": "publishing",
    "Notify": "sending the mail",
    "Report": "reporting a failure",
}


@dataclass(frozen=True)
class Moment:
    """An execution now. ``round`` and ``capacity`` are those of the job; dollars as the guard knew them last."""

    execution: str
    status: str
    stage: str
    error: str = ""
    cause: str = ""
    round: int | None = None
    capacity: str | None = None
    job: JobState | None = None
    budget_usd: float | None = None
    spent_usd: float | None = None
    projected_usd: float | None = None

    @property
    def running(self) -> bool:
        """Whether it may still change anything."""
        return self.status in (RUNNING, "PENDING_REDRIVE")

    @property
    def succeeded(self) -> bool:
        """Whether the run is verified and published."""
        return self.status == SUCCEEDED

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "job": None if self.job is None else self.job.model_dump(mode="json")}

    def lines(self) -> list[str]:
        """For people: the execution, its job, its money; what is not known is left out."""
        from core.cost.money import dollars_text

        where = "" if self.round is None else f", round {self.round} on {self.capacity}"
        lines = [f"execution {self.execution}: {self.status.lower().replace('_', ' ')}, {self.stage}{where}"]
        if self.job is not None:
            job = self.job
            waiting = job.runnable
            counts = f"{job.running} running, {job.starting} starting, {waiting} waiting, "
            lines.append(f"machines  {counts}{job.succeeded} succeeded, {job.failed} failed")
            if waiting and job.status_reason:
                lines.append(f"waiting   {job.status_reason}")
        if self.spent_usd is not None:
            projected = "" if self.projected_usd is None else f", about {dollars_text(self.projected_usd)} in the end"
            budget = "" if self.budget_usd is None else f"; the budget is {dollars_text(self.budget_usd)}"
            lines.append(f"spent     {dollars_text(self.spent_usd)} so far{projected}{budget}")
        return lines


def look_at(execution: Execution) -> Moment:
    """The execution as it is now: at most four calls."""
    described = describe(execution.arn)
    known = _known(_newest(execution.arn))
    inspected, guarded = known.get("inspect", {}), known.get("guard", {})
    running = described["status"] == RUNNING
    job = None
    if running and inspected.get("job_name") and known["stage"] == "working":
        with asking("looking at the job"):
            found = find_job(inspected["queue"], inspected["job_name"])
            job = found.state if found else None
    return Moment(
        execution=execution.name,
        status=described["status"],
        stage=known["stage"] if running else "ended",
        error=str(described.get("error") or ""),
        cause=str(described.get("cause") or ""),
        round=inspected.get("round") or None,
        capacity=inspected.get("capacity") if inspected.get("round") else None,
        job=job,
        budget_usd=known.get("run", {}).get("budget_usd"),
        spent_usd=guarded.get("spent_usd"),
        projected_usd=guarded.get("projected_usd"),
    )


def _newest(arn: str) -> list[dict[str, Any]]:
    with asking("GetExecutionHistory"):
        found = client("stepfunctions").get_execution_history(
            executionArn=arn, reverseOrder=True, maxResults=EVENTS_READ, includeExecutionData=True
        )
    return sorted(found["events"], key=lambda event: int(event["id"]), reverse=True)


def _known(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The newest word on each part of the state machine's state."""
    entered = (event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event)
    found: dict[str, Any] = {"stage": _stage(next(entered, ""))}
    for document in _documents(events):
        for name in ("run", "inspect", "guard"):
            part = document.get(name)
            # An inspection that found nothing left to do has no round: the last one's stays to be shown.
            if not isinstance(part, dict) or name in found:
                continue
            if {"inspect": bool(part.get("round")), "guard": "spent_usd" in part}.get(name, True):
                found[name] = part
    return found


def _documents(events: list[dict[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for event in events:
        text = event.get("stateExitedEventDetails", {}).get("output") or event.get("stateEnteredEventDetails", {}).get(
            "input"
        )
        try:
            document = json.loads(text or "null")
        except ValueError:  # cut off by Step Functions, which says so elsewhere
            continue
        if isinstance(document, dict):
            yield document


def _stage(state: str) -> str:
    """What a state of ``cdk/workflow.py`` is about.

    >>> _stage("GuardArray"), _stage("NotifyFailure"), _stage("")
    ('working', 'sending the mail', 'starting')
    """
    return next(
        (stage for word, stage in _STAGES.items() if state.startswith(word)), "working" if state else "starting"
    )
