"""How the run went: attempts on a time line, what each way of ending took, and the money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from core.cost.money import dollars_text
from core.cost.report import CostReport
from core.report.documents import RunDocuments
from core.report.model import AttemptLine, EndLine, Fact, Work
from core.report.words import duration
from core.run.models import Attempt, Heartbeat, Place

NO_RECORD = "no record"
"""Of an attempt that left a heartbeat only: it works, or was killed without a word."""


def work_of(documents: RunDocuments) -> Work:
    """Every attempt once: its record where there is one, else what its last heartbeat tells."""
    recorded = {(item.partition, item.attempt) for item in documents.attempts}
    silent = [beat for beat in documents.heartbeats if (beat.partition, beat.attempt) not in recorded]
    starts = [item.started for item in documents.attempts] + [beat.updated - beat.seconds for beat in silent]
    if not starts:
        return Work()
    zero = min(starts)
    lines = [_of_attempt(item, zero) for item in documents.attempts] + [_of_heartbeat(beat, zero) for beat in silent]
    lines.sort(key=lambda line: (line.partition, line.attempt))
    ends = _ends(lines, documents.cost)
    return Work(
        attempts=tuple(lines),
        ends=ends,
        busy_seconds=_busy(lines),
        worker_seconds=sum(line.seconds for line in lines),
        early_seconds=sum(line.seconds for line in lines if line.why not in ("finished", NO_RECORD)),
        cases=sum(len(shard.cases) for shard in documents.shards),
        records=sum(shard.records for shard in documents.shards),
        bytes_in=sum(shard.made_by.bytes_in for shard in documents.shards),
        recalled=sum(shard.made_by.recalled for shard in documents.shards),
        reclaims=sum(line.why == "reclaimed" for line in lines),
    )


def _of_attempt(item: Attempt, zero: float) -> AttemptLine:
    detail = "; ".join(part for part in (item.detail, item.remark) if part)
    cases = max(0, item.cases - item.restored)
    return AttemptLine(
        item.partition,
        item.attempt,
        item.started - zero,
        item.ended - zero,
        item.why,
        detail,
        cases,
        _place(item.place),
    )


def _of_heartbeat(beat: Heartbeat, zero: float) -> AttemptLine:
    cases = max(0, beat.cases_finished - beat.cases_restored)
    start = beat.updated - beat.seconds - zero
    detail = "it works, or was killed without a word: the time is that of its last heartbeat"
    return AttemptLine(
        beat.partition, beat.attempt, start, beat.updated - zero, NO_RECORD, detail, cases, _place(beat.place)
    )


def _place(place: Place | None) -> str:
    if place is None:
        return "this machine"
    return " · ".join(part for part in (place.instance_type, place.zone, place.capacity) if part) or "unknown"


def _busy(lines: Iterable[AttemptLine]) -> float:
    """Seconds in which at least one attempt was under way."""
    total, until = 0.0, float("-inf")
    for line in sorted(lines, key=lambda line: line.start):
        total += max(0.0, line.end - max(line.start, until))
        until = max(until, line.end)
    return total


def _ends(lines: Iterable[AttemptLine], cost: CostReport | None) -> tuple[EndLine, ...]:
    by_end: dict[str, list[AttemptLine]] = defaultdict(list)
    for line in lines:
        by_end[line.why].append(line)
    return tuple(
        EndLine(why, len(own), sum(line.seconds for line in own), sum(line.cases for line in own), _cost(cost, why))
        for why, own in sorted(by_end.items(), key=lambda item: (item[0] != "finished", item[0]))
    )


def _cost(cost: CostReport | None, why: str) -> str:
    line = cost.by_end.get({"finished": "useful", NO_RECORD: "running"}.get(why, why)) if cost else None
    return dollars_text(line.usd) if line else "–"


def money_of(documents: RunDocuments) -> tuple[Fact, ...]:
    """``cost.json`` in words, with what is unknown and what is not in it; and the budget, where it is known."""
    cost, report = documents.cost, documents.report
    budget = report.money.budget_usd if report else None
    facts = [] if budget is None else [Fact("Budget", dollars_text(budget))]
    if cost is None:
        why = "no cost.json: the run worked on a machine of your own, or its prices could not be had"
        return (Fact("Cost", why), *facts)
    least = "" if cost.complete else "at least "
    per_case = f"{least}{dollars_text(cost.usd_per_case)} for each of {cost.cases:,} cases with an outcome"
    parts = (
        ("compute", cost.compute_usd),
        ("scratch space", cost.scratch_usd),
        ("storage", cost.storage_usd),
        ("requests", cost.requests_usd),
    )
    made_of = ", ".join(f"{name} {dollars_text(amount)}" for name, amount in parts)
    lost = [line for why, line in cost.by_end.items() if why in ("reclaimed", "interrupted", "crashed", "timed out")]
    facts = [
        Fact("Cost", least + dollars_text(cost.total_usd)),
        Fact("Per case", per_case),
        Fact("Made of", made_of),
        *facts,
    ]
    if lost:
        seconds = sum(line.seconds for line in lost)
        known = [line.usd for line in lost if line.usd is not None]
        amount = dollars_text(sum(known[1:], known[0])) if known else "an unknown amount"
        facts.append(Fact("Lost at the most", f"{amount} in {duration(seconds)} of attempts that ended early"))
    facts += [Fact("Unknown", f"{item.what}: {item.why}") for item in cost.unknown]
    facts += [Fact("Estimated beside it", f"{item.what}: {dollars_text(item.usd)}") for item in cost.estimates]
    facts.append(Fact("Not in it", "; ".join(cost.not_included)))
    facts.append(Fact("Prices", "; ".join(cost.prices) or "none were given"))
    return tuple(facts)
