"""What AWS Batch's word makes of the record of an attempt's end, and which attempts it is asked about."""

from __future__ import annotations

from typing import Any

import pytest

from core.run.attempts import attempt_without_record
from core.run.models import Attempt, Heartbeat, Place
from core.run.told_ends import ToldEnd, open_ends, told

NOW = 10_000.0
IN_A_JOB = Place(instance_type="c7i.large", capacity="spot", job="4c8599fd:3", job_attempt=2)


def attempt(why: Any, place: Place | None = IN_A_JOB, **changes: Any) -> Attempt:
    given = {"partition": 3, "attempt": 2, "started": NOW - 900, "ended": NOW - 100, "cases": 5, "shards": 0, **changes}
    return Attempt(why=why, place=place, **given)


def beat(updated: float, place: Place | None = IN_A_JOB, state: Any = "working") -> Heartbeat:
    return Heartbeat(
        partition=3, attempt=2, state=state, cases_planned=9, cases_done=5, cases_empty=0, cases_failed=0, records=30,
        bytes_in=1, seconds=800, interval=30, updated=updated, place=place,
    )  # fmt: skip


HOST = "Host EC2 (instance i-0123456789abcdef0) terminated."
LIMIT = "Job attempt duration exceeded timeout"
ENDED = "Essential container in task exited"


@pytest.mark.parametrize(
    ("recorded", "end", "why", "detail"),
    [
        ("crashed", ToldEnd(HOST), "reclaimed", f"AWS Batch: {HOST}"),
        ("interrupted", ToldEnd(HOST), "reclaimed", f"AWS Batch: {HOST}"),
        ("interrupted", ToldEnd(LIMIT, exit_code=75), "timed out", f"AWS Batch: {LIMIT}; exit code 75"),
        ("reclaimed", ToldEnd(LIMIT), "timed out", f"AWS Batch: {LIMIT}"),
        ("crashed", ToldEnd(LIMIT, exit_code=137), "timed out", f"AWS Batch: {LIMIT}; exit code 137"),
        ("reclaimed", ToldEnd(ENDED, exit_code=75), "reclaimed", f"AWS Batch: {ENDED}; exit code 75"),
        (
            "crashed",
            ToldEnd(ENDED, "OutOfMemoryError: Container killed due to memory usage", 137),
            "crashed",
            f"AWS Batch: {ENDED}; OutOfMemoryError: Container killed due to memory usage; exit code 137",
        ),
    ],
)
def test_batch_s_word_decides_where_it_is_plain_and_stands_in_the_record(
    recorded: str, end: ToldEnd, why: str, detail: str
) -> None:
    before = attempt(recorded)
    after = told(before, end)
    assert (after.why, after.detail) == (why, detail)
    assert Attempt.model_validate_json(after.to_bytes()) == after
    assert after.model_copy(update={"why": before.why, "detail": before.detail}) == before, "nothing else changes"


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (attempt("crashed"), True),
        (attempt("interrupted"), True),
        (attempt("reclaimed"), True),
        (attempt("finished"), False),
        (attempt("transient", cause="storage_busy", exit_code=75), False),
        (attempt("crashed", cause="bug KeyError", exit_code=70), False),
        (attempt("crashed", place=None), False),
        (attempt("crashed", place=Place(instance_type="c7i.large")), False),
        (told(attempt("crashed"), ToldEnd(HOST)), False),
    ],
)
def test_asked_about_are_ends_in_a_job_that_their_records_cannot_know(found: Attempt, asked: bool) -> None:
    assert open_ends([found], [], NOW) == ((found,) if asked else ())


def test_an_attempt_without_a_record_is_asked_about_when_it_is_overdue() -> None:
    silent = attempt_without_record(beat(NOW - 91))
    assert (silent.why, silent.place, silent.cases, silent.ended) == ("crashed", IN_A_JOB, 5, NOW - 91)
    assert open_ends([], [beat(NOW - 91)], NOW) == (silent,)
    assert open_ends([], [beat(NOW - 89)], NOW) == (), "it works"
    assert open_ends([attempt("finished")], [beat(NOW - 91)], NOW) == (), "its record is there"
    assert open_ends([], [beat(NOW - 91, place=None)], NOW) == (), "on one machine nobody can be asked"
