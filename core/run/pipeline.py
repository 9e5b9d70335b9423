"""The main job on one machine: plan, work, verify, publish. Every step takes up what an earlier start left."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from core.errors import CasemillError
from core.run.case_cache import CacheUse
from core.run.layout import DataSetLayout, RunLayout, shard_path
from core.run.local import LocalJob, WorkloadFactory, run_locally
from core.run.models import Manifest, Verification
from core.run.plan import Plan
from core.run.plan_store import read_stored, write_plan
from core.run.progress import Progress, ProgressReader, progress_text
from core.run.publish import publish, withdraw
from core.run.source_tags import remember, replaced
from core.run.worker import PartitionReport
from core.store import Store
from core.workload import Workload

PROGRESS_SECONDS = 1.0


@dataclass(frozen=True)
class RunResult:
    """What came of a run: ``verification.passed`` decides. ``seconds`` and ``recalled``, the cases that came from the
    case cache, are those of this start; ``remarks`` are what its workers had to say though nothing failed."""

    plan: Plan
    verification: Verification
    manifest: Manifest
    seconds: float
    resumed_shards: int
    recalled: int = 0
    remarks: tuple[str, ...] = ()


def execute(
    store: Store,
    plan: Plan,
    workload: Workload,
    build_workload: WorkloadFactory,
    workers: int,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    cache: CacheUse | None = None,
) -> RunResult:
    """Write the plan (or take up the one that is there), work, verify, publish.

    A shard that was committed and is no longer there is made again.

    ``cache`` saves time where it holds what a workload extracts from the cases; it changes nothing else.

    Raises
    ------
    BadRequestError
        The data set's name belongs to another run.
    InterruptedRunError
        Asked to stop; everything finished is saved and the same call goes on from there.
    TransientError, FatalError
        See :func:`core.run.local.run_locally` and :func:`core.run.publish.publish`.
    """
    started = time.monotonic()
    write_plan(store, plan)
    plan = read_stored(store, plan)
    layout = RunLayout(plan.request.run_id)
    committed = {item.key.rpartition("/")[2].removesuffix(".json") for item in store.list(layout.commits)}
    remember(store, plan)
    lost = take_back_lost(store, plan, committed)
    committed -= set(lost)
    holes = sorted({shard.partition for shard in plan.shards.shards if shard.shard not in committed})
    reader = ProgressReader(store, plan.request.run_id, plan.shards, started=time.time())
    report = _Reporter(reader, on_progress)
    reports: list[PartitionReport] = []
    if holes:
        job = LocalJob(store.uri, plan.request.run_id, build_workload, cache)
        try:
            reports = run_locally(job, holes, workers, report.poll)
        finally:
            report.write()
    publication = publish(store, plan, workload, workers)
    return RunResult(
        plan=plan,
        verification=publication.verification,
        manifest=publication.manifest,
        seconds=time.monotonic() - started,
        resumed_shards=len(committed),
        recalled=sum(report.recalled for report in reports),
        remarks=(
            *_told(lost),
            *_told_replaced(store, plan),
            *dict.fromkeys(report.remark for report in reports if report.remark),
        ),
    )


def take_back_lost(store: Store, plan: Plan, committed: Collection[str]) -> list[str]:
    """Take back the commit records whose objects are no longer there, so that these shards are worked again; which.

    A data set that was published with them loses its ``_SUCCESS`` until then.
    """
    request = plan.request
    layout, data_set = RunLayout(request.run_id), DataSetLayout.named(request.data_set)
    there = {item.key for item in store.list(data_set.root)}
    keys = {
        shard.shard: data_set.key(shard_path(shard.shard, shard.split, request.compression))
        for shard in plan.shards.shards
        if shard.shard in committed
    }
    lost = []
    for shard, key in keys.items():
        # Asked once more: another start of this run may have made it meanwhile.
        if key not in there and store.head(key) is None:
            withdraw(store, data_set)
            store.delete(layout.commit(shard))
            lost.append(shard)
    return lost


def _told(lost: Sequence[str]) -> tuple[str, ...]:
    if not lost:
        return ()
    return (f"shards that were committed and were no longer there were made again: {len(lost)}, the first {lost[0]}",)


def _told_replaced(store: Store, plan: Plan) -> tuple[str, ...]:
    try:
        cases = replaced(store, plan)
    except CasemillError as error:
        # All is done and verified: a source that went away since takes nothing of it back.
        return (f"whether objects in the source were replaced since this run began is not known: {error.what}",)
    if not cases:
        return ()
    what = f"objects in the source that were replaced since this run began: {len(cases)}, the first of case {cases[0]}"
    return (f"{what}; what was finished before is of the earlier ones. Another --name makes all cases of the new ones",)


@dataclass
class _Reporter:
    """Tells the caller and ``PROGRESS.txt`` about progress, now and then."""

    reader: ProgressReader
    on_progress: Callable[[Progress], None]
    last: float = float("-inf")

    def poll(self) -> None:
        if time.monotonic() - self.last >= PROGRESS_SECONDS:
            self.write()

    def write(self) -> None:
        progress = self.reader.read()
        # A look at many partitions of a bucket takes its time; the pause comes after it.
        self.last = time.monotonic()
        self.on_progress(progress)
        key = RunLayout(self.reader.run_id).progress_text
        self.reader.store.put(key, progress_text(progress).encode())


def data_set_uri(store: Store, name: str) -> str:
    """Where a data set stands."""
    return f"{store.uri}/{DataSetLayout.named(name).root}"
