"""Costs and estimates in plain words; figures are rounded here and nowhere else."""

from __future__ import annotations

from decimal import Decimal

from core.cost.estimate import EstimateOutcome, RunEstimate
from core.cost.money import dollars_text
from core.cost.report import CostReport, Line
from core.run.progress import duration_text
from core.run.projection import Estimate


def cost_lines(report: CostReport) -> list[str]:
    """The report for people: the total first, then what it is made of, what is unknown, and what is not in it."""
    head = dollars_text(report.total_usd)
    if not report.complete and report.total_usd is not None:
        head = f"at least {head}; a part is unknown"
    lines = [
        f"cost       {head}" + (f"; still running: {_count(report.running, 'attempt')}" if report.running else ""),
        f"  compute  {_partly(report.compute_usd, report, 'compute')}",
        f"  scratch  {_partly(report.scratch_usd, report, 'scratch')}",
        f"  storage  {_partly(report.storage_usd, report, 'storage')} for {report.stored_days} days",
        f"  requests {_partly(report.requests_usd, report, 'requests')}",
    ]
    if report.cases:
        least = "" if report.complete or report.usd_per_case is None else "at least "
        lines.append(f"per case   {least}{dollars_text(report.usd_per_case)} for each of {report.cases:,} cases")
    for title, found in (("ended", report.by_end), ("capacity", report.by_capacity), ("type", report.by_instance_type)):
        lines += [
            f"{title if not place else '':<10} {name}: {_line(line, report)}"
            for place, (name, line) in enumerate(found.items())
        ]
    for item in report.unknown:
        span = "" if item.seconds is None else f", {duration_text(item.seconds)} of {_count(item.attempts, 'attempt')}"
        lines.append(f"unknown    {item.what}{span}: {item.why}")
    lines += [f"estimated  {item.what}: {dollars_text(item.usd)} ({item.basis})" for item in report.estimates]
    lines += [f"not in it  {text}" for text in report.not_included]
    lines.append(f"prices     {'; '.join(report.prices) or 'none were given'}")
    return lines


def _partly(amount: Decimal | None, report: CostReport, what: str) -> str:
    least = "at least " if amount is not None and any(item.what == what for item in report.unknown) else ""
    return least + dollars_text(amount)


def _line(line: Line, report: CostReport) -> str:
    text = f"{_count(line.attempts, 'attempt')}, {_count(line.cases, 'case')}, {duration_text(line.seconds)}, "
    text += ("at least " if line.unknown_seconds and line.usd is not None else "") + dollars_text(line.usd)
    if line.usd and report.compute_usd:
        text += f" ({line.usd / report.compute_usd:.1%})"
    return text


def _count(number: int | None, name: str) -> str:
    return f"{number or 0:,} {name}{'' if number == 1 else 's'}"


def span_text(estimate: Estimate) -> str:
    """Seconds with their bounds, in one unit.

    >>> span_text(Estimate(value=12, low=9.2, high=20)), span_text(Estimate(value=5000, low=4000, high=9000))
    ('12 s (9–20)', '1.4 h (1.1–2.5)')
    """
    units = (("h", 3600.0, ",.1f"), ("min", 60.0, ".1f"))
    unit, seconds, form = next((item for item in units if estimate.value >= 1.2 * item[1]), ("s", 1.0, ".0f"))
    likely, low, high = (format(value / seconds, form) for value in (estimate.value, estimate.low, estimate.high))
    return f"{likely} {unit} ({low}–{high})"


def outcome_line(outcome: EstimateOutcome) -> str:
    """What was estimated and what it took, for people."""
    estimated = outcome.estimate.seconds
    took = f"took {duration_text(outcome.took_seconds)}"
    return f"estimated {span_text(estimated)}, {took}" if estimated else f"no estimate, {took}"


def estimate_lines(estimate: RunEstimate) -> list[str]:
    """An estimate for people."""
    shards = _count(estimate.shards, "shard")
    lines = [
        f"work      about {estimate.records:,} examples, {estimate.bytes / 1e6:,.1f} MB in {shards}",
        f"time      {_time(estimate)}",
        f"workers   {_hours(estimate)}",
        f"cost      {_dollars(estimate)}",
    ]
    lines += [f"note      {text}" for text in estimate.notes]
    return [*lines, *(f"unknown   {item.what}: {item.why} ({item.how})" for item in estimate.unknown)]


def _time(estimate: RunEstimate) -> str:
    if estimate.seconds is None:
        return "unknown"
    measured = "" if estimate.calibrated else ", on a machine that was not measured"
    return f"{span_text(estimate.seconds)} with {_count(estimate.workers, 'worker')}{measured}"


def _hours(estimate: RunEstimate) -> str:
    if estimate.worker_seconds is None:
        return "unknown"
    hours = estimate.worker_seconds.times(1 / 3600)
    return f"{hours.value:,.3f} hours of all workers together ({hours.low:,.3f} to {hours.high:,.3f})"


def _dollars(estimate: RunEstimate) -> str:
    found = estimate.dollars
    if found is None:
        return "unknown"
    return f"{dollars_text(found.value)} ({dollars_text(found.low)} to {dollars_text(found.high)})"
