"""Verify: read back one group of shards."""

from __future__ import annotations

from core.run.findings import verify_group
from core.store import open_store
from core.workloads.registry import build_workload
from handlers.environment import environment
from handlers.events import VerifyAnswer, VerifyEvent
from handlers.observability import function, logger


@function(VerifyEvent)
def handler(event: VerifyEvent) -> VerifyAnswer:
    """Verify a group and keep its findings; what is wrong is a finding, no error."""
    found = verify_group(open_store(environment().output), event.run_id, event.group, build_workload)
    logger.info("verified", extra={"run": event.run_id, "group": event.group, "problems": found.problems})
    return VerifyAnswer(group=event.group, shards=len(found.shards), problems=found.problems)
