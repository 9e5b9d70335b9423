"""The attempts at a partition: each leaves one record, also the one that was killed without a word."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from core.errors import EXIT_BUG, CasemillError
from core.faults import classify
from core.run.layout import RunLayout
from core.run.models import Attempt, Heartbeat
from core.store import Store


@dataclass(frozen=True)
class Cause:
    """What ended an attempt: the error's code, or ``bug`` and its kind (never its words, which may quote a case),
    and the exit code of the process."""

    name: str = ""
    exit_code: int | None = None


NO_CAUSE = Cause()


def cause_of(error: Exception) -> Cause:
    """The cause of an attempt's end.

    >>> cause_of(ZeroDivisionError("age of 63.5"))
    Cause(name='bug ZeroDivisionError', exit_code=70)
    """
    found = classify(error).error if isinstance(error, MemoryError | OSError) else error
    if isinstance(found, CasemillError):
        return Cause(found.code, found.exit_code)
    return Cause(f"bug {type(error).__name__}", EXIT_BUG)


def begin_attempt(store: Store, layout: RunLayout, partition: int) -> int:
    """The number of the attempt that starts now.

    A predecessor that was killed could not write its record; its last heartbeat tells what is known of it, and the
    record is written here, as ``crashed``.
    """
    number = 1 + len(store.list(layout.attempts(partition)))
    beat = read_heartbeat(store, layout, partition)
    if beat is None or beat.attempt != number:
        return number
    store.put_if_absent(layout.attempt(partition, number), attempt_without_record(beat).to_bytes())
    return number + 1


def attempt_without_record(beat: Heartbeat) -> Attempt:
    """The record of an attempt that left a heartbeat only."""
    return Attempt(
        partition=beat.partition,
        attempt=beat.attempt,
        started=beat.updated - beat.seconds,
        ended=beat.updated,
        why="crashed",
        detail="ended without a word after its last heartbeat",
        cases=beat.cases_finished,
        restored=beat.cases_restored,
        records_restored=beat.records_restored,
        shards=0,
        place=beat.place,
    )


def read_heartbeat(store: Store, layout: RunLayout, partition: int) -> Heartbeat | None:
    """A partition's last heartbeat; None where there is none, or none that can be read."""
    try:
        return Heartbeat.model_validate_json(store.get(layout.heartbeat(partition)))
    except (FileNotFoundError, ValidationError):
        return None
