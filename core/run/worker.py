"""The worker: one partition's shards, from cases to commit records. The same for a local process and an array child."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core.errors import TransientError
from core.run.attempts import NO_CAUSE, Cause, begin_attempt, cause_of
from core.run.case_cache import CaseCache
from core.run.case_reader import CaseReader, open_reader
from core.run.commit import commit_shard, read_commit
from core.run.layout import RunLayout
from core.run.limits import is_too_large, too_large
from core.run.memory import peak_memory_bytes
from core.run.models import Attempt, Heartbeat, Place, PlannedShard, Worker
from core.run.plan import Plan, PlannedCase
from core.run.segment import read_segments, write_segment
from core.run.shard import FinishedCase, OpenShard
from core.run.source import StoreSource
from core.run.stop import AbandonedCaseError, StopRequest
from core.run.tally import Tally
from core.store import Store
from core.workload import Case, Outcome, Workload


@dataclass(frozen=True)
class Clock:
    """Time as the worker sees it; tests hand in their own."""

    now: Callable[[], float] = time.time
    elapsed: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class PartitionReport:
    """How a partition's attempt ended; ``why`` as in the attempt record.

    ``recalled`` cases came from the cache. ``remark`` is what somebody should know though nothing failed.
    """

    partition: int
    why: str
    committed: int
    cases: int
    recalled: int = 0
    remark: str = ""


@dataclass(frozen=True)
class ShardReport:
    """A shard is committed; ``new`` where this worker's record was the first."""

    shard: str
    new: bool
    cases: int
    records: int
    seconds: float


