"""Progress as the worker leaves it in the store, over kills, stops and resumes; the looks stay cheap."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import BadRequestError, IntegrityError
from core.run.layout import RunLayout
from core.run.models import Attempt, Heartbeat
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import read_plan, write_plan
from core.run.progress import ProgressReader, read_progress, read_shards
from core.run.stop import StopRequest
from core.run.worker import PartitionWorker
from core.store import Store, open_store
from core.workload import Case
from tests.command_line import REPOSITORY
from tests.toy_workload import ToyWorkload


class Killed(BaseException):
    """The process is gone: no handler of the worker runs."""


def planned(folder: Path, toy: ToyWorkload, partitions: int = 1, shard_cases: int = 4) -> tuple[Store, Plan]:
    options = PlanOptions(data_set="d", shard_cases=shard_cases, partitions=partitions, checkpoint_seconds=0.0001)
    store = open_store(folder, create=True)
    plan = make_plan(toy, None, {}, options)
    write_plan(store, plan)
    return store, read_plan(store, plan.request.run_id)


def work(store: Store, plan: Plan, toy: ToyWorkload, stop: StopRequest | None = None) -> None:
    PartitionWorker(store, plan, toy, None, 0, stop=stop or StopRequest(), heartbeat_seconds=0.0).run()


def stop_at(toy: ToyWorkload, number: int, stop: StopRequest | None) -> None:
    """Ask to stop before a case, or die there without a word."""

    def before(case: Case) -> None:
        if len(toy.processed) == number:
            if stop is None:
                raise Killed
            stop.reason = "reclaimed"

    toy.before_case = before


@pytest.mark.parametrize("kill", [True, False])
def test_counts_add_up_after_a_resume_and_only_its_own_cases_are_its_work(tmp_path: Path, kill: bool) -> None:
    settings = {"cases": 20, "empty": [3, 4], "fault": "value", "fault_case": 5}
    toy, stop = ToyWorkload(settings), StopRequest()
    store, plan = planned(tmp_path, toy)
    stop_at(toy, 9, None if kill else stop)
    try:
        work(store, plan, toy, stop)
    except Killed:
        assert kill
    again = ToyWorkload(settings)
    work(store, plan, again)
    progress = read_progress(store, plan)
    assert (progress.cases_done, progress.cases_empty, progress.cases_failed) == (17, 2, 1)
    assert (progress.cases_left, progress.records, progress.worked) == (0, 17 * 6, True)
    assert progress.ends == ({"crashed": 1, "finished": 1} if kill else {"finished": 1, "reclaimed": 1})
    beat = Heartbeat.model_validate_json(store.get(RunLayout(plan.request.run_id).heartbeat(0)))
    assert beat.cases_restored == 20 - len(again.processed)
    assert progress.cases_worked == 20, "both attempts belong to one start here"


def test_rate_of_a_resume_leaves_out_what_was_there(tmp_path: Path) -> None:
    toy, stop = ToyWorkload({"cases": 20}), StopRequest()
    store, plan = planned(tmp_path, toy)
    stop_at(toy, 15, stop)
    work(store, plan, toy, stop)
    started = time.time()
    again = ToyWorkload({"cases": 20})
    work(store, plan, again)
    progress = ProgressReader(store, plan.request.run_id, plan.shards, started=started).read()
    assert progress.cases_finished == 20
    assert progress.cases_worked == len(again.processed) < 6


def test_first_heartbeat_of_a_resume_comes_before_its_first_case_and_knows_what_is_there(tmp_path: Path) -> None:
    toy, stop = ToyWorkload({"cases": 8}), StopRequest()
    store, plan = planned(tmp_path, toy, shard_cases=3)
    stop_at(toy, 5, stop)
    work(store, plan, toy, stop)
    found = []
    again = ToyWorkload({"cases": 8})
    again.before_case = lambda case: found.append(read_progress(store, plan).cases_finished)
    work(store, plan, again)
    assert found == [6, 7] or found == sorted(found), found
    assert min(found) >= 5


def test_a_partition_that_is_worked_again_after_its_record_was_removed_is_seen(tmp_path: Path) -> None:
    """As the mail of a failed verification advises; a warm guard has read the partition's last heartbeat before."""
    toy = ToyWorkload({"cases": 8})
    store, plan = planned(tmp_path, toy)
    reader = ProgressReader(store, plan.request.run_id, plan.shards)
    work(store, plan, toy)
    reader.read()
    assert [(beat.attempt, beat.state) for beat in reader.heartbeats] == [(1, "finished")]
    layout, removed = RunLayout(plan.request.run_id), plan.shards.shards[0]
    (first_object, *_), segments = store.list(f"datasets/d/{removed.split}"), store.list(layout.segments(removed.shard))
    for key in (layout.commit(removed.shard), first_object.key, *(item.key for item in segments)):
        store.delete(key)
    again = ToyWorkload({"cases": 8})
    stop_at(again, 2, None)
    with pytest.raises(Killed):
        work(store, plan, again)
    reader.read()
    assert [(beat.attempt, beat.state) for beat in reader.heartbeats] == [(2, "working")]


