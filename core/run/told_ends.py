"""Ends of attempts as AWS Batch tells them: what kills a process without a word leaves no true record of its own.

A machine that is lost at once leaves a heartbeat only, which the next attempt can but take for a crash. A process that
is stopped at its time limit cannot tell that signal from another's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.run.attempts import attempt_without_record
from core.run.models import Attempt, Heartbeat
from core.run.progress_counts import is_overdue

HOST_LOST = "Host EC2"
"""How AWS Batch's reason begins where the machine is gone (Batch user guide, "Automated job retries")."""

OUT_OF_TIME = "Job attempt duration exceeded"
"""How it begins where an attempt had its time limit (``attemptDurationSeconds``) behind it."""

SPEAKER = "AWS Batch: "
"""Begins the detail of a record that has been held against AWS Batch's word, so that each is asked about once."""

_OPEN = ("crashed", "interrupted", "reclaimed")


@dataclass(frozen=True)
class ToldEnd:
    """One attempt's end in AWS Batch's words; ``exit_code`` is None where the container left none."""

    status_reason: str
    reason: str = ""
    exit_code: int | None = None

    @property
    def text(self) -> str:
        """Its words, each once.

        >>> ToldEnd("Essential container in task exited", "OutOfMemoryError: Container killed", 137).text
        'Essential container in task exited; OutOfMemoryError: Container killed; exit code 137'
        """
        code = "" if self.exit_code is None else f"exit code {self.exit_code}"
        return "; ".join(dict.fromkeys(part for part in (self.status_reason, self.reason, code) if part))


def open_ends(attempts: Iterable[Attempt], beats: Iterable[Heartbeat], now: float) -> tuple[Attempt, ...]:
    """The attempts of jobs whose end AWS Batch may know better than their records.

    Those that left no record are among them once their heartbeat is overdue, as their successor would record them. On
    one machine there is no job, and none of them.
    """
    recorded = list(attempts)
    known = {(attempt.partition, attempt.attempt) for attempt in recorded}
    silent = [
        attempt_without_record(beat)
        for beat in beats
        if (beat.partition, beat.attempt) not in known and is_overdue(beat, now)
    ]
    return tuple(attempt for attempt in [*recorded, *silent] if _is_open(attempt))


def told(attempt: Attempt, end: ToldEnd) -> Attempt:
    """The record with AWS Batch's word in it; ``why`` changes where that word is plain."""
    why = attempt.why
    if end.status_reason.startswith(HOST_LOST):
        why = "reclaimed"
    elif end.status_reason.startswith(OUT_OF_TIME):
        why = "timed out"
    return attempt.model_copy(update={"why": why, "detail": f"{SPEAKER}{end.text}"[:500]})


def _is_open(attempt: Attempt) -> bool:
    place = attempt.place
    if place is None or place.job is None or place.job_attempt is None:
        return False
    return attempt.why in _OPEN and not attempt.cause and not attempt.detail.startswith(SPEAKER)
