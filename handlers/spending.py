"""What a run has cost so far, and will have: its attempts, their prices, and the arithmetic of :mod:`core.cost`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from core.cost.account import CaseTime, RunUse, account
from core.cost.budget import WorkDone, project
from core.cost.occupied import OccupiedTime, occupied_times
from core.cost.report import CostReport
from core.run.guard import Spending
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import Attempt, Heartbeat, RunRequest
from core.run.progress import ProgressReader
from core.run.progress_counts import Progress
from core.store import Store
from handlers.aws.prices import price_book
from handlers.environment import environment

BOOT_SECONDS = 120.0
"""A setting of the estimate that stands apart: what an instance takes before its first job."""


@dataclass(frozen=True)
class Seen:
    """A run at the clock time ``now``."""

    run_id: str
    progress: Progress
    attempts: tuple[Attempt, ...]
    beats: tuple[Heartbeat, ...]
    now: float

    @classmethod
    def by(cls, reader: ProgressReader, now: float) -> Seen:
        """What the store tells at this moment; errors as :class:`ProgressReader`."""
        progress = reader.read(now)
        return cls(reader.run_id, progress, reader.attempts, reader.heartbeats, now)

    @property
    def times(self) -> tuple[OccupiedTime, ...]:
        """What there is to pay for."""
        attempts = [(attempt, attempt.place) for attempt in self.attempts]
        return occupied_times(attempts, [(beat, beat.place) for beat in self.beats], self.now)


def spent_so_far(seen: Seen, budget_usd: float) -> Spending:
    """Price everything up to this moment; storage is not counted while the run works.

    Time without a price is taken to cost what the rest does in the projections, and where none has a price all is None.
    """
    use = RunUse(environment().scratch_gib, stored_bytes=0, puts=0, gets=0)
    report = _account(seen, use)
    progress = seen.progress
    working = sum(part.state == "working" for part in progress.partitions)
    work = WorkDone(progress.cases_planned, progress.cases_finished, min(working, progress.cases_left))
    unknown = sum(line.unknown_seconds for line in report.by_end.values())
    priced = sum(line.seconds for line in report.by_end.values()) - unknown
    spent = None if report.compute_usd is None else report.total_usd
    projection = project(spent or Decimal(0), work, priced_seconds=priced, unknown_seconds=unknown)
    return Spending(
        budget_usd=Decimal(str(budget_usd)),
        spent_usd=spent,
        projected_usd=None if spent is None else projection.projected_usd,
        lowest_usd=None if spent is None else projection.lowest_usd,
        next_usd=cost_until_next_look(spent, priced, report.running),
        unknown_seconds=unknown,
    )


def final_cost(store: Store, request: RunRequest, seen: Seen, by_case: Sequence[CaseTime] = ()) -> CostReport:
    """Price the whole run and write ``cost.json``."""
    settings = environment()
    layout = RunLayout(request.run_id)
    stored = sum(
        item.size for root in (layout.root, DataSetLayout.named(request.data_set).root) for item in store.list(root)
    )
    use = RunUse(
        settings.scratch_gib, stored_bytes=stored, region=settings.region, boot_seconds=BOOT_SECONDS
    )  # fmt: skip
    report = _account(seen, use, by_case)
    store.put(layout.cost, report.to_bytes())
    return report


def cost_at(seen: Seen, region: str, stored_bytes: int | None = None) -> CostReport:
    """Price the run, for somebody who is no function: no environment is read, nothing is written."""
    use = RunUse(region=region, stored_bytes=stored_bytes, boot_seconds=BOOT_SECONDS)
    return _account(seen, use, region=region)


def cost_until_next_look(spent: Decimal | None, priced_seconds: float, running: int) -> Decimal | None:
    """What those that work now cost until the next look, at the mean price of all so far."""
    if spent is None or priced_seconds <= 0:
        return None
    return spent / Decimal(priced_seconds) * running * Decimal(environment().guard_seconds)


def _account(seen: Seen, use: RunUse, by_case: Sequence[CaseTime] = (), region: str | None = None) -> CostReport:
    moment = datetime.fromtimestamp(seen.now, timezone.utc)
    book = price_book(seen.times, region or environment().region, moment, objects=use.stored_bytes != 0)
    return account(seen.run_id, seen.times, book, use=use, cases=seen.progress.cases_finished, by_case=by_case)
