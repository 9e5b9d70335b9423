"""From heartbeats, attempts and commits to counts and rates; pure, the clock is handed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.run.models import Attempt, Document, Heartbeat, PlannedShard, ShardPlan

STALE_INTERVALS = 3
"""A worker that is silent for this many of its intervals is shown as stale."""

SAME_START_SECONDS = 15.0
"""Attempts with a pause longer than this between them belong to different starts of the run."""

State = Literal["waiting", "working", "stale", "stopped", "finished"]


class PartitionProgress(Document):
    """One partition; ``age`` is the seconds since its last heartbeat."""

    partition: int
    state: State
    cases_planned: int
    cases_done: int
    cases_empty: int
    cases_failed: int
    records: int
    attempts: int
    age: float | None

    @property
    def cases_finished(self) -> int:
        """Cases with an outcome."""
        return self.cases_done + self.cases_empty + self.cases_failed


class Progress(Document):
    """Counts over all partitions, and the rates of the current start.

    ``cases_worked`` and ``records_worked`` came about in the ``seconds`` since the run was started last; what earlier
    starts left is not among them. ``ends`` counts the attempts by why they ended. ``updated`` is the last sign of life.
    """

    run_id: str
    cases_planned: int
    cases_done: int
    cases_empty: int
    cases_failed: int
    records: int
    bytes_in: int
    shards_planned: int
    shards_committed: int
    attempts: int
    ends: dict[str, int]
    cases_worked: int
    records_worked: int
    seconds: float
    peak_memory_bytes: int
    updated: float | None
    partitions: tuple[PartitionProgress, ...]

    @property
    def cases_finished(self) -> int:
        """Cases with an outcome."""
        return self.cases_done + self.cases_empty + self.cases_failed

    @property
    def cases_left(self) -> int:
        """Cases without an outcome yet."""
        return self.cases_planned - self.cases_finished

    @property
    def share(self) -> float:
        """Finished over planned cases."""
        return self.cases_finished / self.cases_planned if self.cases_planned else 0.0

    @property
    def worked(self) -> bool:
        """Whether every shard is committed: what remains is verification."""
        return self.shards_committed >= self.shards_planned

    @property
    def rate(self) -> float | None:
        """Cases per second in the current start; None before the first."""
        return self.cases_worked / self.seconds if self.cases_worked > 0 and self.seconds > 0 else None

    @property
    def record_rate(self) -> float | None:
        """Records per second in the current start; None before the first."""
        return self.records_worked / self.seconds if self.records_worked > 0 and self.seconds > 0 else None

    @property
    def left_seconds(self) -> float | None:
        """Time left at the present rate; None where it is unknown."""
        if not self.cases_left:
            return 0.0
        return self.cases_left / self.rate if self.rate else None

    @property
    def reclaims(self) -> int:
        """Attempts that ended because the machine was taken away."""
        return self.ends.get("reclaimed", 0)

    @property
    def stale(self) -> tuple[int, ...]:
        """Partitions whose worker is silent for too long."""
        return tuple(item.partition for item in self.partitions if item.state == "stale")


@dataclass(frozen=True)
class ShardOutcomes:
    """What a commit record says of its cases."""

    done: int
    empty: int
    failed: int
    records: int


@dataclass(frozen=True)
class Seen:
    """What was found in the store at the clock time ``now``; ``started`` where the beginning of this start is known.

    ``outcomes`` are those of the shards whose partition's heartbeat is behind its commit records.
    """

    committed: frozenset[str]
    beats: Mapping[int, Heartbeat]
    attempts: Sequence[Attempt]
    outcomes: Mapping[str, ShardOutcomes]
    now: float
    started: float | None = None


def by_partition(shards: ShardPlan) -> dict[int, list[PlannedShard]]:
    """The shards of each partition, every partition named."""
    found: dict[int, list[PlannedShard]] = {partition: [] for partition in range(shards.partitions)}
    for shard in shards.shards:
        found[shard.partition].append(shard)
    return found


def is_behind(own: Iterable[PlannedShard], committed: frozenset[str], beat: Heartbeat | None) -> bool:
    """Whether the commit records know of more cases than the heartbeat: its worker was killed in between."""
    recorded = sum(shard.cases for shard in own if shard.shard in committed)
    return recorded > (beat.cases_finished if beat else 0)


def add_up(run_id: str, shards: ShardPlan, seen: Seen) -> Progress:
    """The run's progress from what was seen."""
    numbers = Counter(attempt.partition for attempt in seen.attempts)
    partitions = tuple(
        _partition(partition, own, seen, numbers[partition]) for partition, own in by_partition(shards).items()
    )
    started = seen.started if seen.started is not None else _current_start(seen)
    baselines = _baselines(seen, started)
    counts = {item.partition: (item.cases_finished, item.records) for item in partitions}
    updated = max((beat.updated for beat in seen.beats.values()), default=None)
    live = any(item.state == "working" for item in partitions)
    unfinished = len(seen.committed) < len(shards.shards)
    end = seen.now if live or (unfinished and seen.started is not None) else (updated or seen.now)
    return Progress(
        run_id=run_id,
        cases_planned=sum(item.cases_planned for item in partitions),
        cases_done=sum(item.cases_done for item in partitions),
        cases_empty=sum(item.cases_empty for item in partitions),
        cases_failed=sum(item.cases_failed for item in partitions),
        records=sum(item.records for item in partitions),
        bytes_in=sum(beat.bytes_in for beat in seen.beats.values()),
        shards_planned=len(shards.shards),
        shards_committed=len(seen.committed),
        attempts=sum(item.attempts for item in partitions),
        ends=dict(sorted(Counter(attempt.why for attempt in seen.attempts).items())),
        cases_worked=sum(counts[partition][0] - before[0] for partition, before in baselines.items()),
        records_worked=sum(counts[partition][1] - before[1] for partition, before in baselines.items()),
        seconds=max(0.0, end - started) if started is not None else 0.0,
        peak_memory_bytes=max((beat.peak_memory_bytes for beat in seen.beats.values()), default=0),
        updated=updated,
        partitions=partitions,
    )


