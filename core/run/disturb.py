"""Losing a machine on purpose: a run in a process group of its own, killed while it works."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess

from core.run.layout import RunLayout
from core.run.local import WorkloadFactory
from core.run.pipeline import execute
from core.run.plan import Plan
from core.run.plan_store import read_plan
from core.run.segment import read_segments
from core.store import Store, open_store

LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Kill:
    """Whether the kill hit a run in work, or came after its end; and how many cases were saved by then."""

    hit: bool
    saved_cases: int


def kill_in_the_middle(
    store: Store, plan: Plan, build_workload: WorkloadFactory, workers: int, after_seconds: float
) -> Kill:
    """Start the planned run, and SIGKILL its whole process group ``after_seconds`` after its first sign of work.

    The plan must have been written. The kill waits until something is saved.
    """
    request = plan.request
    nothing = Kill(False, 0)
    group = multiprocessing.get_context("spawn").Process(
        target=_run_group, args=(store.uri, request.run_id, build_workload, workers)
    )
    group.start()
    layout = RunLayout(request.run_id)
    try:
        if not _wait(group, lambda: bool(store.list(layout.progress))):
            return nothing
        time.sleep(after_seconds)
        if not _wait(group, lambda: bool(store.list(f"{layout.root}/staging") or store.list(layout.commits))):
            return nothing
    finally:
        _kill(group)
    return Kill(len(store.list(layout.commits)) < len(plan.shards.shards), _saved_cases(store, plan))


def _saved_cases(store: Store, plan: Plan) -> int:
    layout = RunLayout(plan.request.run_id)
    committed = {item.key.rpartition("/")[2].removesuffix(".json") for item in store.list(layout.commits)}
    saved = 0
    for shard in plan.shards.shards:
        ids = [entry.case.id for entry in plan.cases_of(shard.shard)]
        saved += shard.cases if shard.shard in committed else len(read_segments(store, layout, shard.shard, ids))
    return saved


def _run_group(output: str, run_id: str, build_workload: WorkloadFactory, workers: int) -> None:
    os.setsid()
    store = open_store(output)
    plan = read_plan(store, run_id)
    execute(store, plan, build_workload(plan.request.workload, plan.request.configuration), build_workload, workers)


def _wait(group: SpawnProcess, seen: Callable[[], bool]) -> bool:
    """Whether it was seen while the group lived."""
    while group.is_alive():
        if seen():
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _kill(group: SpawnProcess) -> None:
    """Kill the group and wait for it; a child that has no group of its own yet is killed alone, never our own group."""
    if group.pid is not None and group.is_alive():
        if os.getpgid(group.pid) == group.pid:
            os.killpg(group.pid, signal.SIGKILL)
        else:
            group.kill()
    group.join()