def test_heartbeat_behind_its_commit_records_is_made_good(tmp_path: Path) -> None:
    toy = ToyWorkload({"cases": 12, "empty": [2]})
    store, plan = planned(tmp_path, toy)
    work(store, plan, toy)
    key = RunLayout(plan.request.run_id).heartbeat(0)
    beat = Heartbeat.model_validate_json(store.get(key))
    store.put(key, beat.model_copy(update={"cases_done": 1, "cases_empty": 0, "state": "working"}).to_bytes())
    progress = read_progress(store, plan)
    assert (progress.cases_done, progress.cases_empty, progress.records) == (11, 1, 66)


def test_bytes_of_one_process_are_counted_once(tmp_path: Path) -> None:
    from core.run.source import StoreSource

    class Counting(StoreSource):
        """A source from which every case is 10 bytes."""

    toy = ToyWorkload({"cases": 8})
    store, plan = planned(tmp_path, toy, partitions=2, shard_cases=2)
    source = Counting(store)

    def read(case: Case) -> None:
        source.bytes_read += 10

    toy.before_case = read
    for partition in (0, 1):
        PartitionWorker(store, plan, toy, source, partition).run()
    assert read_progress(store, plan).bytes_in == 80


def test_shards_of_an_unknown_run_are_a_bad_request(tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match="no_run"):
        read_shards(open_store(tmp_path), "nothing")


def test_two_thousand_shards_are_read_within_two_seconds_and_no_commit_record_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, plan = planned(tmp_path, ToyWorkload({"cases": 2000}), partitions=2000, shard_cases=1)
    layout, now = RunLayout(plan.request.run_id), time.time()
    for shard in plan.shards.shards:
        partition = shard.partition
        store.put(layout.commit(shard.shard), b"not to be read")
        store.put(
            layout.heartbeat(partition),
            Heartbeat(
                partition=partition, attempt=1, state="finished", cases_planned=1, cases_done=1, cases_empty=0,
                cases_failed=0, records=6, bytes_in=1, seconds=1, updated=now,
            ).to_bytes(),
        )  # fmt: skip
        store.put(
            layout.attempt(partition, 1),
            Attempt(
                partition=partition, attempt=1, started=now - 1, ended=now, why="finished", cases=1, shards=1
            ).to_bytes(),
        )
    reader = ProgressReader(store, plan.request.run_id, read_shards(store, plan.request.run_id))
    started = time.process_time()
    assert reader.read().cases_done == 2000
    first = time.process_time() - started
    reads: list[str] = []
    get = store.get
    monkeypatch.setattr(store, "get", lambda key: reads.append(key) or get(key))
    assert reader.read().cases_done == 2000
    assert first < 2.0
    assert reads == [], "what is finished is not read again"


_GROWTH = """
import sys, tempfile, time
from core.run.memory import peak_memory_bytes
from core.run.plan import PlanOptions, make_plan
from core.run.plan_store import read_plan, write_plan
from core.run.worker import PartitionWorker
from core.store import open_store
from tests.toy_workload import ToyWorkload

for cases in (200, 1000):
    with tempfile.TemporaryDirectory() as folder:
        toy, store = ToyWorkload({"cases": cases}), open_store(folder)
        plan = make_plan(toy, None, {}, PlanOptions(data_set="d", partitions=1, shard_cases=50))
        write_plan(store, plan)
        plan = read_plan(store, plan.request.run_id)
        before, started = peak_memory_bytes(), time.process_time()
        PartitionWorker(store, plan, toy, None, 0).run()
        print(peak_memory_bytes() - before, (time.process_time() - started) / cases)
"""


@pytest.mark.slow
def test_a_thousand_small_cases_keep_memory_flat_and_time_linear() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _GROWTH], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True
    )
    (_, few), (growth, many) = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    assert growth < 4e6, f"{growth / 1e6:.1f} MB more for 1,000 cases than for 200"
    assert many < 2 * few, f"{few * 1e3:.2f} ms a case for 200 cases, {many * 1e3:.2f} ms for 1,000"


def test_an_attempt_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    store, plan = planned(tmp_path, ToyWorkload({"cases": 4}))
    key = RunLayout(plan.request.run_id).attempt(0, 1)
    store.put(key, b"[]")
    with pytest.raises(IntegrityError) as caught:
        read_progress(store, plan)
    assert (caught.value.code, caught.value.where) == ("attempt_damaged", key)
    assert caught.value.what == "no object with names"
