"""Runs that are killed at random moments, in a process of its own: ``python -m tests.chaos.kill_lab OUTPUT …``.

The laboratory forks its workers before it has touched a store (no threads yet), so that an attempt costs milliseconds
and hundreds of kills fit into minutes. It prints one JSON line: how often it disturbed, the root hashes, and how many
cases were done again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas  # noqa: F401  pyarrow would import it afresh in every child

from core.errors import EXIT_BUG, EXIT_DONE, EXIT_RETRY, TransientError
from core.run.partition import read_partition
from core.run.plan import checked_options, make_plan
from core.run.plan_store import read_plan, read_request, write_plan
from core.run.publish import publish
from core.run.stop import StopRequest, stop_exit_code
from core.run.worker import PartitionWorker
from core.store import open_store
from core.workload import Case, CaseResult, Source, Workload
from core.workloads.trajectory.workload import TrajectoryWorkload
from tests.toy_workload import ToyWorkload

CASES = 24
CASE_SECONDS = 0.01
CHECKPOINT_SECONDS = 0.03
PARTITIONS = 2
CASES_LOST_AT_MOST = int(CHECKPOINT_SECONDS / CASE_SECONDS) + 2
"""By one kill: what a checkpoint interval holds, the case in hand, and the one that was due to be saved."""

EXIT_NOT_VERIFIED = 3
WATCHDOG_SECONDS = 120


class ToldToy(ToyWorkload):
    """The toy workload, at 10 ms a case."""

    def __init__(self) -> None:
        super().__init__({"cases": CASES, "seconds": CASE_SECONDS})


class ToldTrajectory(TrajectoryWorkload):
    """Eight blocks of trajectories, three cases each, slowed down to 10 ms a case and more."""

    before_case: Callable[[Case], None]

    def __init__(self) -> None:
        super().__init__({"samples": 8 * 40, "block_size": 40})

    def process(self, case: Case, source: Source | None) -> CaseResult:
        self.before_case(case)
        time.sleep(CASE_SECONDS)
        return super().process(case, source)


WORKLOADS: dict[str, Callable[[], Workload]] = {"toy": ToldToy, "trajectory": ToldTrajectory}


@dataclass
class Findings:
    """What came out; ``redone`` counts cases processed beyond one time each."""

    runs: int = 0
    kills: int = 0
    terms: int = 0
    attempts: int = 0
    redone: int = 0
    redone_bound: int = 0
    root_hashes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """One run to disturb: where it is written and where its workers log each case that they begin."""

    output: str
    run_id: str
    log: Path
    workload: str


def in_child(action: object) -> int:
    """Fork; the child calls ``action`` and ends with its exit code."""
    pid = os.fork()
    if pid:
        return pid
    code = EXIT_BUG
    try:
        signal.alarm(WATCHDOG_SECONDS)
        code = action()  # type: ignore[operator]
    finally:
        os._exit(code)


def exit_code(pid: int) -> int:
    """Wait; negative for the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def prepare(output: str, number: int, folder: Path, workload: str) -> Run:
    """Plan a run in a child; the run's id comes back through a file."""
    told = folder / f"run-{number}.txt"

    def plan() -> int:
        options = checked_options(
            data_set=f"chaos-{number}", shard_cases=4, partitions=PARTITIONS, checkpoint_seconds=CHECKPOINT_SECONDS
        )
        made = make_plan(WORKLOADS[workload](), None, {}, options)
        write_plan(open_store(output, create="://" not in output), made)
        told.write_text(made.request.run_id)
        return EXIT_DONE

    code = exit_code(in_child(plan))
    if code != EXIT_DONE:
        raise RuntimeError(f"planning ended with {code}")
    return Run(output, told.read_text(), folder / f"cases-{number}.log", workload)


def attempt(run: Run, partition: int) -> int:
    """One worker's life, in a child."""
    stop = StopRequest()
    stop.listen()
    workload: Any = WORKLOADS[run.workload]()
    log = os.open(run.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def note(case: Case) -> None:
        os.write(log, f"{case.id}\n".encode())

    workload.before_case = note
    store = open_store(run.output)
    plan = read_partition(store, read_request(store, run.run_id), partition)
    worker = PartitionWorker(store, plan, workload, None, partition, stop=stop)
    try:
        report = worker.run()
    except TransientError:
        return EXIT_RETRY
    return EXIT_DONE if report.why == "finished" else stop_exit_code(report.why)


def finish(run: Run, told: Path) -> int:
    """Verify and publish, in a child."""
    store = open_store(run.output)
    plan = read_plan(store, run.run_id)
    done = publish(store, plan, WORKLOADS[run.workload]())
    told.write_text(done.verification.root_hash)
    outcomes = [case.case_id for shard in done.manifest.shards for case in shard.cases]
    complete = len(outcomes) == len(set(outcomes)) == CASES
    return EXIT_DONE if done.verification.passed and complete else EXIT_NOT_VERIFIED


def disturb(run: Run, findings: Findings, chance: random.Random, disturbances: int, rivals: int) -> None:
    """Kill workers at random moments until the disturbances are used up, then let the partitions finish."""
    open_partitions = set(range(PARTITIONS))
    while open_partitions:
        partition = min(open_partitions)
        pids = [in_child(lambda partition=partition: attempt(run, partition)) for _ in range(rivals)]
        findings.attempts += rivals
        if disturbances > 0:
            time.sleep(chance.uniform(0.0, CASE_SECONDS * CASES / PARTITIONS * 1.2))
            for pid in pids:
                hard = chance.random() < 2 / 3
                os.kill(pid, signal.SIGKILL if hard else signal.SIGTERM)
                findings.kills += hard
                findings.terms += not hard
                findings.redone_bound += CASES_LOST_AT_MOST * hard
                disturbances -= 1
        codes = [exit_code(pid) for pid in pids]
        unexpected = [code for code in codes if code not in (EXIT_DONE, EXIT_RETRY, -signal.SIGKILL, -signal.SIGTERM)]
        if unexpected:
            findings.problems.append(f"{run.run_id}: a worker ended with {unexpected}")
        if EXIT_DONE in codes:
            open_partitions.discard(partition)


def experiment(arguments: argparse.Namespace) -> Findings:
    """Undisturbed once, then disturbed runs until there were enough kills."""
    findings, chance = Findings(), random.Random(arguments.seed)
    folder = Path(arguments.folder)
    while findings.runs == 0 or findings.kills < arguments.kills or findings.terms < arguments.terms:
        number = findings.runs
        run = prepare(arguments.output, number, folder, arguments.workload)
        disturb(run, findings, chance, 0 if number == 0 else arguments.each, 1 if number == 0 else arguments.rivals)
        told = folder / f"hash-{number}.txt"
        code = exit_code(in_child(lambda run=run, told=told: finish(run, told)))
        findings.runs += 1
        if code != EXIT_DONE:
            findings.problems.append(f"{run.run_id}: publishing ended with {code}")
            break
        findings.root_hashes.append(told.read_text())
        findings.redone += len(run.log.read_text().split()) - CASES
    return findings


def main() -> None:
    """Parse the arguments, experiment, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--terms", type=int, default=5)
    parser.add_argument("--each", type=int, default=8, help="disturbances a run")
    parser.add_argument("--rivals", type=int, default=1, help="workers on the same partition at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workload", choices=sorted(WORKLOADS), default="toy")
    sys.stdout.write(json.dumps(asdict(experiment(parser.parse_args()))) + "\n")


if __name__ == "__main__":
    main()
