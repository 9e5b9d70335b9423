"""Being asked to stop, in a process of its own: who may ask, how soon it ends, and that nothing finished is lost."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from core.run.assemble import read_commits
from core.run.layout import RunLayout
from core.run.models import Attempt
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.stop import StopRequest
from core.run.worker import PartitionWorker
from core.store import Store, open_store
from tests.stoppable_worker import Slow, start_worker
from tests.toy_workload import ToyWorkload


@dataclass
class Bench:
    """A planned toy run of ten cases, one shard for each split, in a folder."""

    store: Store
    plan: Plan
    folder: Path

    @property
    def ids(self) -> list[str]:
        return [entry.case.id for entry in self.plan.cases]

    def start(self, slow: Slow) -> ForkServerProcess:
        """A worker that is in its slow case."""
        return start_worker(self.folder, self.plan.request.run_id, slow)

    def saved(self) -> int:
        """Cases in segments that a next attempt would not do again, found by letting it work."""
        workload = ToyWorkload(self.plan.request.configuration)
        report = PartitionWorker(self.store, self.plan, workload, None, 0).run()
        assert report.why == "finished"
        return len(self.ids) - len(workload.processed)

    def attempts(self) -> list[str]:
        layout = RunLayout(self.plan.request.run_id)
        found = [self.store.get(item.key) for item in self.store.list(layout.attempts(0))]
        return [Attempt.model_validate_json(data).why for data in found]

    def hashes(self) -> list[str]:
        return [record.content_sha256 for record in read_commits(self.store, self.plan)]


def make_bench(folder: Path) -> Bench:
    workload = ToyWorkload({})
    store = open_store(folder, create=True)
    plan = make_plan(workload, None, {}, PlanOptions(shard_cases=10, partitions=1))
    write_plan(store, plan)
    return Bench(store, plan, folder)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path / "out")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    bench = make_bench(tmp_path_factory.mktemp("undisturbed"))
    assert bench.saved() == 0
    return bench.hashes()


def send(process: ForkServerProcess, number: int) -> float:
    """Send a signal; returns when that was."""
    assert process.pid is not None
    os.kill(process.pid, number)
    return time.monotonic()


def end_of(process: ForkServerProcess, since: float) -> tuple[int | None, float]:
    process.join(20)
    return process.exitcode, time.monotonic() - since


@pytest.mark.parametrize(
    ("number", "code", "why"), [(signal.SIGTERM, 75, "reclaimed"), (signal.SIGINT, 130, "interrupted")]
)
def test_the_case_in_hand_is_ended_and_saved(
    bench: Bench, undisturbed: list[str], number: int, code: int, why: str
) -> None:
    process = bench.start(Slow(bench.ids[4], "short", grace=10))
    assert end_of(process, send(process, number))[0] == code
    assert bench.attempts() == [why]
    assert bench.saved() == 5
    assert bench.hashes() == undisturbed


@pytest.mark.parametrize("position", [0, 4, -1])
def test_a_case_that_does_not_end_is_abandoned(bench: Bench, undisturbed: list[str], position: int) -> None:
    last_of_first_shard = sum(entry.shard == bench.plan.cases[0].shard for entry in bench.plan.cases) - 1
    number = last_of_first_shard if position == -1 else position
    process = bench.start(Slow(bench.ids[number]))
    code, seconds = end_of(process, send(process, signal.SIGTERM))
    assert code == 75
    assert 0.3 <= seconds < 20
    assert bench.attempts() == ["reclaimed"]
    assert not bench.store.list(RunLayout(bench.plan.request.run_id).commits)
    assert bench.saved() == number
    assert bench.hashes() == undisturbed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_second_signal_ends_at_once_and_harms_nothing(
    bench: Bench, undisturbed: list[str], number: int, code: int
) -> None:
    process = bench.start(Slow(bench.ids[3], grace=30))
    send(process, number)
    time.sleep(0.3)
    assert process.is_alive()
    ended, seconds = end_of(process, send(process, number))
    assert ended == code
    assert seconds < 20
    bench.saved()
    assert bench.hashes() == undisturbed


def test_sigterm_after_the_spot_notice_is_no_second_signal(bench: Bench, undisturbed: list[str]) -> None:
    process = bench.start(Slow(bench.ids[3], "notice", grace=1.5))
    time.sleep(0.1)
    code, seconds = end_of(process, send(process, signal.SIGTERM))
    assert code == 75
    assert seconds > 0.5
    assert bench.saved() == 3
    assert bench.hashes() == undisturbed


def test_a_process_that_cannot_stop_is_ended_in_time(bench: Bench, undisturbed: list[str]) -> None:
    process = bench.start(Slow(bench.ids[3], "deaf", last=1))
    code, seconds = end_of(process, send(process, signal.SIGTERM))
    assert code == 75
    assert 0.9 <= seconds < 20
    bench.saved()
    assert bench.hashes() == undisturbed


def test_asking_without_listening_sets_no_alarm() -> None:
    stop = StopRequest()
    stop.ask("reclaimed")
    stop.ask("interrupted")
    assert stop.reason == "reclaimed"
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0 or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL


def test_the_parent_may_ask_again(bench: Bench, undisturbed: list[str]) -> None:
    process = bench.start(Slow(bench.ids[2], grace=0.5))
    send(process, signal.SIGUSR1)
    code, seconds = end_of(process, send(process, signal.SIGUSR1))
    assert code == 130
    assert seconds > 0.3
    assert bench.saved() == 2
    assert bench.hashes() == undisturbed