@dataclass
class PartitionWorker:
    """Works through one partition once."""

    store: Store
    plan: Plan
    workload: Workload
    source: StoreSource | None
    partition: int
    stop: StopRequest = field(default_factory=StopRequest)
    clock: Clock = field(default_factory=Clock)
    place: Place = field(default_factory=Place)
    heartbeat_seconds: float = 1.0
    on_shard: Callable[[ShardReport], None] = lambda report: None
    cache: CaseCache | None = None

    def __post_init__(self) -> None:
        self._layout = RunLayout(self.plan.request.run_id)
        self._started = self.clock.now()
        self._origin = self.clock.elapsed()
        self._attempt = begin_attempt(self.store, self._layout, self.partition)
        self._planned = sum(shard.cases for shard in self.plan.shards_of(self.partition))
        self._tally = Tally()
        # One process may work several partitions with the same source.
        self._bytes_before = self.source.bytes_read if self.source else 0
        self._repeats_before = self._all_repeats()
        self._committed = 0
        self._recalled = 0
        self._last_heartbeat = float("-inf")

    def run(self) -> PartitionReport:
        """Commit every shard of the partition, or stop when asked to, with everything finished saved.

        Raises
        ------
        TransientError
            The storage or the machine failed; nothing is recorded against a case.
        FatalError
            A bug, or stored data that contradicts itself.
        """
        try:
            for shard in self.plan.shards_of(self.partition):
                if not self._work_shard(shard):
                    return self._end(self.stop.reason)
        except TransientError as error:
            self._write_attempt("transient", str(error), cause_of(error))
            raise
        except Exception as error:
            self._write_attempt("crashed", f"{type(error).__name__}: {error}", cause_of(error))
            raise
        return self._end("finished")

    def _work_shard(self, planned: PlannedShard) -> bool:
        """Whether the shard is committed; False when asked to stop before."""
        cases = self.plan.cases_of(planned.shard)
        record = read_commit(self.store, self._layout, planned.shard)
        if record is not None:
            for case in record.cases:
                self._tally.restore(case)
            return True
        started, bytes_before = self.clock.elapsed(), self._bytes_in()
        shard = OpenShard(self.plan.request.compression)
        for restored in read_segments(self.store, self._layout, planned.shard, [entry.case.id for entry in cases]):
            shard.restore(restored)
            self._tally.restore(restored.entry)
        self._beat_if_due()
        case_seconds: dict[str, float] = {}
        unsaved: list[FinishedCase] = []
        saved_at = self.clock.elapsed()
        left = cases[len(shard.entries) :]
        with open_reader(self.workload, self.source, self.cache, self._read_cases(left)) as reader:
            for entry in left:
                due = self.clock.elapsed() - saved_at >= self.plan.request.checkpoint_seconds
                if due or self.stop.reason:
                    self._save(planned, shard, unsaved)
                    unsaved, saved_at = [], self.clock.elapsed()
                if self.stop.reason:
                    return False
                try:
                    unsaved.append(self._work_case(entry, shard, case_seconds, reader))
                except AbandonedCaseError:
                    self._save(planned, shard, unsaved)
                    return False
        seconds = self.clock.elapsed() - started
        made_by = self._made_by(seconds, self._bytes_in() - bytes_before, case_seconds, reader.recalled)
        new = commit_shard(self.store, self.plan.request, planned, shard, made_by)
        self._committed += new
        self.on_shard(ShardReport(planned.shard, new, len(shard.entries), shard.records, round(seconds, 3)))
        self._beat("working")
        return True

    def _read_cases(self, entries: Sequence[PlannedCase]) -> list[Case]:
        """The cases whose objects will be read, in order."""
        largest = self.plan.request.largest_case_bytes
        return [entry.case for entry in entries if entry.case.key and not is_too_large(entry.case, largest)]

    def _save(self, planned: PlannedShard, shard: OpenShard, unsaved: list[FinishedCase]) -> None:
        if unsaved:
            write_segment(self.store, self._layout, planned.shard, len(shard.entries) - len(unsaved), unsaved)

    def _work_case(
        self, entry: PlannedCase, shard: OpenShard, case_seconds: dict[str, float], reader: CaseReader
    ) -> FinishedCase:
        started = self.clock.elapsed()
        if is_too_large(entry.case, self.plan.request.largest_case_bytes):
            result = too_large(entry.case, self.plan.request.largest_case_bytes)
        else:
            # All that may be stored in here is an entry of the cache, and half an entry is none.
            with self.stop.case_in_hand():
                before = reader.recalled
                result = reader.process(entry.case)
            self._recalled += reader.recalled - before
        finished = shard.finish(entry, result, self.workload.schema)
        seconds = self.clock.elapsed() - started
        case_seconds[entry.case.id] = round(seconds, 4)
        self._tally.work(finished.entry, seconds)
        self._beat_if_due()
        return finished

    def _bytes_in(self) -> int:
        return self.source.bytes_read - self._bytes_before if self.source else 0

    def _all_repeats(self) -> int:
        return self.store.repeats + (self.source.repeats if self.source else 0)

    def _made_by(self, seconds: float, bytes_in: int, case_seconds: dict[str, float], recalled: int) -> Worker:
        return Worker(
            partition=self.partition,
            attempt=self._attempt,
            instance_type=self.place.instance_type,
            zone=self.place.zone,
            capacity=self.place.capacity,
            seconds=round(seconds, 3),
            bytes_in=bytes_in,
            recalled=recalled,
            case_seconds=case_seconds,
        )

    def _known_place(self) -> Place | None:
        return None if self.place == Place() else self.place

    def _beat_if_due(self) -> None:
        if self.clock.elapsed() - self._last_heartbeat >= self.heartbeat_seconds:
            self._beat("working")

    def _beat(self, state: str) -> None:
        self._last_heartbeat = self.clock.elapsed()
        heartbeat = Heartbeat(
            partition=self.partition,
            attempt=self._attempt,
            state=state,
            cases_planned=self._planned,
            cases_done=self._tally.outcomes[Outcome.DONE],
            cases_empty=self._tally.outcomes[Outcome.EMPTY],
            cases_failed=self._tally.outcomes[Outcome.FAILED],
            cases_restored=self._tally.cases_restored,
            records=self._tally.records,
            records_restored=self._tally.records_restored,
            bytes_in=self._bytes_in(),
            storage_repeats=self._all_repeats() - self._repeats_before,
            seconds=round(self.clock.elapsed() - self._origin, 3),
            interval=round(self._tally.interval(self.heartbeat_seconds), 3),
            peak_memory_bytes=peak_memory_bytes(),
            updated=self.clock.now(),
            place=self._known_place(),
        )
        self.store.put(self._layout.heartbeat(self.partition), heartbeat.to_bytes())

    def _end(self, why: str) -> PartitionReport:
        self._beat("finished" if why == "finished" else "stopped")
        self._write_attempt(why if why == "finished" else self.stop.ending(), "")
        return PartitionReport(self.partition, why, self._committed, self._tally.cases, self._recalled, self._remark())

    def _remark(self) -> str:
        return self.cache.trouble if self.cache else ""

    def _write_attempt(self, why: str, detail: str, cause: Cause = NO_CAUSE) -> None:
        attempt = Attempt(
            partition=self.partition,
            attempt=self._attempt,
            started=self._started,
            ended=self.clock.now(),
            why=why,
            detail=detail[:500],
            cases=self._tally.cases,
            restored=self._tally.cases_restored,
            records_restored=self._tally.records_restored,
            shards=self._committed,
            recalled=self._recalled,
            remark=self._remark()[:500],
            cause=cause.name,
            exit_code=cause.exit_code,
            storage_repeats=self._all_repeats() - self._repeats_before,
            place=self._known_place(),
        )
        self.store.put_if_absent(self._layout.attempt(self.partition, self._attempt), attempt.to_bytes())
