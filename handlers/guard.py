"""Guard: look at a round while it works; end it before it overspends the budget."""

from __future__ import annotations

import time
from decimal import Decimal

from core.run.guard import GuardDecision, GuardView, Spending, look
from core.run.layout import RunLayout
from core.run.plan_store import read_request
from core.run.progress import ProgressReader, progress_text, read_shards
from core.store import Store, open_store
from handlers.aws.jobs import RoundJob, end_job, find_job
from handlers.environment import environment
from handlers.events import GuardAnswer, GuardEvent
from handlers.observability import Unit, function, logger, put_metrics
from handlers.spending import Spent, spent_so_far

MOST_UNSEEN = 10
"""Looks without a job of that name before it is taken for never submitted: the next inspection decides."""


@function(GuardEvent)
def handler(event: GuardEvent) -> GuardAnswer:
    """Wait, be done, or stop the round."""
    store = open_store(environment().output)
    job = find_job(event.queue, event.job_name)
    if job is None:
        done = event.unseen + 1 >= MOST_UNSEEN
        return GuardAnswer(
            action="done" if done else "wait", why="there is no such job", blocked=False, spent_usd=None,
            projected_usd=None, unseen=event.unseen + 1,
        )  # fmt: skip
    decision, spent = _look(store, event, job)
    if decision.action == "over_budget":
        end_job(job, f"Casemill: {decision.why}")
    _tell(store, event, decision)
    logger.info("looked", extra={"run": event.run_id, **decision.for_state(), "prices": len(spent.report.prices)})
    return GuardAnswer(**decision.for_state(), unseen=0)


def _look(store: Store, event: GuardEvent, job: RoundJob) -> tuple[GuardDecision, Spent]:
    reader = ProgressReader(store, event.run_id, read_shards(store, event.run_id))
    now = time.time()
    progress = reader.read(now)
    spent = spent_so_far(event.run_id, progress, reader.attempts, reader.heartbeats, now)
    store.put(RunLayout(event.run_id).progress_text, progress_text(progress).encode())
    known = spent.report.compute_usd is not None
    view = GuardView(
        progress=progress,
        attempts=reader.attempts,
        job=job.state,
        spending=Spending(
            budget_usd=Decimal(str(event.budget_usd)),
            spent_usd=spent.projection.spent_usd if known else None,
            projected_usd=spent.projection.projected_usd,
            lowest_usd=spent.projection.lowest_usd,
        ),
        submitted=job.submitted,
        now=now,
    )
    return look(view), spent


def _tell(store: Store, event: GuardEvent, decision: GuardDecision) -> None:
    facts = decision.facts
    figures = {
        "CasesFinished": (float(facts.cases_finished), Unit.Count),
        "CasesPlanned": (float(facts.cases_planned), Unit.Count),
        "ReclaimsLastHour": (float(facts.reclaims_last_hour), Unit.Count),
        "NoProgress": (float(facts.no_progress), Unit.Count),
        "QueueBlocked": (float(facts.blocked), Unit.Count),
        "OverBudget": (float(decision.action == "over_budget"), Unit.Count),
    }
    if facts.rate is not None:
        figures["CasesPerSecond"] = (facts.rate, Unit.CountPerSecond)
    if facts.spending.spent_usd is not None:
        figures["SpentUsd"] = (float(facts.spending.spent_usd), Unit.NoUnit)
    if facts.spending.projected_usd is not None:
        figures["ProjectedUsd"] = (float(facts.spending.projected_usd), Unit.NoUnit)
    put_metrics(read_request(store, event.run_id).workload, figures)