def _partition(partition: int, own: Sequence[PlannedShard], seen: Seen, records: int) -> PartitionProgress:
    beat = seen.beats.get(partition)
    if is_behind(own, seen.committed, beat):
        parts = [seen.outcomes[shard.shard] for shard in own if shard.shard in seen.outcomes]
        done, empty, failed = (sum(getattr(part, name) for part in parts) for name in ("done", "empty", "failed"))
        made = sum(part.records for part in parts)
    elif beat:
        done, empty, failed, made = beat.cases_done, beat.cases_empty, beat.cases_failed, beat.records
    else:
        done = empty = failed = made = 0
    return PartitionProgress(
        partition=partition,
        state=_state(own, seen, beat),
        cases_planned=sum(shard.cases for shard in own),
        cases_done=done,
        cases_empty=empty,
        cases_failed=failed,
        records=made,
        attempts=max(records, beat.attempt if beat else 0),
        age=max(0.0, seen.now - beat.updated) if beat else None,
    )


def _state(own: Sequence[PlannedShard], seen: Seen, beat: Heartbeat | None) -> State:
    if all(shard.shard in seen.committed for shard in own):
        return "finished"
    if beat is None:
        return "waiting"
    if beat.state != "working":
        return "stopped"
    return "stale" if is_overdue(beat, seen.now) else "working"


def is_overdue(beat: Heartbeat, now: float) -> bool:
    """Whether its worker is silent for too long."""
    return now - beat.updated > STALE_INTERVALS * beat.interval


def _current_start(seen: Seen) -> float | None:
    """When the present start began: back from the last sign of life, as long as attempts overlap or nearly do."""
    spans = [(attempt.ended, attempt.started) for attempt in seen.attempts]
    for beat in seen.beats.values():
        working = beat.state == "working" and not is_overdue(beat, seen.now)
        spans.append((seen.now if working else beat.updated, beat.updated - beat.seconds))
    start: float | None = None
    for ended, began in sorted(spans, reverse=True):
        if start is not None and ended + SAME_START_SECONDS < start:
            break
        start = began if start is None else min(start, began)
    return start


def _baselines(seen: Seen, started: float | None) -> dict[int, tuple[int, int]]:
    """Cases and records that each partition of this start had before it: what its first attempt here restored."""
    if started is None:
        return {}
    first: dict[int, tuple[int, int, int]] = {}
    begun = [
        (item.started, item.partition, item.attempt, item.restored, item.records_restored) for item in seen.attempts
    ]
    begun += [
        (beat.updated - beat.seconds, beat.partition, beat.attempt, beat.cases_restored, beat.records_restored)
        for beat in seen.beats.values()
    ]
    for began, partition, attempt, cases, records in begun:
        # A heartbeat's beginning is worked out from rounded seconds.
        if began >= started - 0.01 and (partition not in first or attempt < first[partition][0]):
            first[partition] = (attempt, cases, records)
    return {partition: (cases, records) for partition, (_, cases, records) in first.items()}
