"""A worker of toy cases in a process of its own, which can be stopped in the middle of a chosen case."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from core.run.plan_store import read_plan
from core.run.stop import StopRequest, end_at_the_latest, stop_exit_code
from core.run.worker import PartitionWorker
from core.store import open_store
from core.workload import Case
from tests.toy_workload import ToyWorkload


@dataclass(frozen=True)
class Slow:
    """In case ``case`` the worker sleeps for a minute (``asleep``) or a moment (``short``), or sleeps after a spot
    notice (``notice``), or cannot be woken by the alarm (``deaf``). It has ``grace`` seconds for the case and ``last``
    seconds in all."""

    case: str
    manner: str = "asleep"
    grace: float = 0.3
    last: float = 60.0


def start_worker(folder: Path, run_id: str, slow: Slow) -> ForkServerProcess:
    """The process, once it is in the slow case."""
    # Imports once for all tests: they are nearly all of a start's time.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(folder, run_id, slow, writer), daemon=True)
    process.start()
    assert reader.poll(30)
    assert reader.recv() == slow.case
    return process


def _work(folder: Path, run_id: str, slow: Slow, writer: Connection) -> None:
    stop = StopRequest(grace_seconds=slow.grace)
    stop.listen()
    end_at_the_latest(stop, slow.last)
    store = open_store(folder)
    plan = read_plan(store, run_id)
    workload = ToyWorkload(plan.request.configuration)

    def before(case: Case) -> None:
        if case.id != slow.case:
            return
        writer.send(case.id)
        if slow.manner == "notice":
            stop.ask("reclaimed")
        if slow.manner == "deaf":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(0.4 if slow.manner == "short" else 60)

    workload.before_case = before
    report = PartitionWorker(store, plan, workload, None, 0, stop=stop).run()
    sys.exit(0 if report.why == "finished" else stop_exit_code(report.why))
