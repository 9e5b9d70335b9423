"""Counts and rates from what the store holds, without a store."""

from __future__ import annotations

from typing import Any

import pytest

from core.run.models import Attempt, Heartbeat, PlannedShard, ShardPlan
from core.run.progress import progress_text
from core.run.progress_counts import Seen, ShardOutcomes, add_up

NOW = 10_000.0


def shards(*sizes: int, partitions: int | None = None) -> ShardPlan:
    count = partitions or len(sizes)
    return ShardPlan(
        partitions=count,
        shards=tuple(
            PlannedShard(
                shard=f"train-{number:05d}",
                split="train",
                partition=number % count,
                cases=size,
                estimated_records=1,
                bytes=1,
            )
            for number, size in enumerate(sizes)
        ),
    )  # fmt: skip


def beat(partition: int, done: int, **changes: Any) -> Heartbeat:
    content: dict[str, Any] = {
        "partition": partition, "attempt": 1, "state": "working", "cases_planned": 10, "cases_done": done,
        "cases_empty": 0, "cases_failed": 0, "records": done * 6, "bytes_in": 0, "seconds": 10.0, "updated": NOW,
    }  # fmt: skip
    return Heartbeat(**{**content, **changes})


def ended(
    partition: int, number: int, why: str, started: float, stopped: float, cases: int, restored: int = 0
) -> Attempt:
    return Attempt(
        partition=partition, attempt=number, started=started, ended=stopped, why=why, cases=cases, restored=restored,
        records_restored=restored * 6, shards=0,
    )  # type: ignore[arg-type]  # fmt: skip


def seen(beats: list[Heartbeat], **changes: Any) -> Seen:
    content: dict[str, Any] = {"committed": frozenset(), "attempts": (), "outcomes": {}, "now": NOW, **changes}
    return Seen(beats={item.partition: item for item in beats}, **content)


def test_rate_and_time_left_follow_from_the_cases_of_this_start() -> None:
    progress = add_up("r", shards(10, 10), seen([beat(0, 5), beat(1, 3)]))
    assert progress.cases_finished == 8
    assert progress.rate == pytest.approx(0.8)
    assert progress.record_rate == pytest.approx(4.8)
    assert progress.left_seconds == pytest.approx(12 / 0.8)


def test_restored_cases_do_not_inflate_the_rate() -> None:
    resumed = beat(0, 9, attempt=2, cases_restored=8, records_restored=48)
    progress = add_up("r", shards(10), seen([resumed]))
    assert progress.cases_finished == 9
    assert progress.rate == pytest.approx(0.1)
    assert progress.record_rate == pytest.approx(0.6)


def test_partitions_of_an_earlier_start_are_counted_but_not_in_the_rate() -> None:
    earlier = beat(0, 10, state="finished", updated=NOW - 3600)
    progress = add_up("r", shards(10, 10), seen([earlier, beat(1, 2)], committed=frozenset({"train-00000"})))
    assert progress.cases_finished == 12
    assert progress.rate == pytest.approx(0.2)


def test_work_of_a_reclaimed_attempt_in_the_same_start_stays_in_the_rate() -> None:
    lost = ended(0, 1, "reclaimed", NOW - 50, NOW - 12, cases=7)
    progress = add_up("r", shards(10), seen([beat(0, 8, attempt=2, cases_restored=7)], attempts=[lost]))
    assert progress.seconds == pytest.approx(50)
    assert progress.rate == pytest.approx(8 / 50)
    assert (progress.attempts, progress.reclaims, progress.ends) == (2, 1, {"reclaimed": 1})


def test_known_start_counts_from_there() -> None:
    lost = ended(0, 1, "interrupted", NOW - 20, NOW - 12, cases=7)
    found = seen([beat(0, 8, attempt=2, cases_restored=7)], attempts=[lost], started=NOW - 11)
    progress = add_up("r", shards(10), found)
    assert progress.seconds == pytest.approx(11)
    assert progress.cases_worked == 1


def test_nothing_seen_gives_no_rate_and_no_time_left() -> None:
    progress = add_up("r", shards(10), seen([]))
    assert (progress.cases_finished, progress.rate, progress.left_seconds, progress.updated) == (0, None, None, None)
    assert [item.state for item in progress.partitions] == ["waiting"]
    assert "unknown" in progress_text(progress)


@pytest.mark.parametrize(("age", "state"), [(2.9, "working"), (3.1, "stale")])
def test_worker_is_stale_after_three_intervals(age: float, state: str) -> None:
    progress = add_up("r", shards(10), seen([beat(0, 5, updated=NOW - age, interval=1.0)]))
    assert progress.partitions[0].state == state
    assert progress.stale == ((0,) if state == "stale" else ())
    assert ("overdue" in progress_text(progress)) is (state == "stale")


def test_long_cases_make_patient_watchers() -> None:
    progress = add_up("r", shards(10), seen([beat(0, 5, updated=NOW - 80, interval=30.0)]))
    assert progress.partitions[0].state == "working"


def test_commit_records_win_over_a_heartbeat_that_is_behind() -> None:
    found = seen(
        [beat(0, 3, updated=NOW - 500)],
        committed=frozenset({"train-00000"}),
        outcomes={"train-00000": ShardOutcomes(done=7, empty=1, failed=2, records=42)},
    )
    progress = add_up("r", shards(10), found)
    assert (progress.cases_done, progress.cases_empty, progress.cases_failed, progress.records) == (7, 1, 2, 42)
    assert (progress.cases_left, progress.worked, progress.partitions[0].state) == (0, True, "finished")


def test_text_for_people_names_everything() -> None:
    ends = [ended(0, 1, "reclaimed", NOW - 50, NOW - 12, cases=5), ended(1, 1, "crashed", NOW - 50, NOW - 12, cases=0)]
    text = progress_text(
        add_up("r", shards(10, 10), seen([beat(0, 5, attempt=2), beat(1, 0, attempt=2)], attempts=ends))
    )
    lines = dict(line.split(None, 1) for line in text.splitlines())
    assert lines["progress"] == "25.0%"
    assert lines["cases"] == "5 of 20: 5 done, 0 empty, 0 failed, 15 left"
    assert lines["attempts"] == "4: 1 crashed, 1 reclaimed"
    assert lines["reclaims"] == "1"
    assert lines["updated"] == "1970-01-01 02:46:40 UTC"
