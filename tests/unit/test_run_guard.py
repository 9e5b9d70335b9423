"""The guard: when a run must stop for its budget, and what it says of the moment."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.run.guard import (
    BLOCKED_SECONDS,
    NO_PROGRESS_SECONDS,
    UNWATCHED_SECONDS,
    GuardDecision,
    GuardView,
    JobState,
    Spending,
    look,
)
from core.run.models import Attempt
from core.run.progress_counts import Progress

NOW = 100_000.0
WORKING = JobState(status="PENDING", runnable=2, running=3)


def progress(
    finished: int = 50, planned: int = 100, updated: float | None = NOW - 10, committed: int | None = None
) -> Progress:
    shards = finished // 10 if committed is None else committed
    return Progress(
        run_id="toy-1", cases_planned=planned, cases_done=finished, cases_empty=0, cases_failed=0, records=finished * 6,
        bytes_in=0, shards_planned=10, shards_committed=shards, attempts=4, ends={}, cases_worked=finished,
        records_worked=finished * 6, seconds=100.0, peak_memory_bytes=0, updated=updated, partitions=(),
    )  # fmt: skip


def attempt(why: Any, ended: float) -> Attempt:
    return Attempt(partition=0, attempt=1, started=ended - 60, ended=ended, why=why, cases=1, shards=0)


def decide(
    spending: Spending | None = None, job: JobState = WORKING, seen: Progress | None = None, **view: Any
) -> GuardDecision:
    given: dict[str, Any] = {"attempts": (), "submitted": NOW - 3000, "now": NOW, **view}
    spent = spending or Spending(budget_usd=Decimal(20))
    return look(GuardView(progress=seen or progress(), job=job, spending=spent, **given))


def usd(**amounts: str) -> Spending:
    return Spending(
        **{"budget_usd": Decimal(10), **{f"{name}_usd": Decimal(amount) for name, amount in amounts.items()}}
    )


def test_a_run_that_goes_well_is_waited_for() -> None:
    decision = decide(usd(spent="1", projected="2"))
    assert decision.action == "wait"
    facts = decision.facts
    assert (facts.cases_finished, facts.cases_planned, facts.rate, facts.left_seconds) == (50, 100, 0.5, 100.0)
    assert not facts.blocked
    assert not facts.no_progress
    assert decision.for_state() == {
        "action": "wait", "why": "50 of 100 cases are finished", "blocked": False,
        "spent_usd": 1.0, "projected_usd": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("amounts", "action"),
    [
        ({}, "wait"),
        ({"spent": "9.99"}, "wait"),
        ({"spent": "10"}, "over_budget"),
        ({"spent": "11"}, "over_budget"),
        ({"spent": "5", "projected": "10"}, "wait"),
        ({"spent": "5", "projected": "10.01"}, "over_budget"),
        ({"projected": "10.01"}, "over_budget"),
        ({"spent": "5", "projected": "10.5", "lowest": "9.5"}, "wait"),
        ({"spent": "5", "projected": "12", "lowest": "10.5"}, "over_budget"),
        ({"spent": "9.8", "next": "0.2"}, "wait"),
        ({"spent": "9.8", "next": "0.3"}, "over_budget"),
    ],
)
def test_the_budget(amounts: dict[str, str], action: str) -> None:
    decision = decide(usd(**amounts))
    assert decision.action == action
    if action == "over_budget":
        assert "$10.00" in decision.why


def test_a_projection_from_a_few_cases_stops_nobody_but_what_is_spent_does() -> None:
    for finished, planned in ((0, 100), (4, 100), (40, 1000)):
        seen = progress(finished, planned)
        assert decide(usd(spent="1", projected="99"), seen=seen).action == "wait"
        assert decide(usd(spent="10", projected="99"), seen=seen).action == "over_budget"
    assert decide(usd(spent="1", projected="99"), seen=progress(5)).action == "over_budget"


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_a_job_that_has_ended_is_done_unless_another_round_would_overspend(status: str) -> None:
    ended = JobState(status=status)
    assert decide(usd(spent="9"), job=ended).action == "done"
    assert decide(usd(spent="99"), job=ended, seen=progress(100)).action == "done", "nothing is left to pay for"
    # A look that ended the job is asked again where its answer was lost; so is one whose job ended by itself.
    assert decide(usd(spent="99"), job=ended, seen=progress(99, committed=9)).action == "over_budget"
    assert decide(usd(spent="5", projected="11"), job=ended).action == "over_budget"


def test_the_budget_stops_no_run_whose_shards_are_all_committed() -> None:
    decision = decide(usd(spent="11"), seen=progress(100))
    assert decision.action == "move_on"
    assert decision.why == "every shard is committed; $11.00 are spent, the budget is $10.00"
    assert not decision.blocked


def test_a_queue_that_gives_no_machine() -> None:
    waiting = JobState(status="PENDING", runnable=4)
    early = decide(job=waiting, seen=progress(0, updated=None), submitted=NOW - BLOCKED_SECONDS)
    assert not early.blocked
    late = decide(job=waiting, seen=progress(0, updated=None), submitted=NOW - BLOCKED_SECONDS - 1)
    assert (late.action, late.blocked) == ("wait", True)
    assert "4 jobs" in late.why
    assert not late.facts.no_progress
    for waited, action in ((BLOCKED_SECONDS + 600, "wait"), (BLOCKED_SECONDS + 601, "move_on")):
        given_up = decide(job=waiting, seen=progress(0, updated=None), submitted=NOW - waited, patience=600.0)
        assert (given_up.action, given_up.blocked) == (action, True)
    behind = {"submitted": NOW - 90_000, "patience": 600.0, "busy": NOW - BLOCKED_SECONDS}
    assert not decide(job=waiting, seen=progress(0, updated=None), **behind).blocked, "others were at work until then"
    one_works = waiting.model_copy(update={"running": 1})
    assert not decide(job=one_works, submitted=NOW - BLOCKED_SECONDS - 1).blocked


@pytest.mark.parametrize(
    "reason",
    ["CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - none", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large"],
)
@pytest.mark.parametrize("status", ["PENDING", "FAILED"])
def test_what_batch_says_of_a_blocked_queue_is_believed_at_once(reason: str, status: str) -> None:
    decision = decide(job=JobState(status=status, status_reason=reason, runnable=1))
    assert decision.blocked
    assert reason in decision.facts.blocked_reason
    assert decision.action == ("done" if status == "FAILED" else "move_on")


def test_an_ordinary_failure_is_not_a_blocked_queue() -> None:
    assert not decide(job=JobState(status="FAILED", status_reason="Array Child Job failed")).blocked


def test_no_progress_is_silence_while_machines_work() -> None:
    silent = progress(updated=NOW - NO_PROGRESS_SECONDS - 1)
    long_ago = {"submitted": NOW - 9000}
    assert decide(seen=silent, **long_ago).facts.no_progress
    assert not decide(seen=progress(updated=NOW - NO_PROGRESS_SECONDS), **long_ago).facts.no_progress
    ended_lately = (attempt("crashed", NOW - 60),)
    assert not decide(seen=silent, attempts=ended_lately, **long_ago).facts.no_progress
    assert not decide(seen=silent, job=JobState(status="SUCCEEDED"), **long_ago).facts.no_progress


def test_reclaims_of_the_last_hour() -> None:
    attempts = tuple(
        attempt(why, ended)
        for why, ended in [
            ("reclaimed", NOW - 1),
            ("reclaimed", NOW - 3599),
            ("reclaimed", NOW - 3600),
            ("crashed", NOW),
        ]
    )
    assert decide(attempts=attempts).facts.reclaims_last_hour == 2


AMOUNTS = st.none() | st.decimals(0, 100, places=4)


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 100), st.sampled_from(["PENDING", "RUNNING", "SUCCEEDED", "FAILED"]))
def test_a_run_never_works_on_when_its_budget_is_spent(
    spent: Decimal | None, projected: Decimal | None, later: Decimal | None, finished: int, status: str
) -> None:
    spending = Spending(budget_usd=Decimal(10), spent_usd=spent, projected_usd=projected, next_usd=later)
    decision = decide(spending, JobState(status=status, running=1), progress(finished))
    if spent is not None and spent >= 10:
        assert decision.action != "wait"
    if spent is None and projected is None:
        assert decision.action != "over_budget"
    if decision.action == "done":
        assert status in ("SUCCEEDED", "FAILED")
        assert spent is None or spent < 10 or finished == 100


@pytest.mark.parametrize(
    ("spent", "unknown", "expected"),
    [(None, UNWATCHED_SECONDS + 1, True), (None, UNWATCHED_SECONDS, False), (Decimal(1), 1e9, False)],
)
def test_a_budget_that_nobody_can_watch(spent: Decimal | None, unknown: float, expected: bool) -> None:
    assert Spending(budget_usd=Decimal(10), spent_usd=spent, unknown_seconds=unknown).at_risk is expected
