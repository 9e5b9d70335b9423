"""The commit: one record a shard whatever rivals do, and never over content that is not its own."""

from __future__ import annotations

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.errors import IntegrityError
from core.examples.members import decompress_member
from core.run.assemble import read_commits
from core.run.models import CommitRecord
from core.store import open_store
from tests.toy_bench import Bench, processed, stopped_after


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, str]:
    bench = Bench()
    assert bench.work().why == "finished"
    return bench.hashes()


@pytest.mark.parametrize("at", [1, 2, 4, 5, 10])
def test_a_rival_in_between_changes_nothing(undisturbed: dict[str, str], at: int) -> None:
    bench = Bench()
    first, rival = bench.worker(), bench.worker()
    seen: list[int] = []

    def let_the_rival_pass(case: Any) -> None:
        seen.append(case.number)
        if len(seen) == at:
            rival.run()

    first.workload.before_case = let_the_rival_pass  # type: ignore[attr-defined]
    together = first.run().committed + rival._committed
    assert together == len(bench.shards())
    assert bench.hashes() == undisturbed
    assert bench.root_hash()


def test_rivals_whose_segments_overlap(undisturbed: dict[str, str]) -> None:
    bench = Bench()
    slow = stopped_after(bench, 3)
    ask = slow.workload.before_case  # type: ignore[attr-defined]
    fast = stopped_after(bench, 2)

    def meanwhile(case: Any) -> None:
        ask(case)
        if case.id == bench.plan.cases[1].case.id:
            fast.run()

    slow.workload.before_case = meanwhile  # type: ignore[attr-defined]
    slow.run()
    assert len(bench.segments()) == 2
    resumed = bench.worker()
    resumed.run()
    assert processed(resumed) == [entry.case.id for entry in bench.plan.cases[3:]]
    assert bench.hashes() == undisturbed


def test_rivals_in_threads(undisturbed: dict[str, str]) -> None:
    bench = Bench()
    workers = [bench.worker() for _ in range(4)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(worker._committed for worker in workers) == len(bench.shards())
    assert bench.hashes() == undisturbed
    assert bench.root_hash()


def uncommitted(bench: Bench) -> tuple[CommitRecord, str]:
    """Take the first shard's record away: its object was written and the worker then died."""
    bench.work()
    record = bench.commit_of_first()
    kept = bench.store
    bench.store = open_store("memory://")
    for item in kept.list():
        if item.key != bench.layout.commit(record.shard):
            bench.store.put(item.key, kept.get(item.key))
    return record, bench.object_key(record)


def test_an_object_without_a_record_is_taken_up() -> None:
    bench = Bench()
    record, key = uncommitted(bench)
    data = bench.store.get(key)
    assert bench.work().committed == 1
    assert bench.commit_of_first().model_dump(exclude={"made_by"}) == record.model_dump(exclude={"made_by"})
    assert bench.store.get(key) == data


def test_an_object_of_another_deflate_is_taken_up_with_its_own_offsets() -> None:
    bench = Bench(empty=[2])
    record, key = uncommitted(bench)
    data = bench.store.get(key)
    members = [data[case.offset : case.offset + case.length] for case in record.cases]
    blocks = [decompress_member(member) for member in members]
    theirs = b"".join(gzip.compress(block, 9, mtime=0) if block else b"" for block in blocks)
    assert theirs != data
    bench.store.put(key, theirs)
    assert bench.work().committed == 1
    found = bench.commit_of_first()
    assert (found.content_sha256, found.bytes) == (record.content_sha256, len(theirs))
    for case, block in zip(found.cases, blocks, strict=True):
        assert decompress_member(theirs[case.offset : case.offset + case.length]) == block
    assert bench.store.get(key) == theirs
    assert bench.root_hash()


@pytest.mark.parametrize("kind", ["other records", "cut", "no gzip", "empty"])
def test_an_object_with_other_content_is_a_conflict(kind: str) -> None:
    bench = Bench()
    record, key = uncommitted(bench)
    data = bench.store.get(key)
    bench.store.put(
        key,
        {
            "other records": data[: record.cases[1].offset],
            "cut": data[:-5],
            "no gzip": b"not gzip at all",
            "empty": b"",
        }[kind],
    )
    with pytest.raises(IntegrityError) as caught:
        bench.work()
    assert (caught.value.code, caught.value.where) == ("object_conflict", key)
    assert bench.store.head(bench.layout.commit(record.shard)) is None


def test_a_commit_record_that_cannot_be_read_is_named() -> None:
    bench = Bench()
    bench.work()
    bench.store.put(bench.layout.commit(bench.shards()[0]), b"{}")
    with pytest.raises(IntegrityError) as caught:
        read_commits(bench.store, bench.plan)
    assert caught.value.code == "commit_damaged"
    assert caught.value.what == "the commit record cannot be read: shard: missing"


def test_twenty_racing_on_a_folder(undisturbed: dict[str, str], tmp_path: Path) -> None:
    bench = Bench()
    bench.store = open_store(tmp_path, create=True)
    workers = [bench.worker() for _ in range(20)]
    with ThreadPoolExecutor(len(workers)) as pool:
        reports = list(pool.map(lambda worker: worker.run(), workers))
    assert {report.why for report in reports} == {"finished"}
    assert sum(report.committed for report in reports) == len(bench.shards())
    assert bench.hashes() == undisturbed
    assert bench.root_hash()
