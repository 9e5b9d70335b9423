"""Starting the workers on this machine: one process per core, partitions taken in turn."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache

from core.errors import EXIT_RETRY, BugError, TransientError
from core.run.case_cache import CacheUse, CaseCache, open_cache
from core.run.memory import keep_freed_memory
from core.run.models import RunRequest
from core.run.partition import read_partition
from core.run.plan_store import read_request
from core.run.source import StoreSource, open_source
from core.run.stop import ASK_AGAIN_SIGNAL, GRACE_SECONDS, InterruptedRunError, StopRequest, raise_on_sigterm
from core.run.threads import threads_limited
from core.run.worker import PartitionReport, PartitionWorker
from core.store import Store, open_store
from core.workload import Json, Workload

ROUNDS = 3
"""How often a partition is started when its worker dies or its surroundings fail (design, "On AWS")."""

POLL_SECONDS = 0.2

ORPHAN_SECONDS = GRACE_SECONDS + 2.0
"""What a worker whose parent was killed takes at the most to save what it has finished."""

WorkloadFactory = Callable[[str, Json], Workload]


@dataclass(frozen=True)
class LocalJob:
    """What a worker process needs; must be picklable."""

    output: str
    run_id: str
    build_workload: WorkloadFactory
    cache: CacheUse | None = None


def run_locally(
    job: LocalJob, partitions: list[int], workers: int, on_poll: Callable[[], None] = lambda: None
) -> list[PartitionReport]:
    """Work through the partitions; ``on_poll`` is called a few times a second meanwhile.

    Raises
    ------
    InterruptedRunError
        Stopped by Ctrl-C or SIGTERM.
    TransientError, FatalError
        What a worker raised, in the last of the rounds.
    BugError
        ``worker_died``: a worker process died in every round.
    """
    reports: list[PartitionReport] = []
    open_partitions = list(partitions)
    for attempt in range(1, ROUNDS + 1):
        with raise_on_sigterm(), threads_limited(os.environ):
            finished, trouble = _round(job, open_partitions, min(workers, len(open_partitions)), on_poll)
        reports += finished
        done = {report.partition for report in finished}
        open_partitions = [partition for partition in open_partitions if partition not in done]
        if not open_partitions:
            return reports
        if trouble is not None and attempt == ROUNDS:
            raise trouble
    raise BugError("partitions_left", f"{len(open_partitions)} partitions were left without a reason")


def _round(
    job: LocalJob, partitions: list[int], workers: int, on_poll: Callable[[], None]
) -> tuple[list[PartitionReport], Exception | None]:
    """One start of every partition: the reports, and the first failure that is worth another round."""
    # Fork after threads hangs (the store's runtime has some), so workers are spawned.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_process)
    trouble: Exception | None = None
    reports: list[PartitionReport] = []
    try:
        waiting: set[Future[PartitionReport]] = {pool.submit(_work, job, partition) for partition in partitions}
        while waiting:
            ready, waiting = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            on_poll()
            for future in ready:
                try:
                    report = future.result()
                except TransientError as error:
                    trouble = error
                    continue
                except BrokenProcessPool:
                    trouble = BugError(
                        "worker_died",
                        "a worker process died without a word",
                        where=f"run {job.run_id}",
                        fix="Out of memory is the usual reason: try fewer --workers.",
                    )
                    continue
                if report.why != "finished":
                    raise InterruptedRunError(report.why)
                reports.append(report)
    except (KeyboardInterrupt, InterruptedRunError) as error:
        _ask_to_stop()
        raise InterruptedRunError(str(error) or "interrupted") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return reports, trouble


def _ask_to_stop() -> None:
    """Let the workers save what they finished. Ctrl-C in a terminal has reached them; a signal to us has not."""
    for process in multiprocessing.active_children():
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, ASK_AGAIN_SIGNAL)


_STOP = StopRequest()


def _start_process() -> None:
    _STOP.listen()
    keep_freed_memory()
    threading.Thread(target=_follow_the_parent, name="follow-the-parent", daemon=True).start()


def _follow_the_parent() -> None:
    """End when the parent has ended: killed, it cannot tell its workers, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    _STOP.ask("interrupted")
    time.sleep(ORPHAN_SECONDS)
    os._exit(EXIT_RETRY)


def _work(job: LocalJob, partition: int) -> PartitionReport:
    if _STOP.reason:
        return PartitionReport(partition, _STOP.reason, 0, 0)
    store, request, workload, source, kept = _context(job)
    plan = read_partition(store, request, partition)
    return PartitionWorker(store, plan, workload, source, partition, stop=_STOP, cache=kept).run()


@cache
def _context(job: LocalJob) -> tuple[Store, RunRequest, Workload, StoreSource | None, CaseCache | None]:
    store = open_store(job.output)
    request = read_request(store, job.run_id)
    workload = job.build_workload(request.workload, request.configuration)
    return store, request, workload, open_source(request.source), open_cache(job.cache)
