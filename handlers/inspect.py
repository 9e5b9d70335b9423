"""Inspect: what is still open, and what to do about it."""

from __future__ import annotations

from core.run.plan_store import read_request
from core.run.progress import read_shards
from core.run.rounds import next_round
from core.run.verify_groups import groups_of
from core.store import open_store
from handlers.environment import environment
from handlers.events import InspectAnswer, InspectEvent
from handlers.observability import function, logger


@function(InspectEvent)
def handler(event: InspectEvent) -> InspectAnswer:
    """Decide the next step, and write the list of its partitions."""
    settings = environment()
    store = open_store(settings.output)
    decision = next_round(store, event.run_id, event.tries, event.blocked, execution=event.execution)
    groups = groups_of(read_request(store, event.run_id), read_shards(store, event.run_id).shards)
    logger.info("inspected", extra={"run": event.run_id, **decision.model_dump()})
    return InspectAnswer(
        **decision.model_dump(), queue=settings.queue(decision.capacity), groups=list(range(len(groups)))
    )
