"""Notify: one mail at the end of every execution, whoever tells of it: the execution, or the event of its end."""

from __future__ import annotations

import json
from typing import Any, Literal

from core.run.failure import NO_RUN, failure_of, report_failure, run_id_of
from core.run.notices import ExecutionEnd, claim_end, confirm_end, mail_of, read_end
from core.run.report import RunReport
from core.store import Store, open_store
from handlers.aws.messages import send_mail
from handlers.environment import environment
from handlers.events import Json, NotifyAnswer, NotifyEvent
from handlers.observability import Unit, function, logger, put_metrics

EVENT = "Step Functions Execution Status Change"


@function(NotifyEvent)
def _notify(event: NotifyEvent) -> NotifyAnswer:
    store, run_id = open_store(environment().output), run_id_of(event.submission)
    if event.published is not None:
        return _send(store, event.published.report, "execution")
    error = event.failure
    failure = failure_of(error.error, error.cause) if error else failure_of("unknown")
    return _send(store, report_failure(store, run_id, event.execution, failure), "execution")


@function(NotifyEvent)
def _notify_of_end(event: NotifyEvent) -> NotifyAnswer:
    """The event of an end comes for every failed execution; most have told of themselves."""
    store, run_id = open_store(environment().output), run_id_of(event.submission)
    told = read_end(store, run_id, event.execution)
    if told is not None:
        return _send_claimed(store, told)
    failure = failure_of(event.failure.error if event.failure else "unknown")
    report = report_failure(store, run_id, event.execution, failure)
    put_metrics(report.workload or "unknown", {"RunsFailed": (1, Unit.Count)})
    return _send(store, report, "event")


def handler(event: Json, context: Any) -> Json:
    """Send the mail of an execution's end, once.

    ``event`` is a :class:`~handlers.events.NotifyEvent` or EventBridge's event of an execution's end.
    """
    if event.get("detail-type") != EVENT:
        return _notify(event, context)
    detail = event["detail"]
    try:
        submission = json.loads(detail.get("input") or "null")
    except ValueError:
        submission = None
    told = {"execution": detail["name"], "submission": submission, "failure": {"Error": detail["status"]}}
    return _notify_of_end(told, context)


def _send(store: Store, report: RunReport, told_by: Literal["execution", "event"]) -> NotifyAnswer:
    mail = mail_of(report, environment().stage)
    end = ExecutionEnd(
        run_id=report.run_id, execution=report.execution, ending=report.ending, told_by=told_by, mail=mail
    )
    return _send_end(store, end)


def _send_claimed(store: Store, told: ExecutionEnd) -> NotifyAnswer:
    """What the execution itself claimed to send and may not have sent."""
    return _send_end(store, told.model_copy(update={"told_by": "event"}))


def _send_end(store: Store, end: ExecutionEnd) -> NotifyAnswer:
    if not claim_end(store, end):
        return NotifyAnswer(sent=False)
    send_mail(environment().topic, end.mail)
    confirm_end(store, end.run_id, end.execution)
    logger.info("told", extra={"run": end.run_id, "ending": end.ending, "known": end.run_id != NO_RUN})
    return NotifyAnswer(sent=True)
