"""What one attempt's time costs: the step function of prices, integrated over its share of the instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from core.cost.money import HOUR, MICRO, micros_of, nano_dollars
from core.cost.occupied import OccupiedTime
from core.cost.prices import PriceBook, Step, price_steps


@dataclass(frozen=True)
class UnknownTime:
    """A part of an attempt that cannot be priced."""

    why: str
    micros: int


@dataclass(frozen=True)
class Charge:
    """The price of an attempt: ``nanos`` (nano-dollars) for ``priced`` microseconds; the others are ``unknown``."""

    time: OccupiedTime
    nanos: int
    priced: int
    unknown: tuple[UnknownTime, ...]


def charge(time: OccupiedTime, book: PriceBook) -> Charge:
    """Price one attempt.

    dollars = Σ over price steps of seconds × dollars per hour / 3600 × processors of the job / processors of the host
    """
    trouble = _what_is_missing(time)
    if not trouble and not time.micros:
        return Charge(time, 0, 0, ())
    if trouble:
        return Charge(time, 0, 0, (UnknownTime(trouble, time.micros),))
    capacity, instance_type, zone = str(time.capacity), str(time.instance_type), str(time.zone)
    steps = price_steps(book, capacity, instance_type, zone)
    where = f"{capacity} price of {instance_type} in {zone}"
    if not steps:
        return Charge(time, 0, 0, (UnknownTime(f"no {where}", time.micros),))
    first, last = micros_of(time.started), micros_of(time.started) + time.micros
    amount, priced = Fraction(0), 0
    for micros, step in _overlaps(steps, first, last):
        amount += Fraction(micros, MICRO * HOUR) * Fraction(step.usd_per_hour)
        priced += micros
    nanos = nano_dollars(amount * (time.share or 0))
    return Charge(time, nanos, priced, tuple(_gaps(steps, first, last, where)))


def _what_is_missing(time: OccupiedTime) -> str:
    if micros_of(time.ended) < micros_of(time.started):
        return "the machine's clock went backwards"
    if time.instance_type is None or time.zone is None:
        return "the attempt does not know its instance type and zone"
    if time.capacity not in ("spot", "on-demand"):
        return "the attempt does not know whether it ran on spot or on-demand capacity"
    if time.share is None:
        return "the attempt does not know its share of the instance's processors"
    return ""


def _overlaps(steps: tuple[Step, ...], first: int, last: int) -> Iterator[tuple[int, Step]]:
    for step in steps:
        since = first if step.since is None else max(first, step.since)
        until = last if step.until is None else min(last, step.until)
        if until > since:
            yield until - since, step


def _gaps(steps: tuple[Step, ...], first: int, last: int, where: str) -> Iterator[UnknownTime]:
    """Prices are known from the first step's beginning to the last one's end, without holes."""
    begins, ends = steps[0].since, steps[-1].until
    if begins is not None and first < begins:
        yield UnknownTime(f"the {where} is known only from a later time on", min(last, begins) - first)
    if ends is not None and last > ends:
        yield UnknownTime(f"the {where} is known only up to an earlier time", last - max(first, ends))
