"""The cost of a run: its attempts priced and added up, with storage and what is unknown; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from core.cost.charge import Charge, charge
from core.cost.money import GIBIBYTE, MICRO, MONTH_SECONDS, dollars_of, nano_dollars, seconds_of
from core.cost.occupied import RUNNING, OccupiedTime
from core.cost.prices import PriceBook, StoragePrices, region_of
from core.cost.report import CostReport, DearCase, EstimatedCost, Line, UnknownCost
from core.run.models import CommitRecord

DEAREST_CASES = 10


@dataclass(frozen=True)
class RunUse:
    """What a run used besides processors; ``None``: unknown.

    ``scratch_gib``: the gp3 volume of one instance. ``stored_bytes``: everything below the run and its data set, held
    for ``stored_days``. ``puts`` and ``gets``: requests. ``region``: of the bucket. ``boot_seconds``: what an instance
    takes before and after its work, a setting for the estimate that stands apart.
    """

    scratch_gib: int | None = None
    stored_bytes: int | None = None
    stored_days: int = 30
    puts: int | None = None
    gets: int | None = None
    region: str | None = None
    boot_seconds: float | None = None


@dataclass(frozen=True)
class CaseTime:
    """Seconds that an attempt worked on a case."""

    case_id: str
    partition: int
    attempt: int
    seconds: float


def case_times(commits: Iterable[CommitRecord]) -> list[CaseTime]:
    """The cases that the committing attempts worked; those that they found in segments are not among them."""
    return [
        CaseTime(case_id, commit.made_by.partition, commit.made_by.attempt, seconds)
        for commit in commits
        for case_id, seconds in commit.made_by.case_seconds.items()
    ]


def account(
    run_id: str,
    times: Sequence[OccupiedTime],
    book: PriceBook,
    *,
    use: RunUse | None = None,
    cases: int = 0,
    by_case: Sequence[CaseTime] = (),
) -> CostReport:
    """Price a run as far as it has come; ``cases`` have an outcome."""
    use = use or RunUse()
    charges = [charge(time, book) for time in times]
    prices = book.storage_of(use.region)
    priced = any(item.priced for item in charges) or not any(item.unknown for item in charges)
    compute = _Part(sum(item.nanos for item in charges), priced)
    scratch, scratch_unknown = _scratch(times, use, book)
    storage, storage_unknown = _storage(use, prices)
    requests, requests_unknown = _requests(use, prices)
    unknown = (*_unknown_compute(charges), *scratch_unknown, *storage_unknown, *requests_unknown)
    parts = (compute, scratch, storage, requests)
    total = sum(part.nanos for part in parts)
    known = compute.known or any(part.nanos for part in parts)
    costs = case_costs(charges, by_case)
    return CostReport(
        run_id=run_id,
        total_usd=dollars_of(total) if known else None,
        complete=not unknown,
        running=sum(time.why == RUNNING for time in times),
        compute_usd=compute.usd,
        scratch_usd=scratch.usd,
        storage_usd=storage.usd,
        requests_usd=requests.usd,
        stored_days=use.stored_days,
        by_capacity=_lines(charges, lambda time: time.capacity or "unknown"),
        by_instance_type=_lines(charges, lambda time: time.instance_type or "unknown"),
        by_end=_lines(charges, lambda time: time.end),
        unknown=unknown,
        cases=cases,
        usd_per_case=dollars_of(nano_dollars(Fraction(total, cases * 10**9))) if known and cases else None,
        dearest_cases=_dearest(costs, by_case),
        estimates=_estimates(charges, use),
        prices=book.sources,
    )


@dataclass(frozen=True)
class _Part:
    nanos: int
    known: bool

    @property
    def usd(self) -> Decimal | None:
        return dollars_of(self.nanos) if self.known else None


def case_costs(charges: Iterable[Charge], by_case: Iterable[CaseTime]) -> dict[str, int]:
    """Nano-dollars of each case: its seconds at the mean price of its attempt; cases without a price are left out.

    What is left of an attempt is its start, its saving, and cases that others finished.
    """
    attempts = {(item.time.partition, item.time.attempt): item for item in charges if item.priced and not item.unknown}
    costs: dict[str, int] = {}
    for case in by_case:
        found = attempts.get((case.partition, case.attempt))
        if found is not None:
            amount = Fraction(found.nanos, found.priced) * Fraction(case.seconds) * MICRO
            costs[case.case_id] = costs.get(case.case_id, 0) + round(amount)
    return costs


def _dearest(costs: Mapping[str, int], by_case: Iterable[CaseTime]) -> tuple[DearCase, ...]:
    seconds: dict[str, float] = {}
    for case in by_case:
        seconds[case.case_id] = seconds.get(case.case_id, 0.0) + case.seconds
    ordered = sorted(costs, key=lambda case_id: (-costs[case_id], case_id))[:DEAREST_CASES]
    return tuple(
        DearCase(case_id=case_id, seconds=seconds[case_id], usd=dollars_of(costs[case_id])) for case_id in ordered
    )


def _lines(charges: Sequence[Charge], name_of: Callable[[OccupiedTime], str]) -> dict[str, Line]:
    groups: dict[str, list[Charge]] = {}
    for item in charges:
        groups.setdefault(name_of(item.time), []).append(item)
    return {name: _line(groups[name]) for name in sorted(groups)}


def _line(charges: Sequence[Charge]) -> Line:
    micros = sum(item.time.micros for item in charges)
    priced = sum(item.priced for item in charges)
    return Line(
        attempts=len(charges),
        seconds=seconds_of(micros),
        usd=dollars_of(sum(item.nanos for item in charges)) if priced or not micros else None,
        unknown_seconds=seconds_of(micros - priced),
        cases=sum(item.time.cases for item in charges),
    )


def _unknown_compute(charges: Iterable[Charge]) -> tuple[UnknownCost, ...]:
    micros: dict[str, int] = {}
    attempts: dict[str, int] = {}
    for item in charges:
        for part in item.unknown:
            micros[part.why] = micros.get(part.why, 0) + part.micros
            attempts[part.why] = attempts.get(part.why, 0) + 1
    return tuple(
        UnknownCost(what="compute", why=why, seconds=seconds_of(micros[why]), attempts=attempts[why])
        for why in sorted(micros)
    )


def _scratch(times: Sequence[OccupiedTime], use: RunUse, book: PriceBook) -> tuple[_Part, tuple[UnknownCost, ...]]:
    """Each attempt's share of its instance's volume, for its time, at the price of its own region."""
    if use.scratch_gib == 0 or not times:
        return _Part(0, True), ()
    if use.scratch_gib is None:
        return _Part(0, False), (UnknownCost(what="scratch", why="the size of the instances' volumes is not known"),)
    nanos, priced, missing, micros = 0, False, 0, 0
    for time in times:
        prices = book.storage_of(region_of(time.zone)) if time.zone else None
        if time.share is None or prices is None or prices.gp3_gib_month is None:
            missing, micros = missing + 1, micros + time.micros
            continue
        months = Fraction(time.micros, MICRO * MONTH_SECONDS)
        nanos += nano_dollars(months * use.scratch_gib * time.share * Fraction(prices.gp3_gib_month))
        priced = True
    if not missing:
        return _Part(nanos, True), ()
    why = "no gp3 price of the region, or the attempt does not know its share of the instance"
    return _Part(nanos, priced), (UnknownCost(what="scratch", why=why, seconds=seconds_of(micros), attempts=missing),)


def _storage(use: RunUse, prices: StoragePrices | None) -> tuple[_Part, tuple[UnknownCost, ...]]:
    if use.stored_bytes == 0:
        return _Part(0, True), ()
    if use.stored_bytes is None or prices is None or prices.s3_gib_month is None:
        why = "the bytes stored are not known" if use.stored_bytes is None else f"no S3 price of {use.region}"
        return _Part(0, False), (UnknownCost(what="storage", why=why),)
    months = Fraction(use.stored_days * 86_400, MONTH_SECONDS)
    return _Part(nano_dollars(months * Fraction(use.stored_bytes, GIBIBYTE) * Fraction(prices.s3_gib_month)), True), ()


def _requests(use: RunUse, prices: StoragePrices | None) -> tuple[_Part, tuple[UnknownCost, ...]]:
    nanos, known, unknown = 0, False, []
    for name, count, price in (
        ("writing", use.puts, prices.s3_thousand_puts if prices else None),
        ("reading", use.gets, prices.s3_thousand_gets if prices else None),
    ):
        if count == 0:
            known = True
        elif count is None or price is None:
            what = "number" if count is None else "price"
            unknown.append(UnknownCost(what="requests", why=f"the {what} of {name} requests is not known"))
        else:
            nanos, known = nanos + nano_dollars(Fraction(count, 1000) * Fraction(price)), True
    return _Part(nanos, known), tuple(unknown)


def _estimates(charges: Sequence[Charge], use: RunUse) -> tuple[EstimatedCost, ...]:
    """Starting and idling instances, as if every attempt had started its share of one: more than there were."""
    if use.boot_seconds is None:
        return ()
    hourly = [Fraction(item.nanos, item.priced) for item in charges if item.priced]
    amount = sum(hourly, Fraction(0)) * Fraction(use.boot_seconds) * MICRO
    return (
        EstimatedCost(
            what="starting and idle instances, at the most",
            usd=dollars_of(round(amount)) if hourly else None,
            basis=f"{use.boot_seconds:g} s for each of {len(hourly)} attempts at its own price; a setting",
        ),
    )
