"""Growth by workers: the same cases on 1, 2, 4 … processes that have started and are waiting for the signal."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.files import BenchFolder, link_cases
from benchmarks.measure import Times, in_turn, rate, ratio
from benchmarks.ours import our_case
from benchmarks.runs import planned_run
from benchmarks.sizes import Sizes
from benchmarks.table import Part, at_least, line, raw
from core.cli.machine import processors
from core.recording.writer import Layout

PARTITIONS = 8


def measure_workers(folder: BenchFolder, sizes: Sizes) -> Part:
    """The working time alone; what starting a process costs stands under start-up."""
    recording = folder.recording(Layout.INTERLEAVED, sizes.case_s)
    counts = [*sizes.processes, *(count for count in (8, 16, 32) if max(sizes.processes) < count <= processors())]
    with folder.scratch() as scratch:
        case = our_case(recording, scratch / "one")
        one = in_turn({"one case": case.whole}, 2)["one case"].median
        cases = PARTITIONS * max(1, round(sizes.scaling_seconds / one / PARTITIONS))
        link_cases(recording.path, scratch / "cases", cases)
        seconds: dict[int, list[float]] = {count: [] for count in counts}
        for number in range(sizes.few_rounds):
            for count in counts:
                seconds[count].append(_work(scratch / "cases", scratch / f"{number}-{count}", cases, count))
    times = {count: Times(tuple(found)) for count, found in seconds.items()}
    speeds = [
        line(
            f"{count} processes against one", ratio(times[1], times[count]), "×", at_least(1.9) if count == 2 else None
        )
        for count in counts[1:]
    ]
    rates = [line(f"{count} processes" if count > 1 else "one process", rate(cases, times[count]), "cases/s")
             for count in counts]  # fmt: skip
    return Part(
        name="workers",
        title="Growth by workers",
        about=f"{cases} interleaved cases of {recording.seconds / 3600:.2g} h; the processes have started before.",
        lines=(*speeds, *rates),
        times=raw({f"{count} processes": found for count, found in times.items()}),
    )


def _work(source: Path, out: Path, cases: int, processes: int) -> float:
    """Seconds from the signal until the last process has committed its last shard."""
    _, plan = planned_run(source, out, shard_cases=cases // PARTITIONS)
    # Fork after threads hangs, as in core.run.local.
    context = multiprocessing.get_context("spawn")
    ready, over = context.Barrier(processes + 1), context.Barrier(processes + 1)
    arguments = [
        (str(out), plan.request.run_id, list(range(first, plan.shards.partitions, processes)), ready, over)
        for first in range(processes)
    ]
    started_all = [context.Process(target=_worker, args=own, daemon=True) for own in arguments]
    for process in started_all:
        process.start()
    ready.wait(timeout=120)
    started = time.perf_counter()
    over.wait(timeout=600)
    seconds = time.perf_counter() - started
    for process in started_all:
        process.join()
    return seconds


def _worker(out: str, run_id: str, partitions: list[int], ready: Barrier, over: Barrier) -> None:
    from core.run.memory import keep_freed_memory
    from core.run.partition import read_partition
    from core.run.plan_store import read_request
    from core.run.source import open_source
    from core.run.worker import PartitionWorker
    from core.store import open_store
    from core.workloads.registry import build_workload

    keep_freed_memory()
    store = open_store(out)
    request = read_request(store, run_id)
    workload = build_workload(request.workload, request.configuration)
    source = open_source(request.source)
    try:
        ready.wait(timeout=120)
        for partition in partitions:
            PartitionWorker(store, read_partition(store, request, partition), workload, source, partition).run()
        over.wait(timeout=600)
    except BaseException:
        # Whoever waits must not wait for a process that has failed.
        ready.abort()
        over.abort()
        raise
