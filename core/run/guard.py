"""The guard: while a job works, whether to go on, and the figures of the moment. Pure; everything is handed in."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from core.run.models import Attempt, Document, Json
from core.run.progress_counts import Progress

PROJECTION_CASES = 5
"""A projection from fewer cases, or from less than ``PROJECTION_SHARE`` of them, stops nobody: what is spent does."""

PROJECTION_SHARE = 0.05
RECLAIM_WINDOW_SECONDS = 3600.0
NO_PROGRESS_SECONDS = 1800.0
"""No case, no start, no end of an attempt for this long while machines work is worth an alarm."""

UNWATCHED_SECONDS = 900.0
"""Of machines at work without any price that is known: somebody must look, for no budget stops them."""

BLOCKED_SECONDS = 900.0
"""This long with children waiting and nobody at work in the queue, no machine is coming; one starts within minutes."""

BLOCKED_REASONS = ("CAPACITY:", "MISCONFIGURATION:", "SERVICE_ROLE_PERMISSIONS")
"""How the reason begins that AWS Batch gives a job at the head of a blocked queue (Batch user guide, "Jobs stuck in
RUNNABLE")."""

_ENDED = ("SUCCEEDED", "FAILED")
_SMALLEST_SHOWN = Decimal("0.0001")


class JobState(Document):
    """A job in AWS Batch's words; the counts are its children's, or its own where it is no array.

    ``status_reason`` is the job's, or that of a child that was cancelled because the queue is blocked.
    """

    status: str
    status_reason: str = ""
    runnable: int = 0
    starting: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing of it will run any more."""
        return self.status in _ENDED

    @property
    def at_work(self) -> int:
        """How many have a machine."""
        return self.starting + self.running

    @property
    def waits_untold(self) -> bool:
        """Whether it waits for machines, and AWS Batch does not say that the queue is blocked: it may be its turn
        that has not come."""
        return not self.ended and bool(self.runnable) and not self.at_work and not self.is_told

    @property
    def is_told(self) -> bool:
        """Whether AWS Batch itself says that the queue is blocked."""
        return any(part in self.status_reason for part in BLOCKED_REASONS)


class Spending(Document):
    """Dollars of the run; None is unknown.

    ``lowest_usd`` is what the whole run costs if all that is in hand goes well; where it is known, it decides and not
    ``projected_usd``. ``next_usd`` is what is spent until the guard looks again. ``unknown_seconds`` of the attempts
    have no price.
    """

    budget_usd: Decimal
    spent_usd: Decimal | None = None
    projected_usd: Decimal | None = None
    lowest_usd: Decimal | None = None
    next_usd: Decimal | None = None
    unknown_seconds: float = 0.0

    @property
    def unwatched(self) -> bool:
        """Whether machines worked and nothing of it has a price: the budget stops nobody."""
        return self.spent_usd is None and self.unknown_seconds > 0

    @property
    def at_risk(self) -> bool:
        """Whether that has gone on for too long to be a request for a price that failed once."""
        return self.unwatched and self.unknown_seconds > UNWATCHED_SECONDS


class GuardFacts(Document):
    """The moment's figures; rates per second, times in seconds, None is unknown."""

    cases_planned: int
    cases_finished: int
    cases_failed: int
    shards_planned: int
    shards_committed: int
    records: int
    rate: float | None
    left_seconds: float | None
    attempts: int
    reclaims_last_hour: int
    silent_workers: int
    idle_seconds: float
    no_progress: bool
    blocked: bool
    blocked_reason: str
    spending: Spending


class GuardDecision(Document):
    """``why`` is a sentence for people; ``blocked`` stays for the next round's choice of capacity.

    With ``move_on`` and ``over_budget`` the job is to be ended."""

    action: Literal["wait", "done", "move_on", "over_budget"]
    why: str
    facts: GuardFacts

    @property
    def blocked(self) -> bool:
        """Whether the job finds no machine."""
        return self.facts.blocked

    def for_state(self) -> Json:
        """What the state machine carries on."""
        spending = self.facts.spending
        return {
            "action": self.action,
            "why": self.why,
            "blocked": self.blocked,
            "spent_usd": None if spending.spent_usd is None else float(spending.spent_usd),
            "projected_usd": None if spending.projected_usd is None else float(spending.projected_usd),
        }


class GuardView(Document):
    """What the guard sees at the clock time ``now`` of a job that was submitted at ``submitted``.

    Others were last seen at work in its queue at ``busy``. ``patience`` is how many seconds AWS Batch lets a job at the
    head of a blocked queue wait before it cancels it, where it knows why.
    """

    progress: Progress
    attempts: tuple[Attempt, ...]
    job: JobState
    spending: Spending
    submitted: float
    now: float
    busy: float = 0.0
    patience: float = 1800.0


def look(view: GuardView) -> GuardDecision:
    """Wait, or be done because the job has ended, or stop it: the run would pass its budget, or finds no machine."""
    facts = _facts(view)
    over = _over_budget(view.spending, view.progress)
    if over and not view.progress.worked:
        # Of a job that has ended, too: an earlier look may have ended it whose answer was lost, and what is left would
        # be worked in another round for as long as it takes to look again.
        return GuardDecision(action="over_budget", why=over, facts=facts)
    if view.job.ended:
        return GuardDecision(action="done", why=f"the job has {view.job.status.lower()}", facts=facts)
    if over:
        return GuardDecision(action="move_on", why=f"every shard is committed; {over}", facts=facts)
    if facts.blocked and (view.job.is_told or _waited(view) > BLOCKED_SECONDS + view.patience):
        # Of an array AWS Batch gives up one child after the other, each after its own time in vain. Where it cannot say
        # what blocks the queue, or where a time limit cannot be set for what does (a limit of the account, an invalid
        # environment), it gives up none: they would wait until the execution's own end.
        return GuardDecision(action="move_on", why=facts.blocked_reason, facts=facts)
    said = [f"{view.progress.cases_finished} of {view.progress.cases_planned} cases are finished"]
    said += [facts.blocked_reason] if facts.blocked else []
    said += ["no price is known, so the budget is not watched"] if view.spending.unwatched else []
    return GuardDecision(action="wait", why="; ".join(said), facts=facts)


def reclaims_since(attempts: Iterable[Attempt], moment: float) -> int:
    """Attempts that a reclaimed machine ended after the clock time ``moment``."""
    return sum(attempt.why == "reclaimed" and attempt.ended > moment for attempt in attempts)


def _over_budget(spending: Spending, progress: Progress) -> str:
    """Why the run must stop; empty where it need not."""
    budget, spent = spending.budget_usd, spending.spent_usd
    projected = spending.projected_usd if spending.lowest_usd is None else spending.lowest_usd
    if spent is not None and spent >= budget:
        return f"{dollars(spent)} are spent, the budget is {dollars(budget)}"
    if spent is not None and spending.next_usd is not None and spent + spending.next_usd > budget:
        return f"{dollars(spent)} are spent and the next minutes would pass the budget of {dollars(budget)}"
    finished = progress.cases_finished
    known = finished >= PROJECTION_CASES and finished >= PROJECTION_SHARE * progress.cases_planned
    if projected is not None and projected > budget and known:
        return f"the whole run is projected to cost at least {dollars(projected)}, the budget is {dollars(budget)}"
    return ""


def _facts(view: GuardView) -> GuardFacts:
    progress, job = view.progress, view.job
    idle = _idle(view)
    reason = _blocked_reason(job, _waited(view))
    return GuardFacts(
        cases_planned=progress.cases_planned,
        cases_finished=progress.cases_finished,
        cases_failed=progress.cases_failed,
        shards_planned=progress.shards_planned,
        shards_committed=progress.shards_committed,
        records=progress.records,
        rate=progress.rate,
        left_seconds=progress.left_seconds,
        attempts=progress.attempts,
        reclaims_last_hour=reclaims_since(view.attempts, view.now - RECLAIM_WINDOW_SECONDS),
        silent_workers=len(progress.stale),
        idle_seconds=round(idle, 1),
        no_progress=not job.ended and not reason and job.at_work > 0 and idle > NO_PROGRESS_SECONDS,
        blocked=bool(reason),
        blocked_reason=reason,
        spending=view.spending,
    )


def _idle(view: GuardView) -> float:
    """Seconds since the run's last sign of life."""
    signs = [view.submitted, view.progress.updated or 0.0]
    signs += [moment for attempt in view.attempts for moment in (attempt.started, attempt.ended)]
    return max(0.0, view.now - max(signs))


def _waited(view: GuardView) -> float:
    """Seconds since anybody was seen at work in the queue: a job behind others waits for its turn."""
    return min(_idle(view), max(0.0, view.now - view.busy))


def _blocked_reason(job: JobState, waited: float) -> str:
    """Why the job finds no machine; empty where it does, or may yet."""
    if job.is_told and not job.at_work:
        return f"the queue is blocked: {job.status_reason[:200]}"
    if job.waits_untold and waited > BLOCKED_SECONDS:
        return f"{job.runnable} jobs have been waiting for a machine for {waited / 60:.0f} minutes"
    return ""


def dollars(amount: Decimal) -> str:
    """An amount as people read it.

    >>> dollars(Decimal("0.00421")), dollars(Decimal("1234.5"))
    ('$0.0042', '$1,234.50')
    >>> dollars(Decimal("0.00001")), dollars(Decimal(0))
    ('less than $0.0001', '$0.0000')
    """
    if 0 < amount < _SMALLEST_SHOWN:
        return f"less than ${_SMALLEST_SHOWN}"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
