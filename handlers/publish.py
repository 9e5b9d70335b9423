"""Publish: put the findings together and publish the data set; or report what is known of a run that failed."""

from __future__ import annotations

import time

from core.cost.account import case_times
from core.cost.report import CostReport
from core.errors import BadRequestError, IntegrityError
from core.run.assemble import read_commits
from core.run.failure import NO_RUN, Failure, failure_of, report_failure, run_id_of
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import Manifest, RunRequest
from core.run.plan import Plan
from core.run.plan_store import read_plan, read_request
from core.run.progress import ProgressReader, read_shards
from core.run.publish import Publication, publish, read_success
from core.run.quarantine import quarantine_messages
from core.run.report import Money, RunReport, report_publication
from core.run.submission import DEFAULT_BUDGET_USD
from core.store import Store, open_store
from core.workloads.registry import build_workload
from handlers.aws.messages import set_aside
from handlers.ends import look_at
from handlers.environment import environment
from handlers.events import Json, PublishAnswer, PublishEvent
from handlers.observability import Figures, Unit, function, logger, put_metrics
from handlers.page import leave_page
from handlers.spending import Seen, final_cost

SECONDS_AN_HOUR = 3600.0


@function(PublishEvent)
def handler(event: PublishEvent) -> PublishAnswer:
    """Publish, or report a failure; both may be done again."""
    store = open_store(environment().output)
    run_id = run_id_of(event.submission)
    report = _publish(store, run_id, event) if event.failure is None else _report_failure(store, run_id, event)
    report = leave_page(store, report)
    logger.info("ended", extra={"run": run_id, "ending": report.ending, "code": report.code})
    return PublishAnswer(verified=not report.failed, report=report)


def _publish(store: Store, run_id: str, event: PublishEvent) -> RunReport:
    plan = read_plan(store, run_id)
    request = plan.request
    workload = build_workload(request.workload, request.configuration)
    earlier = read_success(store, DataSetLayout.named(request.data_set))
    publication = publish(store, plan, workload, trust="findings only")
    seen = look_at(store, ProgressReader(store, run_id, plan.shards), time.time())
    cost = _cost_of_cases(store, plan, seen)
    _set_aside(store, request, publication.manifest)
    report = report_publication(store, run_id, event.execution, publication, _money(cost, event.submission))
    again = earlier is not None and earlier.run_id == run_id
    put_metrics(request.workload, _figures(publication, report, cost, hours_taken(seen, again)))
    return report


def _report_failure(store: Store, run_id: str, event: PublishEvent) -> RunReport:
    assert event.failure is not None
    failure = failure_of(event.failure.error, event.failure.cause)
    money = _money(_cost_if_known(store, run_id), event.submission)
    report = report_failure(store, run_id, event.execution, failure, money)
    put_metrics(report.workload or "unknown", {**_ending_figures(report), **_missed_target(failure)})
    return report


def _cost_of_cases(store: Store, plan: Plan, seen: Seen) -> CostReport:
    return final_cost(store, plan.request, seen, case_times(read_commits(store, plan)))


def _cost_if_known(store: Store, run_id: str) -> CostReport | None:
    """What was spent; None where the run was never planned or its documents are damaged, which the report tells."""
    if run_id == NO_RUN:
        return None
    try:
        request, shards = read_request(store, run_id), read_shards(store, run_id)
        return final_cost(store, request, look_at(store, ProgressReader(store, run_id, shards), time.time()))
    except (BadRequestError, IntegrityError) as error:
        logger.warning("no cost", extra={"run": run_id, "code": error.code})
        return None


def _money(cost: CostReport | None, submission: object) -> Money:
    given: Json = submission if isinstance(submission, dict) else {}
    budget = given.get("budget_usd", DEFAULT_BUDGET_USD)
    lost = cost.by_end.get("reclaimed") if cost else None
    return Money.model_validate(
        {
            "spent_usd": cost.total_usd if cost and cost.compute_usd is not None else None,
            "lost_usd": lost.usd if lost else None,
            "budget_usd": budget if isinstance(budget, int | float) else None,
            "unknown_seconds": sum(line.unknown_seconds for line in cost.by_end.values()) if cost else 0.0,
        }
    )


def _set_aside(store: Store, request: RunRequest, manifest: Manifest) -> None:
    """Once a run: the mark comes after the messages, so that none is lost and a failure in between sends some twice."""
    mark = RunLayout(request.run_id).quarantine_sent
    if store.head(mark) is None:
        sent = set_aside(environment().quarantine_queue, quarantine_messages(request, manifest.shards))
        store.put_if_absent(mark, b"")
        logger.info("set aside", extra={"run": request.run_id, "cases": sent})


def hours_taken(seen: Seen, published_before: bool) -> float | None:
    """From the first attempt's start to now, or to the last one's end where the data set was published before.

    None for a run without attempts.
    """
    if not seen.attempts:
        return None
    until = max(attempt.ended for attempt in seen.attempts) if published_before else seen.now
    return max(0.0, until - min(attempt.started for attempt in seen.attempts)) / SECONDS_AN_HOUR


def _figures(published: Publication, report: RunReport, cost: CostReport, hours: float | None) -> Figures:
    manifest = published.manifest
    in_time = hours is not None and hours <= environment().target_hours and not report.failed
    figures: Figures = {
        **_ending_figures(report),
        "SuccessRate": (100.0 * manifest.success_rate, Unit.Percent),
        "CasesDone": (float(sum(manifest.outcomes.get(name, 0) for name in ("done", "empty"))), Unit.Count),
        "CasesFailed": (float(manifest.outcomes.get("failed", 0)), Unit.Count),
        "Records": (float(manifest.records), Unit.Count),
        "RunsWithinTarget": (100.0 * in_time, Unit.Percent),
        "CasesWithinTarget": (100.0 * manifest.success_rate * in_time, Unit.Percent),
    }
    if hours is not None:
        figures["RunSeconds"] = (hours * SECONDS_AN_HOUR, Unit.Seconds)
    if cost.compute_usd is not None and cost.total_usd is not None:
        figures["CostUsd"] = (float(cost.total_usd), Unit.NoUnit)
    return figures


def _ending_figures(report: RunReport) -> Figures:
    return {
        "RunsSucceeded": (float(not report.failed), Unit.Count),
        "RunsFailed": (float(report.failed), Unit.Count),
        "VerificationsFailed": (float(report.ending == "verification failed"), Unit.Count),
        "RunsOverBudget": (float(report.ending == "over budget"), Unit.Count),
    }


def _missed_target(failure: Failure) -> Figures:
    """A run that broke has missed its target; one that was refused or stopped by somebody had none."""
    if failure.ending in ("bad request", "stopped"):
        return {}
    return {"RunsWithinTarget": (0.0, Unit.Percent), "CasesWithinTarget": (0.0, Unit.Percent)}
