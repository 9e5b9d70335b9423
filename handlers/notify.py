"""Notify: one mail at the end of every execution, whoever tells of it: the execution, or the event of its end."""

from __future__ import annotations

import json
from typing import Any, Literal

from core.run.failure import NO_RUN, Failure, failure_of, report_failure, run_id_of
from core.run.notices import ExecutionEnd, claim_end, confirm_end, mail_of, read_end
from core.run.report import RunReport
from core.run.rounds import jobs_begun
from core.store import Store, open_store
from handlers.aws.jobs import end_job, find_job
from handlers.aws.messages import send_mail
from handlers.environment import environment
from handlers.events import EndDetail, EndEvent, Json, NotifyAnswer, NotifyEvent
from handlers.observability import Unit, function, logger, put_metrics
from handlers.page import leave_page


def handler(event: Json, context: Any) -> Json:
    """Send the mail of an execution's end, once.

    ``event`` is a :class:`~handlers.events.NotifyEvent` or EventBridge's :class:`~handlers.events.EndEvent`.
    """
    return (_notify_of_end if "detail-type" in event else _notify)(event, context)


@function(NotifyEvent)
def _notify(event: NotifyEvent) -> NotifyAnswer:
    store, run_id = open_store(environment().output), run_id_of(event.submission)
    if event.published is not None:
        return _send(store, event.published.report, "execution")
    told = event.failure
    failure = failure_of(told.error, told.cause) if told else failure_of("unknown")
    return _send_alone(store, _report_alone(store, run_id, event.execution, failure), "execution")


@function(EndEvent)
def _notify_of_end(event: EndEvent) -> NotifyAnswer:
    """The event of an end comes for every failed execution; most have told of themselves."""
    store, detail = open_store(environment().output), event.detail
    run_id = run_id_of(_submission(detail))
    try:
        return _tell_of_end(store, run_id, detail)
    finally:
        # Neither waits for the other's success; what fails makes Lambda call again.
        _end_jobs(store, run_id, detail.name)


def _end_jobs(store: Store, run_id: str, execution: str) -> None:
    """End what the execution left at work: nobody watches it any more, and it may cost anything. Step Functions itself
    ends the one job that it knows of, "best effort", where an execution is stopped or a branch fails (guide, "Run a
    job")."""
    settings = environment()
    for name in jobs_begun(store, run_id, execution):
        for queue in (settings.spot_queue, settings.on_demand_queue):
            job = find_job(queue, name)
            if job is not None and not job.state.ended:
                end_job(job, f"Casemill: execution {execution} has ended")
                logger.warning("ended a job", extra={"run": run_id, "job": name})


def _tell_of_end(store: Store, run_id: str, detail: EndDetail) -> NotifyAnswer:
    told = read_end(store, run_id, detail.name)
    if told is not None:
        # What the execution claimed to send, and may not have sent.
        return _send_end(store, told.model_copy(update={"told_by": "event"}))
    return _send_alone(store, _report_alone(store, run_id, detail.name, _failure(detail)), "event")


def _report_alone(store: Store, run_id: str, execution: str, failure: Failure) -> RunReport:
    """Report and count a failure that publish has told nobody of."""
    report = report_failure(store, run_id, execution, failure)
    put_metrics(report.workload or "unknown", {"RunsFailed": (1, Unit.Count)})
    return report


def _send_alone(store: Store, report: RunReport, told_by: Literal["execution", "event"]) -> NotifyAnswer:
    """The mail first: the page may take the rest of the time."""
    answer = _send(store, report, told_by)
    leave_page(store, report)
    return answer


def _submission(detail: EndDetail) -> object:
    try:
        return json.loads(detail.input or "null")
    except ValueError:
        return None


def _failure(detail: EndDetail) -> Failure:
    """A failed execution names its error; of the others the status says all."""
    if detail.status == "FAILED":
        return failure_of(detail.error or detail.status, detail.cause or "")
    return failure_of(detail.status)


def _send(store: Store, report: RunReport, told_by: Literal["execution", "event"]) -> NotifyAnswer:
    mail = mail_of(report, environment().stage)
    end = ExecutionEnd(
        run_id=report.run_id, execution=report.execution, ending=report.ending, told_by=told_by, mail=mail
    )
    return _send_end(store, end)


def _send_end(store: Store, end: ExecutionEnd) -> NotifyAnswer:
    if not claim_end(store, end):
        return NotifyAnswer(sent=False)
    send_mail(environment().topic, end.mail)
    confirm_end(store, end.run_id, end.execution)
    logger.info("told", extra={"run": end.run_id, "ending": end.ending, "known": end.run_id != NO_RUN})
    return NotifyAnswer(sent=True)
