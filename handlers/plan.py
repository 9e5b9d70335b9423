"""Plan: check the submission, plan the run or take up the one that is there, and pin what it holds on to."""

from __future__ import annotations

from collections.abc import Sequence

from core.code_version import code_version
from core.cost.array_width import array_width
from core.cost.time_model import shipped_models, time_model
from core.errors import BadRequestError
from core.run.models import PlannedShard
from core.run.pins import CloudPins, pin
from core.run.submission import Submission, check_locations, read_submission
from core.run.take_up import StoredRun, plan_submission
from core.store import Store, open_store
from core.workloads.registry import build_workload, times_of
from handlers.environment import Environment, environment
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
    if submission.asked is not None:
        asked = submission.asked
        check_locations(asked, build_workload(asked.workload, asked.settings))
    store = open_store(settings.output)
    stored = _plan(store, submission, settings)
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
    facts = {"cases": cases, "shards": len(stored.shards.shards), "published": stored.published}
    logger.info("planned", extra={"run": submission.run_id, **facts})
    put_metrics(stored.request.workload, {"RunsStarted": (1, Unit.Count)})
    return PlanAnswer(
        run=RunState(
            run_id=submission.run_id,
            output=settings.output,
            job_definition=pins.job_definition,
            budget_usd=submission.budget_usd,
        )
    )


def _width(workload: str, shards: Sequence[PlannedShard]) -> int:
    return array_width(time_model(shipped_models(times_of(workload)), workload, other_machine=True), shards)


def _plan(store: Store, submission: Submission, settings: Environment) -> StoredRun:
    digest = settings.image.rpartition("@")[2] if "@" in settings.image else None
    try:
        return plan_submission(store, submission, build_workload, digest, _width)
    except BadRequestError as error:
        if error.code not in ("storage_denied", "no_credentials") or error.where.startswith(settings.output):
            raise
        granted = ", ".join(settings.source_buckets) or "none"
        raise BadRequestError(
            error.code,
            f"the functions may not read it; of other buckets they may read: {granted}",
            where=error.where,
            fix="Add it to casemill:source_buckets and deploy the stack.",
        ) from error
