"""A run as it stands, with the ends of its attempts held against AWS Batch's word (:mod:`core.run.told_ends`)."""

from __future__ import annotations

from core.errors import BugError, TransientError
from core.run.layout import RunLayout
from core.run.models import Attempt
from core.run.progress import ProgressReader
from core.run.told_ends import open_ends, told
from core.store import Store
from handlers.aws.jobs import ends_of
from handlers.observability import logger
from handlers.spending import Seen


def look_at(store: Store, reader: ProgressReader, now: float) -> Seen:
    """What the store tells at the clock time ``now``, after the records of attempts were put right.

    A word that cannot be had leaves the record as it is, and so does a job that AWS Batch has forgotten; errors as
    :class:`~core.run.progress.ProgressReader`.
    """
    seen = Seen.by(reader, now)
    right = _put_right(store, seen)
    if not right:
        return seen
    reader.forget(right)
    return Seen.by(reader, now)


def _put_right(store: Store, seen: Seen) -> list[Attempt]:
    layout = RunLayout(seen.run_id)
    right = _told(seen)
    recorded = {(attempt.partition, attempt.attempt) for attempt in seen.attempts}
    for attempt in right:
        key, data = layout.attempt(attempt.partition, attempt.attempt), attempt.to_bytes()
        if (attempt.partition, attempt.attempt) in recorded:
            store.put(key, data)
        else:
            # Its own record may have come since; what a worker says of itself comes first.
            store.put_if_absent(key, data)
    return right


def _told(seen: Seen) -> list[Attempt]:
    open_ = [
        ((attempt.place.job or "", attempt.place.job_attempt or 0), attempt)
        for attempt in open_ends(seen.attempts, seen.beats, seen.now)
        if attempt.place is not None
    ]
    try:
        ends = ends_of(key for key, _ in open_)
    except (TransientError, BugError) as error:
        said = {"run": seen.run_id, "code": error.code, "said": error.what}
        logger.warning("no word on the ends of attempts", extra=said)
        return []
    return [told(attempt, ends[key]) for key, attempt in open_ if key in ends]
