"""What a run will have cost in the end, from what it cost so far: the guard's arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from core.cost.money import NANO, dollars_of, nano_dollars

LEAST_SHARE = Fraction(1, 20)
"""Below this share of the work nothing is projected: the workers' start weighs too much in it."""


@dataclass(frozen=True)
class WorkDone:
    """How far a run is, in any one unit (cases, or estimated records).

    ``in_hand`` is begun and not finished, at the most: one case for each worker, say.
    """

    planned: int
    finished: int
    in_hand: int = 0


@dataclass(frozen=True)
class CostProjection:
    """``projected_usd`` at the end, ``lowest_usd`` if all that is in hand were as good as finished; both ``None``
    while there is too little to go by, with ``why``. ``spent_usd`` is what is known to be spent."""

    spent_usd: Decimal
    lowest_usd: Decimal | None
    projected_usd: Decimal | None
    why: str = ""

    def is_over(self, budget_usd: Decimal) -> bool:
        """Whether to stop: the budget is spent, or even the lowest projection overspends it."""
        return self.spent_usd > budget_usd or (self.lowest_usd is not None and self.lowest_usd > budget_usd)


def project(
    spent_usd: Decimal, work: WorkDone, *, priced_seconds: float = 1.0, unknown_seconds: float = 0.0
) -> CostProjection:
    """Project the cost of the whole run.

    Seconds without a price are taken to cost what the others do; where none has a price nothing is projected. Amounts
    are rounded up to a nano-dollar, so that spent ≤ lowest ≤ projected.

    Raises
    ------
    ValueError
        Less than nothing was spent, planned or finished.
    """
    counts = (work.planned, work.finished, work.in_hand)
    if spent_usd < 0 or min(counts) < 0 or min(priced_seconds, unknown_seconds) < 0:
        raise ValueError("a projection needs figures that are not negative")
    if unknown_seconds > 0 and priced_seconds <= 0:
        return CostProjection(spent_usd, None, None, "no price is known: the budget cannot be watched")
    if work.planned == 0 or Fraction(work.finished, work.planned) < LEAST_SHARE or work.finished < work.in_hand:
        return CostProjection(spent_usd, None, None, "too little is finished to project from")
    spent = Fraction(spent_usd)
    if unknown_seconds > 0:
        spent *= 1 + Fraction(unknown_seconds) / Fraction(priced_seconds)
    finished = min(work.finished, work.planned)
    lowest = spent * work.planned / min(work.planned, finished + work.in_hand)
    projected = spent * work.planned / finished
    return CostProjection(spent_usd, _up(lowest), _up(projected))


def _up(amount: Fraction) -> Decimal:
    """In nano-dollars, rounded up."""
    nanos = nano_dollars(amount)
    return dollars_of(nanos if Fraction(nanos, NANO) >= amount else nanos + 1)
