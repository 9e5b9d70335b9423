"""Publish: put the findings together and publish the data set; or report what is known of a run that failed."""

from __future__ import annotations

import time

from core.cost.account import case_times
from core.cost.report import CostReport
from core.run.assemble import read_commits
from core.run.failure import NO_RUN, failure_of, report_failure, run_id_of
from core.run.layout import RunLayout
from core.run.models import Manifest, RunRequest
from core.run.plan_store import read_plan
from core.run.progress import ProgressReader, read_shards
from core.run.publish import Publication, publish
from core.run.quarantine import quarantine_messages
from core.run.report import Money, RunReport, report_publication
from core.run.submission import DEFAULT_BUDGET_USD
from core.store import Store, open_store
from core.workloads.registry import build_workload
from handlers.aws.messages import set_aside
from handlers.environment import environment
from handlers.events import Json, PublishAnswer, PublishEvent
from handlers.observability import Unit, function, logger, put_metrics
from handlers.spending import final_cost

SECONDS_AN_HOUR = 3600.0


@function(PublishEvent)
def handler(event: PublishEvent) -> PublishAnswer:
    """Publish, or report a failure; both may be done again."""
    store = open_store(environment().output)
    run_id = run_id_of(event.submission)
    report = _publish(store, run_id, event) if event.failure is None else _report_failure(store, run_id, event)
    logger.info("ended", extra={"run": run_id, "ending": report.ending, "code": report.code})
    return PublishAnswer(verified=not report.failed, report=report)


def _publish(store: Store, run_id: str, event: PublishEvent) -> RunReport:
    plan = read_plan(store, run_id)
    request = plan.request
    workload = build_workload(request.workload, request.configuration)
    publication = publish(store, plan, workload, trust="findings only")
    cost = _cost(store, run_id)
    _set_aside(store, request, publication.manifest)
    report = report_publication(store, run_id, event.execution, publication, _money(cost, event.submission))
    _tell(store, request, publication, report, cost)
    return report


def _report_failure(store: Store, run_id: str, event: PublishEvent) -> RunReport:
    assert event.failure is not None
    failure = failure_of(event.failure.error, event.failure.cause)
    known = run_id != NO_RUN and store.head(RunLayout(run_id).shards) is not None
    money = _money(_cost(store, run_id) if known else None, event.submission)
    report = report_failure(store, run_id, event.execution, failure, money)
    put_metrics(report.workload or "unknown", _ending_figures(report))
    return report


def _cost(store: Store, run_id: str) -> CostReport:
    reader = ProgressReader(store, run_id, read_shards(store, run_id))
    now = time.time()
    progress = reader.read(now)
    by_case = case_times(read_commits(store, read_plan(store, run_id))) if progress.worked else []
    return final_cost(store, run_id, progress, reader.attempts, reader.heartbeats, now, by_case)


def _money(cost: CostReport | None, submission: object) -> Money:
    given: Json = submission if isinstance(submission, dict) else {}
    budget = given.get("budget_usd", DEFAULT_BUDGET_USD)
    lost = cost.by_end.get("reclaimed") if cost else None
    return Money.model_validate(
        {
            "spent_usd": cost.total_usd if cost else None,
            "lost_usd": lost.usd if lost else None,
            "budget_usd": budget if isinstance(budget, int | float) else None,
        }
    )


def _set_aside(store: Store, request: RunRequest, manifest: Manifest) -> None:
    """Once a run: the mark comes after the messages, so that none is lost and a failure in between sends some twice."""
    mark = RunLayout(request.run_id).quarantine_sent
    if store.head(mark) is None:
        sent = set_aside(environment().quarantine_queue, quarantine_messages(request, manifest.shards))
        store.put_if_absent(mark, b"")
        logger.info("set aside", extra={"run": request.run_id, "cases": sent})


def _tell(store: Store, request: RunRequest, published: Publication, report: RunReport, cost: CostReport) -> None:
    manifest, hours = published.manifest, _hours(store, request.run_id)
    in_time = hours is not None and hours <= environment().target_hours
    done = sum(manifest.outcomes.get(name, 0) for name in ("done", "empty"))
    figures = {
        **_ending_figures(report),
        "SuccessRate": (100.0 * manifest.success_rate, Unit.Percent),
        "CasesDone": (float(done), Unit.Count),
        "CasesFailed": (float(manifest.outcomes.get("failed", 0)), Unit.Count),
        "Windows": (float(manifest.records), Unit.Count),
        "RunsWithinTarget": (100.0 * (in_time and not report.failed), Unit.Percent),
        "CasesWithinTarget": (100.0 * manifest.success_rate * in_time, Unit.Percent),
    }
    if hours is not None:
        figures["RunSeconds"] = (hours * SECONDS_AN_HOUR, Unit.Seconds)
    if cost.total_usd is not None:
        figures["CostUsd"] = (float(cost.total_usd), Unit.NoUnit)
    put_metrics(request.workload, figures)


def _ending_figures(report: RunReport) -> dict[str, tuple[float, Unit]]:
    return {
        "RunsSucceeded": (float(not report.failed), Unit.Count),
        "RunsFailed": (float(report.failed), Unit.Count),
        "VerificationsFailed": (float(report.ending == "verification failed"), Unit.Count),
        "RunsOverBudget": (float(report.ending == "over budget"), Unit.Count),
    }


def _hours(store: Store, run_id: str) -> float | None:
    """From the first attempt's start to now; None for a run without attempts."""
    reader = ProgressReader(store, run_id, read_shards(store, run_id))
    reader.read()
    first = min((attempt.started for attempt in reader.attempts), default=None)
    return None if first is None else (time.time() - first) / SECONDS_AN_HOUR
