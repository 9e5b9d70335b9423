"""A run as people name it: the path of its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import BadRequestError

if TYPE_CHECKING:
    from core.store import Store


def open_run(run: str) -> tuple[Store, str]:
    """The output location of ``OUT/runs/RUN_ID``, and the run's id.

    Raises
    ------
    BadRequestError
        ``bad_run``: not such a path. And as :func:`core.store.open_store`.
    """
    from core.store import open_store

    output, runs, run_id = run.rstrip("/").rpartition("runs/")
    if not runs or not run_id or "/" in run_id or (output and not output.endswith("/")):
        raise BadRequestError("bad_run", "not a run's folder", where=run, fix="Give OUT/runs/RUN_ID.")
    return open_store(output.rstrip("/") or ("/" if output else ".")), run_id
