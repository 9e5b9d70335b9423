"""Whether the source's objects are still those that a run began with.

The plan knows their sizes only, and tags are not part of a run's identity: a copy of the same recordings elsewhere has
others. So a run says which objects were replaced since its first start, and nothing else changes.
"""

from __future__ import annotations

from pydantic import ValidationError

from core.run.layout import RunLayout
from core.run.models import Document
from core.run.plan import Plan
from core.run.source import open_source
from core.store import Store


class SourceTags(Document):
    """``plan/source.json``: the tag of every object that a case reads, as the run's first start found it."""

    tags: dict[str, str]


def remember(store: Store, plan: Plan) -> None:
    """Write down what the source's objects are, unless an earlier start did."""
    key = RunLayout(plan.request.run_id).source_tags
    source = open_source(plan.request.source)
    if source is not None and store.head(key) is None:
        now = source.tags()
        wanted = sorted({entry.case.key for entry in plan.cases if entry.case.key})
        store.put(key, SourceTags(tags={name: now[name] for name in wanted if name in now}).to_bytes())


def replaced(store: Store, plan: Plan) -> list[str]:
    """Ids of the cases, in the order of the plan, whose object is there and is another one than :func:`remember` found:
    replaced, or still being written when its case was read."""
    source = open_source(plan.request.source)
    if source is None:
        return []
    try:
        then = SourceTags.model_validate_json(store.get(RunLayout(plan.request.run_id).source_tags)).tags
    except (FileNotFoundError, ValidationError):
        return []
    now = source.tags()
    keys = {entry.case.id: entry.case.key for entry in plan.cases if entry.case.key}
    return [case for case, name in keys.items() if name in then and now.get(name, then[name]) != then[name]]
