"""A run as people name it: the path of its folder, or of its data set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.errors import BadRequestError

if TYPE_CHECKING:
    from core.store import Store

_LOCATION = re.compile(r"(?P<output>.*/|)(?P<kind>runs|datasets)/(?P<name>[^/]+)/*", re.DOTALL)
_FIX = "Give OUT/runs/RUN_ID or OUT/datasets/NAME."


def open_run(location: str) -> tuple[Store, str]:
    """The output location of ``OUT/runs/RUN_ID`` or ``OUT/datasets/NAME``, and the run's id.

    Raises
    ------
    BadRequestError
        ``bad_run``: not such a path, or a data set that no run has begun. And as :func:`core.store.open_store`.
    """
    from core.run.layout import DataSetLayout
    from core.store import open_store

    found = _LOCATION.fullmatch(location)
    if found is None:
        raise BadRequestError("bad_run", "not a run's folder", where=location, fix=_FIX)
    store = open_store(found["output"].rstrip("/") or ("/" if found["output"] else "."))
    if found["kind"] == "runs":
        return store, found["name"]
    try:
        return store, store.get(DataSetLayout.named(found["name"]).owner).decode("ascii", "replace").strip()
    except FileNotFoundError:
        raise BadRequestError("bad_run", "no run has begun this data set", where=location, fix=_FIX) from None
