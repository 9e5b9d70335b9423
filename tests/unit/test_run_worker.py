"""The worker: what it commits, what it saves when stopped, and what damage may not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.errors import TransientError
from core.examples.members import Compression
from core.run.layout import DataSetLayout
from core.run.models import Attempt
from core.run.progress import read_progress
from core.run.publish import publish
from tests.toy_bench import Bench, all_train, entries_of_a_whole_run, processed, stopped_after


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, str]:
    bench = Bench()
    assert bench.work().why == "finished"
    return bench.hashes()


def test_a_run_in_memory_is_verified_and_published() -> None:
    bench = Bench(empty=[3])
    report = bench.work()
    assert (report.why, report.cases, report.committed) == ("finished", 10, len(bench.shards()))
    publication = publish(bench.store, bench.plan, bench.workload)
    assert publication.verification.passed
    assert publication.manifest.outcomes == {"done": 9, "empty": 1}
    assert bench.store.head(DataSetLayout.named(bench.plan.request.data_set).success)
    assert not bench.segments()


def test_a_second_worker_skips_what_is_committed(undisturbed: dict[str, str]) -> None:
    bench = Bench()
    bench.work()
    before = {item.key: bench.store.get(item.key) for item in bench.store.list(bench.layout.commits)}
    late = bench.worker()
    assert late.run().committed == 0
    assert processed(late) == []
    assert {item.key: bench.store.get(item.key) for item in bench.store.list(bench.layout.commits)} == before
    assert bench.hashes() == undisturbed


def test_an_unfinished_run_is_not_published() -> None:
    bench = Bench()
    stopped_after(bench, 5).run()
    with pytest.raises(TransientError) as caught:
        publish(bench.store, bench.plan, bench.workload)
    assert caught.value.code == "shards_missing"
    assert bench.store.head(DataSetLayout.named(bench.plan.request.data_set).success) is None


@pytest.mark.parametrize("reason", ["reclaimed", "interrupted"])
@pytest.mark.parametrize("cases", range(1, 11))
def test_what_is_finished_is_saved_when_asked_to_stop(undisturbed: dict[str, str], cases: int, reason: str) -> None:
    bench = Bench()
    worker = stopped_after(bench, cases, reason)
    report = worker.run()
    done = processed(worker)
    assert len(done) == cases
    resumed = bench.worker()
    resumed.run()
    # Nothing that was finished is done again, and nothing is left out.
    assert done + processed(resumed) == [entry.case.id for entry in bench.plan.cases]
    assert bench.hashes() == undisturbed
    attempts = [
        Attempt.model_validate_json(bench.store.get(item.key)).why
        for item in bench.store.list(bench.layout.attempts(0))
    ]
    assert attempts == [report.why, "finished"]
    assert report.why == ("finished" if cases == 10 else reason)


def test_checkpoints_are_written_as_time_passes(undisturbed: dict[str, str]) -> None:
    bench = Bench({"shard_cases": 10, "checkpoint_seconds": 60.0, "thresholds": all_train()})
    reference = Bench({"shard_cases": 10, "thresholds": all_train()})
    reference.work()
    bench.worker(seconds_per_case=25.0).run()
    # Every third case passes a minute; the tenth goes into the shard itself.
    assert len(bench.segments()) == 3
    assert bench.hashes() == reference.hashes()
    idle = Bench({"shard_cases": 10, "checkpoint_seconds": 60.0, "thresholds": all_train()})
    idle.worker(seconds_per_case=5.0).run()
    assert idle.segments() == []


def test_a_killed_worker_loses_only_what_came_after_its_checkpoint() -> None:
    bench = Bench({"shard_cases": 10, "checkpoint_seconds": 60.0, "thresholds": all_train()})
    worker = bench.worker(seconds_per_case=25.0)
    count = worker.workload.before_case  # type: ignore[attr-defined]

    def die(case: Any) -> None:
        count(case)
        if case.number == 8:
            raise SystemExit

    worker.workload.before_case = die  # type: ignore[attr-defined]
    with pytest.raises(SystemExit):
        worker.run()
    resumed = bench.worker()
    resumed.run()
    assert processed(resumed) == ["0007", "0008", "0009", "0010"]
    whole = Bench({"shard_cases": 10, "thresholds": all_train()})
    whole.work()
    assert bench.hashes() == whole.hashes()
    # Figures and histograms come back from the segments too.
    assert bench.commit_of_first().figures == whole.commit_of_first().figures
    assert bench.commit_of_first().histograms == whole.commit_of_first().histograms
    assert bench.commit_of_first().cases == whole.commit_of_first().cases


def flip_in_body(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def flip_in_header(data: bytes) -> bytes:
    assert b'"records":6' in data
    return data.replace(b'"records":6', b'"records":7', 1)


DAMAGES: list[Callable[[bytes], bytes]] = [
    flip_in_body,
    flip_in_header,
    lambda data: data[:-1],
    lambda data: data[: len(data) // 2],
    lambda data: b"",
    lambda data: data.replace(b"0001", b"0002"),
    lambda data: data + b"more",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_is_passed_over(undisturbed: dict[str, str], damage: Callable[[bytes], bytes]) -> None:
    bench = Bench()
    stopped_after(bench, 3).run()
    (key,) = bench.segments()
    bench.store.put(key, damage(bench.store.get(key)))
    resumed = bench.worker()
    resumed.run()
    assert len(processed(resumed)) == 10
    assert bench.hashes() == undisturbed
    assert bench.entries() == entries_of_a_whole_run()


def test_a_gap_between_segments_is_done_again(undisturbed: dict[str, str]) -> None:
    bench = Bench()
    stopped_after(bench, 1).run()
    stopped_after(bench, 1).run()
    stopped_after(bench, 1).run()
    _, second, _ = bench.segments()
    bench.store.put(second, flip_in_body(bench.store.get(second)))
    resumed = bench.worker()
    resumed.run()
    assert len(processed(resumed)) == 9
    assert bench.hashes() == undisturbed


def test_a_segment_of_another_shard_is_not_taken() -> None:
    bench = Bench()
    stopped_after(bench, 6).run()
    (key,) = bench.segments()
    shard = bench.shards()[1]
    assert key.startswith(bench.layout.segments(shard))
    other = bench.shards()[2]
    bench.store.put(bench.layout.segment(other, 0), bench.store.get(key))
    bench.work()
    assert bench.entries() == entries_of_a_whole_run()


@pytest.mark.parametrize("compression", list(Compression))
def test_content_does_not_depend_on_compression(compression: Compression, undisturbed: dict[str, str]) -> None:
    bench = Bench({"compression": compression})
    stopped_after(bench, 3).run()
    bench.work()
    assert bench.hashes() == undisturbed
    assert bench.root_hash()


def test_progress_counts_cases_once_over_attempts() -> None:
    bench = Bench(fault="value", fault_case=10, empty=[1])
    stopped_after(bench, 3).run()
    progress = read_progress(bench.store, bench.plan)
    assert (progress.cases_finished, progress.cases_planned, progress.shards_committed) == (3, 10, 0)
    bench.work()
    progress = read_progress(bench.store, bench.plan)
    assert (progress.cases_done, progress.cases_empty, progress.cases_failed) == (8, 1, 1)
    assert (progress.share, progress.records, progress.attempts) == (1.0, 48, 2)
