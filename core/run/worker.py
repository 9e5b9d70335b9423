"""The worker: one partition's shards, from cases to commit records. The same for a local process and an array child."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import CasemillError, TransientError
from core.run.commit import commit_shard, is_committed
from core.run.layout import RunLayout
from core.run.models import Attempt, Heartbeat, PlannedShard, Worker
from core.run.plan import Plan, PlannedCase
from core.run.segment import read_segments, write_segment
from core.run.shard import FinishedCase, OpenShard, finish_case
from core.run.source import StoreSource
from core.run.stop import StopRequest
from core.store import Store
from core.workload import Case, CaseResult, Outcome, Workload


@dataclass(frozen=True)
class Clock:
    """Time as the worker sees it; tests hand in their own."""

    now: Callable[[], float] = time.time
    elapsed: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Place:
    """What the worker knows of its machine, for the record."""

    instance_type: str | None = None
    zone: str | None = None
    capacity: str | None = None


@dataclass(frozen=True)
class PartitionReport:
    """How a partition's attempt ended; ``why`` as in the attempt record."""

    partition: int
    why: str
    committed: int
    cases: int


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

    def __post_init__(self) -> None:
        self._layout = RunLayout(self.plan.request.run_id)
        self._started = self.clock.now()
        self._origin = self.clock.elapsed()
        self._attempt = 1 + len(self.store.list(self._layout.attempts(self.partition)))
        self._planned = sum(shard.cases for shard in self.plan.shards_of(self.partition))
        self._outcomes = dict.fromkeys(Outcome, 0)
        self._records = 0
        self._committed = 0
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
            self._write_attempt("transient", str(error))
            raise
        except Exception as error:
            self._write_attempt("crashed", f"{type(error).__name__}: {error}")
            raise
        return self._end("finished")

    def _work_shard(self, planned: PlannedShard) -> bool:
        """Whether the shard is committed; False when asked to stop before."""
        cases = self.plan.cases_of(planned.shard)
        if is_committed(self.store, self._layout, planned.shard):
            self._planned -= planned.cases
            return True
        started, bytes_before = self.clock.elapsed(), self._bytes_in()
        shard = OpenShard(self.plan.request.compression)
        for restored in read_segments(self.store, self._layout, planned.shard, [entry.case.id for entry in cases]):
            shard.add(restored)
            self._count(restored)
        unsaved: list[FinishedCase] = []
        saved_at = self.clock.elapsed()
        for entry in cases[len(shard.entries) :]:
            due = self.clock.elapsed() - saved_at >= self.plan.request.checkpoint_seconds
            if unsaved and (due or self.stop.reason):
                write_segment(self.store, self._layout, planned.shard, len(shard.entries) - len(unsaved), unsaved)
                unsaved, saved_at = [], self.clock.elapsed()
            if self.stop.reason:
                return False
            unsaved.append(self._work_case(entry, shard))
        made_by = self._made_by(self.clock.elapsed() - started, self._bytes_in() - bytes_before)
        self._committed += commit_shard(self.store, self.plan.request, planned, shard, made_by)
        return True

    def _work_case(self, entry: PlannedCase, shard: OpenShard) -> FinishedCase:
        result = process_case(self.workload, entry.case, self.source)
        finished, records = finish_case(entry, result, self.workload.schema, self.plan.request.compression)
        shard.add(finished, records)
        self._count(finished)
        if self.clock.elapsed() - self._last_heartbeat >= self.heartbeat_seconds:
            self._beat("working")
        return finished

    def _count(self, case: FinishedCase) -> None:
        self._outcomes[case.entry.outcome] += 1
        self._records += case.entry.records

    def _bytes_in(self) -> int:
        return self.source.bytes_read if self.source else 0

    def _made_by(self, seconds: float, bytes_in: int) -> Worker:
        return Worker(
            partition=self.partition,
            attempt=self._attempt,
            instance_type=self.place.instance_type,
            zone=self.place.zone,
            capacity=self.place.capacity,
            seconds=round(seconds, 3),
            bytes_in=bytes_in,
        )

    def _beat(self, state: str) -> None:
        self._last_heartbeat = self.clock.elapsed()
        heartbeat = Heartbeat(
            partition=self.partition,
            attempt=self._attempt,
            state=state,
            cases_planned=self._planned,
            cases_done=self._outcomes[Outcome.DONE],
            cases_empty=self._outcomes[Outcome.EMPTY],
            cases_failed=self._outcomes[Outcome.FAILED],
            records=self._records,
            bytes_in=self._bytes_in(),
            seconds=round(self.clock.elapsed() - self._origin, 3),
            updated=self.clock.now(),
        )
        self.store.put(self._layout.heartbeat(self.partition), heartbeat.to_bytes())

    def _end(self, why: str) -> PartitionReport:
        self._beat("finished" if why == "finished" else "stopped")
        self._write_attempt(why, "")
        cases = sum(self._outcomes.values())
        return PartitionReport(self.partition, why, self._committed, cases)

    def _write_attempt(self, why: str, detail: str) -> None:
        attempt = Attempt(
            partition=self.partition,
            attempt=self._attempt,
            started=self._started,
            ended=self.clock.now(),
            why=why,
            detail=detail[:500],
            cases=sum(self._outcomes.values()),
            shards=self._committed,
        )
        self.store.put_if_absent(self._layout.attempt(self.partition, self._attempt), attempt.to_bytes())


def process_case(workload: Workload, case: Case, source: StoreSource | None) -> CaseResult:
    """The workload's result; what it breaks on becomes ``failed(internal)``, so that one case never stops a run.

    Raises
    ------
    CasemillError
        What the workload or the store raises on purpose.
    TransientError
        ``machine``: no memory, no disk.
    """
    try:
        return workload.process(case, source)
    except CasemillError:
        raise
    except (MemoryError, OSError) as error:
        raise TransientError("machine", f"{type(error).__name__}: {error}", where=f"case {case.id}") from error
    except Exception as error:  # noqa: BLE001  whatever a recording breaks must not stop the run
        # The message may quote the recording, so only the kind and the place go into the record.
        place = traceback.extract_tb(sys.exc_info()[2])[-1]
        detail = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        return CaseResult(Outcome.FAILED, reason="internal", detail=detail)
