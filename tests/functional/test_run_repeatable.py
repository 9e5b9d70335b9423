"""One data set whatever the number of workers, the order asked for, the format, and what went wrong on the way."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BugError, IntegrityError
from core.run.assemble import read_commits
from core.run.pipeline import RunResult, execute, take_back_lost
from core.run.plan import PlanOptions, make_plan
from core.run.publish import publish
from core.run.source import open_source
from core.run.worker import PartitionWorker
from core.store import open_store
from core.workloads.registry import build_workload
from tests.command_line import COMMAND, Answer, casemill, environment, start_casemill
from tests.tiny_recordings import SHORT_WINDOWS, TinyCohort, write_cohort
from tests.toy_workload import ToyWorkload, build_toy

Command = Callable[..., Answer]


def content_hashes(output: Path, result: RunResult) -> dict[str, str]:
    return {record.shard: record.content_sha256 for record in read_commits(open_store(output), result.plan)}


def run(cohort: TinyCohort, output: Path, workers: int, cases: str = "all", partitions: int | None = None) -> RunResult:
    workload = build_workload("vitaldb", dict(SHORT_WINDOWS))
    selection = {"cases": cases, "clinical": str(cohort.clinical), "where": None}
    options = PlanOptions(data_set="tiny", shard_cases=2, partitions=partitions)
    plan = make_plan(workload, open_source(str(cohort.source)), selection, options)
    return execute(open_store(output, create=True), plan, workload, build_workload, workers)


def files(folder: Path) -> dict[str, str]:
    """Objects and their hashes. A killed write leaves NAME#1 behind, which no listing of the store shows."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "#" not in path.name
    }


