"""How far a run is, as the store tells it; the same locally and in the cloud."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone

from pydantic import ValidationError

from core.errors import IntegrityError
from core.run.attempts import read_heartbeat
from core.run.commit import read_commit
from core.run.layout import RunLayout
from core.run.models import Attempt, Heartbeat, ShardPlan
from core.run.plan import Plan
from core.run.plan_store import read_request, read_shard_plan
from core.run.progress_counts import Progress, Seen, ShardOutcomes, add_up, by_partition, is_behind
from core.store import Store
from core.workload import Outcome
from core.wrong_values import why_unreadable

__all__ = ["Progress", "ProgressReader", "progress_text", "read_progress", "read_shards"]

READERS = 8
"""Small objects read at the same time: what counts on S3 is the waiting."""


@dataclass
class ProgressReader:
    """Reads a run's progress again and again; what cannot change any more is read once.

    ``started`` is the clock time at which this start began, where the caller knows it.
    """

    store: Store
    run_id: str
    shards: ShardPlan
    started: float | None = None
    _attempts: dict[str, Attempt] = field(default_factory=dict)
    _finished: dict[int, Heartbeat] = field(default_factory=dict)
    _outcomes: dict[str, ShardOutcomes] = field(default_factory=dict)
    _beats: dict[int, Heartbeat] = field(default_factory=dict)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts that had ended when :meth:`read` looked last."""
        return tuple(self._attempts.values())

    @property
    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """Each partition's last heartbeat when :meth:`read` looked last."""
        return tuple(self._beats.values())

    def forget(self, attempts: Iterable[Attempt]) -> None:
        """Read these again the next time: their records were put right."""
        layout = RunLayout(self.run_id)
        for attempt in attempts:
            self._attempts.pop(layout.attempt(attempt.partition, attempt.attempt), None)

    def read(self, now: float | None = None) -> Progress:
        """The progress at this moment."""
        layout = RunLayout(self.run_id)
        committed = frozenset(
            item.key.rpartition("/")[2].removesuffix(".json") for item in self.store.list(layout.commits)
        )
        with ThreadPoolExecutor(READERS) as pool:
            beats = self._read_beats(pool, layout, committed)
            self._read_attempts(pool, layout)
            self._read_outcomes(pool, layout, committed, beats)
        self._beats = beats
        moment = time.time() if now is None else now
        attempts = list(self._attempts.values())
        return add_up(self.run_id, self.shards, Seen(committed, beats, attempts, self._outcomes, moment, self.started))

    def _read_beats(
        self, pool: ThreadPoolExecutor, layout: RunLayout, committed: frozenset[str]
    ) -> dict[int, Heartbeat]:
        there = {int(item.key.rpartition("/")[2].removesuffix(".json")) for item in self.store.list(layout.progress)}
        # A commit record that somebody removed is worked again.
        again = {shard.partition for shard in self.shards.shards if shard.shard not in committed}
        found = {partition: beat for partition, beat in self._finished.items() if partition not in again}
        open_ = sorted(there - found.keys())
        for beat in pool.map(lambda partition: read_heartbeat(self.store, layout, partition), open_):
            if beat is None:
                continue  # of another version, or not readable: its commit records tell
            found[beat.partition] = beat
            if beat.state == "finished":
                self._finished[beat.partition] = beat
        return found

    def _read_attempts(self, pool: ThreadPoolExecutor, layout: RunLayout) -> None:
        keys = [item.key for item in self.store.list(f"{layout.root}/attempts") if item.key not in self._attempts]
        for key, data in zip(keys, pool.map(self.store.get, keys), strict=True):
            try:
                self._attempts[key] = Attempt.model_validate_json(data)
            except ValidationError as error:
                raise IntegrityError("attempt_damaged", why_unreadable(error), where=key) from error

    def _read_outcomes(
        self, pool: ThreadPoolExecutor, layout: RunLayout, committed: frozenset[str], beats: dict[int, Heartbeat]
    ) -> None:
        """Commit records are large, so they are read only where a heartbeat is behind them."""
        wanted = [
            shard.shard
            for partition, own in by_partition(self.shards).items()
            if is_behind(own, committed, beats.get(partition))
            for shard in own
            if shard.shard in committed and shard.shard not in self._outcomes
        ]
        for shard, record in zip(
            wanted, pool.map(lambda name: read_commit(self.store, layout, name), wanted), strict=True
        ):
            if record is not None:
                counts = Counter(case.outcome for case in record.cases)
                self._outcomes[shard] = ShardOutcomes(
                    counts[Outcome.DONE], counts[Outcome.EMPTY], counts[Outcome.FAILED], record.records
                )


def read_progress(store: Store, plan: Plan) -> Progress:
    """The progress of a planned run, read once."""
    return ProgressReader(store, plan.request.run_id, plan.shards).read()


def read_shards(store: Store, run_id: str) -> ShardPlan:
    """``plan/shards.json`` alone: a large cohort's case table takes longer to read than all that progress needs.

    Raises
    ------
    BadRequestError
        ``no_run``: there is no such run here.
    IntegrityError
        ``plan_damaged``.
    """
    read_request(store, run_id)
    return read_shard_plan(store, run_id)


def progress_text(progress: Progress) -> str:
    """``PROGRESS.txt``: a few lines for people who look into the folder."""
    ends = ", ".join(f"{count} {why}" for why, count in progress.ends.items())
    lines = [
        ("run", progress.run_id),
        ("progress", f"{progress.share:.1%}"),
        (
            "cases",
            f"{progress.cases_finished} of {progress.cases_planned}: {progress.cases_done} done, "
            f"{progress.cases_empty} empty, {progress.cases_failed} failed, {progress.cases_left} left",
        ),
        ("examples", str(progress.records)),
        ("shards", f"{progress.shards_committed} of {progress.shards_planned} committed"),
        ("rate", rates_text(progress)),
        ("time left", duration_text(progress.left_seconds)),
        ("attempts", f"{progress.attempts}" + (f": {ends}" if ends else "")),
        ("reclaims", str(progress.reclaims)),
        ("memory", f"{progress.peak_memory_bytes / 1e6:.0f} MB at most in a worker"),
    ]
    if progress.stale:
        shown = ", ".join(map(str, progress.stale[:10])) + (" and more" if len(progress.stale) > 10 else "")
        lines.append(("silent", f"{len(progress.stale)} workers are overdue, of partition {shown}"))
    lines.append(("updated", clock_text(progress.updated)))
    return "".join(f"{name:<11}{text}\n" for name, text in lines)


def rates_text(progress: Progress) -> str:
    """Cases and examples per second of this start."""
    cases = "rate unknown" if progress.rate is None else f"{progress.rate:.2f} cases/s"
    return cases if progress.record_rate is None else f"{cases}, {progress.record_rate:,.0f} examples/s"


def duration_text(seconds: float | None) -> str:
    """A duration as people say it.

    >>> duration_text(75), duration_text(3 * 3600 + 120), duration_text(None)
    ('1 min 15 s', '3 h 2 min', 'unknown')
    """
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    minutes, hours = whole // 60, whole // 3600
    if whole < 60:
        return f"{whole} s"
    return f"{minutes} min {whole % 60} s" if whole < 3600 else f"{hours} h {minutes % 60} min"


def clock_text(moment: float | None) -> str:
    """A clock time in UTC."""
    if moment is None:
        return "never"
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
