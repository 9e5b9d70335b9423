"""Whether the source's objects are still those that a run began with.

The plan knows their sizes only, and tags are not part of a run's identity: a copy of the same recordings elsewhere has
others. So a run that is taken up, or done already, says which objects were replaced, and nothing else changes.
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


def replaced_since(store: Store, plan: Plan) -> list[str]:
    """Ids of the cases, in the order of the plan, whose object is there and is another one than at the first start.

    The first start writes the tags down.
    """
    source = open_source(plan.request.source)
    if source is None:
        return []
    now = source.tags()
    keys = {entry.case.id: entry.case.key for entry in plan.cases if entry.case.key}
    key = RunLayout(plan.request.run_id).source_tags
    try:
        then = SourceTags.model_validate_json(store.get(key)).tags
    except (FileNotFoundError, ValidationError):
        found = SourceTags(tags={name: now[name] for name in sorted(set(keys.values())) if name in now})
        store.put(key, found.to_bytes())
        return []
    return [case for case, name in keys.items() if name in then and now.get(name, then[name]) != then[name]]