def test_workers_order_and_partitions_do_not_matter(
    tiny_run: Answer, tiny_output: Path, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    assert tiny_run.code == 0, tiny_run.err
    two = run(tiny_cohort, tmp_path / "two", 2, "12,11,1-10,3")
    five = run(tiny_cohort, tmp_path / "five", 5, "7-12,1-6")
    assert {result.manifest.root_hash for result in (two, five)} == {tiny_run.json["root_hash"]}
    assert content_hashes(tmp_path / "two", two) == content_hashes(tmp_path / "five", five)
    assert content_hashes(tiny_output, two) == content_hashes(tmp_path / "five", five)
    # On one machine even the bytes are the same.
    assert files(tmp_path / "two" / "datasets") == files(tmp_path / "five" / "datasets")


def test_format_and_partitions_do_not_matter(tiny_run: Answer, tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "vital", suffix=".vital")
    assert run(cohort, tmp_path / "out", 1, partitions=3).manifest.root_hash == tiny_run.json["root_hash"]


def test_a_run_that_is_done_changes_nothing(
    command: Command, tiny_run: Answer, tiny_output: Path, tiny_cohort: TinyCohort
) -> None:
    assert tiny_run.code == 0, tiny_run.err
    before = files(tiny_output)
    again = command("run", *tiny_cohort.options(), "--out", tiny_output, "--name", "tiny", "--shard-cases", 2, "--json")
    assert (again.code, again.json["root_hash"]) == (0, tiny_run.json["root_hash"])
    assert files(tiny_output) == before


def test_sigterm_while_publishing_says_try_again(
    command: Command,
    tiny_run: Answer,
    tiny_output: Path,
    tiny_cohort: TinyCohort,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tiny_run.code == 0, tiny_run.err
    out = shutil.copytree(tiny_output, tmp_path / "out")

    def reclaimed(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    before = files(out)
    monkeypatch.setattr("core.run.pipeline.publish", reclaimed)
    answer = command("run", *tiny_cohort.options(), "--out", out, "--name", "tiny", "--shard-cases", 2)
    assert answer.code == 75
    assert "error [stopped]" in answer.err
    assert files(out) == before, "the report of a run that is done stays"


class SlowRun:
    """A run of a few seconds as a process, stopped in the middle again and again."""

    def __init__(self, cohort: TinyCohort, output: Path) -> None:
        # A window every second makes much to do of little.
        self.arguments = [
            "run", "--source", cohort.source, "--clinical", cohort.clinical, "--out", output, "--name", "slow",
            "--window-s", 60, "--step-s", 1, "--horizon-s", 5, "--shard-cases", 2, "--workers", 2, "--json",
        ]  # fmt: skip
        self.output = output

    def committed(self) -> int:
        return len(list(self.output.glob("runs/*/shards/*.json")))

    def stop(self, number: signal.Signals, after: int, *, group: bool) -> Answer:
        """Start it, and send the signal as soon as ``after`` more shards are committed."""
        wanted = self.committed() + after
        process = start_casemill(*self.arguments)
        try:
            self._wait(process, wanted)
            if group:
                os.killpg(process.pid, number)
            else:
                os.kill(process.pid, number)
            out, err = process.communicate(timeout=120)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        return Answer(process.returncode, out, err)

    def _wait(self, process: subprocess.Popen[str], wanted: int) -> None:
        deadline = time.monotonic() + 120
        while self.committed() < wanted:
            assert process.poll() is None, f"over before it could be stopped: {process.communicate()}"
            assert time.monotonic() < deadline
            time.sleep(0.005)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ignored", [False, True], ids=["", "nohup"])
def test_a_terminal_that_goes_loses_nothing(tmp_path: Path, ignored: bool) -> None:
    """A connection that breaks is told to every process by SIGHUP, and nothing can be written from then on."""
    slow = SlowRun(write_cohort(tmp_path / "csv", seconds=4000), tmp_path / "out")
    one_shard = ("--shard-cases", "12")
    ours, theirs = pty.openpty()

    def in_the_terminal() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [*COMMAND, *map(str, slow.arguments), *one_shard],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment(), start_new_session=True,
        preexec_fn=in_the_terminal,
    )  # fmt: skip
    os.close(theirs)
    reader = threading.Thread(target=lambda: [None for _ in iter(lambda: read_terminal(ours), b"")], daemon=True)
    reader.start()
    try:
        # With the first heartbeat a worker is at work; before, it has nothing that could be lost.
        while not list(slow.output.glob("runs/*/progress/*.json")):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        os.close(ours)
    # The system tells the session's leader only; it is a shell mostly, and tells all processes of its jobs.
    os.killpg(process.pid, signal.SIGHUP)
    # Not killed; which code it is, nobody can read: what it had to say could not be written.
    assert process.wait(timeout=200) in (75, 130)
    ends = [json.loads(path.read_text())["why"] for path in slow.output.glob("runs/*/attempts/*/*.json")]
    assert set(ends) == {"finished"} if ignored else "interrupted" in ends
    assert slow.output.joinpath("datasets", "slow", "_SUCCESS").exists() == ignored


def read_terminal(number: int) -> bytes:
    try:
        return os.read(number, 4096)
    except OSError:
        return b""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_is_killed_again_and_again_ends_the_same(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "cohort", 40, seconds=800)
    undisturbed = casemill(*SlowRun(cohort, tmp_path / "undisturbed").arguments)
    assert undisturbed.code == 0, undisturbed.err
    slow = SlowRun(cohort, tmp_path / "disturbed")
    generator = random.Random(7)
    for _ in range(2):
        killed = slow.stop(signal.SIGKILL, generator.randint(1, 3), group=True)
        assert killed.code == -signal.SIGKILL
    for number, code, group in ((signal.SIGINT, 130, True), (signal.SIGTERM, 75, False)):
        stopped = slow.stop(number, generator.randint(1, 2), group=group)
        assert stopped.code == code, stopped.err
        assert "error [stopped]" in stopped.err
        assert "Traceback" not in stopped.err
        assert stopped.json["error"]["code"] == "stopped"
    assert not (tmp_path / "disturbed" / "datasets" / "slow" / "_SUCCESS").exists()
    finished = casemill(*slow.arguments)
    assert finished.code == 0, finished.err
    assert finished.json["root_hash"] == undisturbed.json["root_hash"]
    assert finished.json["records"] == undisturbed.json["records"]
    assert files(tmp_path / "disturbed" / "datasets") == files(tmp_path / "undisturbed" / "datasets")
    status = casemill("status", finished.json["run_location"], "--json")
    assert (status.json["verified"], status.json["share"]) == (True, 1.0)


def toy_run(output: Path, workers: int, **settings: object) -> RunResult:
    workload = ToyWorkload(settings)
    plan = make_plan(workload, None, {}, PlanOptions(data_set="toy", shard_cases=2))
    return execute(open_store(output, create=True), plan, workload, build_toy, workers)


def undisturbed_toy_hash() -> str:
    """Worked out in this process and in memory."""
    workload, store = ToyWorkload({}), open_store("memory://")
    plan = make_plan(workload, None, {}, PlanOptions(data_set="toy", shard_cases=2, partitions=1))
    PartitionWorker(store, plan, workload, None, 0).run()
    return publish(store, plan, workload).manifest.root_hash


def test_a_worker_that_dies_once_costs_a_round(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    died = toy_run(tmp_path / "died", 2, fault="die_once", fault_case=5, marker=str(marker))
    assert marker.exists()
    assert died.verification.passed
    assert died.manifest.root_hash == undisturbed_toy_hash()


def test_storage_that_fails_once_costs_a_round(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    result = toy_run(tmp_path / "out", 1, fault="transient_once", fault_case=5, marker=str(marker))
    assert marker.exists()
    assert result.verification.passed
    assert result.manifest.root_hash == undisturbed_toy_hash()


def test_a_worker_that_dies_every_time_ends_the_run_and_not_the_others_work(tmp_path: Path) -> None:
    with pytest.raises(BugError) as caught:
        toy_run(tmp_path, 1, fault="die", fault_case=10)
    assert caught.value.code == "worker_died"
    assert "--workers" in caught.value.fix
    assert list(tmp_path.glob("runs/*/shards/*.json"))
    assert not list(tmp_path.glob("datasets/*/_SUCCESS"))


@pytest.mark.parametrize("gone", ["train/train-00001.tfrecord.gz", ""])
def test_a_shard_that_was_deleted_is_made_again(tmp_path: Path, gone: str) -> None:
    first = toy_run(tmp_path, 1)
    before = files(tmp_path / "datasets")
    path = tmp_path / "datasets" / "toy" / gone
    path.unlink() if gone else shutil.rmtree(path)
    again = toy_run(tmp_path, 1)
    assert again.verification.passed
    assert again.manifest.root_hash == first.manifest.root_hash
    assert files(tmp_path / "datasets") == before
    count = 1 if gone else len(first.manifest.shards)
    assert again.resumed_shards == len(first.manifest.shards) - count
    assert f"made again: {count}, the first train-0000" in again.remarks[0]
    assert toy_run(tmp_path, 1).remarks == ()


def test_a_damaged_commit_record_says_what_to_do_and_that_helps(tmp_path: Path) -> None:
    first = toy_run(tmp_path, 1)
    record = next(tmp_path.glob("runs/*/shards/train-00001.json"))
    record.write_bytes(record.read_bytes()[:50])
    with pytest.raises(IntegrityError, match=r"train-00001.json: .*\[commit_damaged\] Remove it and start") as caught:
        toy_run(tmp_path, 1)
    Path(caught.value.where).unlink()
    again = toy_run(tmp_path, 1)
    assert again.verification.passed
    assert again.manifest == first.manifest


def test_a_data_set_whose_shards_are_made_again_is_none_until_then(tmp_path: Path) -> None:
    toy_run(tmp_path, 1)
    next((tmp_path / "datasets" / "toy" / "test").iterdir()).unlink()
    store = open_store(tmp_path)
    workload = ToyWorkload({})
    plan = make_plan(workload, None, {}, PlanOptions(data_set="toy", shard_cases=2))
    committed = {shard.shard for shard in plan.shards.shards}
    assert len(take_back_lost(store, plan, committed)) == 1
    assert not (tmp_path / "datasets" / "toy" / "_SUCCESS").exists()
    assert take_back_lost(store, plan, committed) != []  # whoever lists later finds the same
