"""What a run has cost so far, and will have: its attempts, their prices, and the arithmetic of :mod:`core.cost`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from core.cost.account import CaseTime, RunUse, account
from core.cost.budget import CostProjection, WorkDone, project
from core.cost.occupied import OccupiedTime, occupied_times
from core.cost.report import CostReport
from core.run.layout import RunLayout
from core.run.models import Attempt, Heartbeat
from core.run.progress_counts import Progress
from core.store import Store
from handlers.aws.prices import price_book
from handlers.environment import environment

BOOT_SECONDS = 120.0
"""A setting of the estimate that stands apart: what an instance takes before its first job."""


@dataclass(frozen=True)
class Spent:
    """The account as far as it goes, and its projection."""

    report: CostReport
    projection: CostProjection


def spent_so_far(
    run_id: str, progress: Progress, attempts: Sequence[Attempt], beats: Sequence[Heartbeat], now: float
) -> Spent:
    """Price everything up to this moment; storage is not counted while the run works."""
    times = _times(attempts, beats, now)
    use = RunUse(environment().scratch_gib, stored_bytes=0, puts=0, gets=0)
    report = _account(run_id, times, use, progress, now, environment().region)
    working = sum(part.state == "working" for part in progress.partitions)
    work = WorkDone(progress.cases_planned, progress.cases_finished, min(working, progress.cases_left))
    unknown = sum(line.unknown_seconds for line in report.by_end.values())
    priced = sum(line.seconds for line in report.by_end.values()) - unknown
    spent = report.total_usd if report.total_usd is not None else Decimal(0)
    return Spent(report, project(spent, work, priced_seconds=priced, unknown_seconds=unknown))


def final_cost(
    store: Store,
    run_id: str,
    progress: Progress,
    attempts: Sequence[Attempt],
    beats: Sequence[Heartbeat],
    now: float,
    by_case: Sequence[CaseTime] = (),
) -> CostReport:
    """Price the whole run and write ``cost.json``."""
    settings = environment()
    times = _times(attempts, beats, now)
    use = RunUse(settings.scratch_gib, region=settings.region, boot_seconds=BOOT_SECONDS)
    report = _account(run_id, times, use, progress, now, settings.region, by_case)
    store.put(RunLayout(run_id).cost, report.to_bytes())
    return report


def cost_at(
    run_id: str,
    progress: Progress,
    attempts: Sequence[Attempt],
    beats: Sequence[Heartbeat],
    now: float,
    region: str,
    stored_bytes: int | None = None,
) -> CostReport:
    """Price the run as of ``now``, for somebody who is no function: no environment is read, nothing is written."""
    use = RunUse(region=region, stored_bytes=stored_bytes, boot_seconds=BOOT_SECONDS)
    return _account(run_id, _times(attempts, beats, now), use, progress, now, region)


def _times(attempts: Sequence[Attempt], beats: Sequence[Heartbeat], now: float) -> tuple[OccupiedTime, ...]:
    return occupied_times(
        [(attempt, attempt.place) for attempt in attempts], [(beat, beat.place) for beat in beats], now
    )


def _account(
    run_id: str,
    times: Sequence[OccupiedTime],
    use: RunUse,
    progress: Progress,
    now: float,
    region: str,
    by_case: Sequence[CaseTime] = (),
) -> CostReport:
    book = price_book(times, region, datetime.fromtimestamp(now, timezone.utc))
    return account(run_id, times, book, use=use, cases=progress.cases_finished, by_case=by_case)
