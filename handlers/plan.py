"""Plan: check the submission, plan the run or take up the one that is there, and pin what it holds on to."""

from __future__ import annotations

from core.code_version import code_version
from core.cost.array_width import array_width
from core.run.pins import CloudPins, pin
from core.run.submission import check_locations, read_submission
from core.run.take_up import plan_submission
from core.store import open_store
from core.workloads.registry import build_workload
from handlers.environment import environment
from handlers.events import PlanAnswer, PlanEvent, RunState
from handlers.observability import Unit, function, logger, put_metrics


@function(PlanEvent)
def handler(event: PlanEvent) -> PlanAnswer:
    """Plan a run; again, or twice at once, gives the same.

    Raises
    ------
    BadRequestError
        It cannot be done as asked; the message is for who asked.
    """
    settings = environment()
    submission = read_submission(event.submission)
    logger.append_keys(run=submission.run_id)
    if submission.asked is not None:
        check_locations(submission.asked)
    store = open_store(settings.output)
    digest = settings.image.rpartition("@")[2] if "@" in settings.image else None
    stored = plan_submission(store, submission, build_workload, digest, array_width)
    pins = pin(
        store,
        CloudPins(
            run_id=submission.run_id,
            stage=settings.stage,
            job_definition=settings.job_definition,
            image=settings.image,
            code_version=code_version(),
            planned_by=event.execution,
        ),
    )
    cases = sum(shard.cases for shard in stored.shards.shards)
    logger.info("planned", extra={"cases": cases, "shards": len(stored.shards.shards), "published": stored.published})
    put_metrics(stored.request.workload, {"RunsStarted": (1, Unit.Count)})
    return PlanAnswer(
        run=RunState(
            run_id=submission.run_id,
            output=settings.output,
            job_definition=pins.job_definition,
            budget_usd=submission.budget_usd,
        )
    )
