"""In what two runs differ that want the same name."""

from __future__ import annotations

from core.leaves import differing
from core.run.models import RunRequest

_WITHIN = ("configuration", "selection")
"""Parts whose settings people know by their own names."""

_IN_WORDS = {"code_version": "the code", "image_digest": "the image", "thresholds.salt": "salt"}
_FOLLOW = ("run_id", "data_set", "schema", "thresholds", "plan_sha256", "notes")
"""What comes of the settings and of what is in the source."""

OF_THE_SOURCE = "what is in the source or the clinical table"


def what_differs(one: RunRequest, other: RunRequest) -> tuple[str, ...]:
    """Names of the settings that differ, in the order of ``run.json`` and last what only the other has; their values
    may be long, and are left out."""
    found = differing(one.model_dump(mode="json", by_alias=True), other.model_dump(mode="json", by_alias=True))
    names = dict.fromkeys(filter(None, map(_name, found)))
    return tuple(names) or (OF_THE_SOURCE,)


def _name(path: str) -> str:
    if path in _IN_WORDS:
        return _IN_WORDS[path]
    part, _, rest = path.partition(".")
    if part in _FOLLOW:
        return ""
    return rest.partition(".")[0] if part in _WITHIN else part
