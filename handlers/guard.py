"""Guard: look at a round while it works; end it before it overspends the budget, or where it finds no machine."""

from __future__ import annotations

import time

from core.run.guard import GuardDecision, GuardView, look
from core.run.layout import RunLayout
from core.run.plan_store import read_request
from core.run.progress import ProgressReader, progress_text, read_shards
from core.store import Store, open_store
from handlers.aws.jobs import RoundJob, end_job, find_job, others_work
from handlers.ends import look_at
from handlers.environment import environment
from handlers.events import GuardAnswer, GuardEvent
from handlers.observability import Figures, Unit, function, logger, put_metrics
from handlers.spending import spent_so_far

UNSEEN_SECONDS = 600.0
"""This long without a job of that name it is taken for never submitted, and the next inspection decides. Submitting is
tried again for up to six minutes (``cdk/workflow.py``), and a job that nobody watches may cost anything."""

_readers: dict[tuple[str, str, str | None], ProgressReader] = {}
"""A warm function reads what cannot change any more only once. By the run and the tag of its pins, which name the
execution that planned it: a run that was removed and planned afresh is another."""


@function(GuardEvent)
def handler(event: GuardEvent) -> GuardAnswer:
    """Wait, be done, move on, or stop the round."""
    store = open_store(environment().output)
    job = find_job(event.queue, event.job_name)
    if job is None:
        unseen = event.unseen + 1
        gone = unseen * environment().guard_seconds >= UNSEEN_SECONDS
        return GuardAnswer(
            action="done" if gone else "wait", why="there is no such job", blocked=False,
            spent_usd=None, projected_usd=None, unseen=unseen, busy=event.busy,
        )  # fmt: skip
    now = time.time()
    others = job.state.waits_untold and others_work(event.queue, job.ids)
    busy = now if others else event.busy
    decision = _look(store, event, job, now, busy)
    if decision.action in ("over_budget", "move_on") and not job.state.ended:
        end_job(job, f"Casemill: {decision.why}")
    put_metrics(read_request(store, event.run_id).workload, _figures(decision))
    logger.info("looked", extra={"run": event.run_id, "round": event.round, **decision.for_state()})
    return GuardAnswer(**decision.for_state(), unseen=0, busy=busy)


def _look(store: Store, event: GuardEvent, job: RoundJob, now: float, busy: float) -> GuardDecision:
    seen = look_at(store, _reader(store, event.run_id), now)
    store.put(RunLayout(event.run_id).progress_text, progress_text(seen.progress).encode())
    return look(
        GuardView(
            progress=seen.progress,
            attempts=seen.attempts,
            job=job.state,
            spending=spent_so_far(seen, event.budget_usd),
            submitted=job.submitted,
            now=seen.now,
            busy=busy,
            patience=environment().stuck_seconds,
        )
    )


def _reader(store: Store, run_id: str) -> ProgressReader:
    info = store.head(RunLayout(run_id).pins)
    key = (store.uri, run_id, info.e_tag if info else None)
    if key not in _readers:
        _readers.clear()
        _readers[key] = ProgressReader(store, run_id, read_shards(store, run_id))
    return _readers[key]


def _figures(decision: GuardDecision) -> Figures:
    facts, spending = decision.facts, decision.facts.spending
    figures: Figures = {
        "CasesFinished": (float(facts.cases_finished), Unit.Count),
        "CasesPlanned": (float(facts.cases_planned), Unit.Count),
        "ReclaimsLastHour": (float(facts.reclaims_last_hour), Unit.Count),
        "NoProgress": (float(facts.no_progress), Unit.Count),
        "QueueBlocked": (float(facts.blocked), Unit.Count),
        "BudgetAtRisk": (float(decision.action == "over_budget" or spending.at_risk), Unit.Count),
    }
    if facts.rate is not None:
        figures["CasesPerSecond"] = (facts.rate, Unit.CountPerSecond)
    if spending.spent_usd is not None:
        figures["SpentUsd"] = (float(spending.spent_usd), Unit.NoUnit)
    if spending.projected_usd is not None:
        figures["ProjectedUsd"] = (float(spending.projected_usd), Unit.NoUnit)
    return figures
