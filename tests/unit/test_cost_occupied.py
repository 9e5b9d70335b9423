"""From attempts' records and heartbeats to occupied time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from core.cost.occupied import OccupiedTime, occupied_times
from core.run.models import Attempt, Heartbeat


@dataclass(frozen=True)
class Place:
    """The fields that an attempt's document gives under ``place``."""

    instance_type: str | None = "big"
    zone: str | None = "us-east-1a"
    capacity: str | None = "spot"
    processors: float | None = 1.0
    host_processors: int | None = 2


def attempt(partition: int = 0, number: int = 1, why: str = "finished") -> Attempt:
    return Attempt(
        partition=partition, attempt=number, started=100.0, ended=160.0, why=why, cases=7, restored=3, shards=1
    )  # type: ignore[arg-type]  # why is checked when it is validated


def beat(partition: int = 0, number: int = 1, updated: float = 1000.0, state: str = "working") -> Heartbeat:
    return Heartbeat(
        partition=partition, attempt=number, state=state, cases_planned=9, cases_done=4, cases_empty=1, cases_failed=0,
        cases_restored=2, records=1, bytes_in=1, seconds=50.0, interval=10.0, updated=updated,
    )  # type: ignore[arg-type]  # fmt: skip


def test_an_attempt_with_its_place() -> None:
    (found,) = occupied_times([(attempt(), Place())], [], now=0)
    assert found == OccupiedTime(0, 1, 100.0, 160.0, "finished", "big", "us-east-1a", "spot", 1.0, 2, cases=4)
    assert (found.micros, found.share, found.end) == (60_000_000, Fraction(1, 2), "useful")


def test_an_attempt_without_a_place_is_kept_with_its_time() -> None:
    (found,) = occupied_times([(attempt(why="reclaimed"), None)], [], now=0)
    assert (found.micros, found.share, found.instance_type, found.end) == (60_000_000, None, None, "reclaimed")


def test_a_running_attempt_lasts_until_now_while_it_can_be_heard() -> None:
    (found,) = occupied_times([], [(beat(), Place())], now=1020.0)
    assert (found.started, found.ended, found.why, found.cases) == (950.0, 1020.0, "running", 3)


def test_a_silent_one_lasts_until_its_last_heartbeat() -> None:
    (found,) = occupied_times([], [(beat(), Place())], now=1031.0)
    assert found.ended == 1000.0
    (stopped,) = occupied_times([], [(beat(state="stopped"), Place())], now=1005.0)
    assert stopped.ended == 1000.0


def test_each_attempt_counts_once_and_its_record_comes_first() -> None:
    found = occupied_times(
        [(attempt(1), Place()), (attempt(0, 2), Place()), (attempt(0, 1, "reclaimed"), Place())],
        [(beat(0, 2), Place()), (beat(1, 2), Place())],
        now=1000.0,
    )
    assert [(item.partition, item.attempt, item.why) for item in found] == [
        (0, 1, "reclaimed"),
        (0, 2, "finished"),
        (1, 1, "finished"),
        (1, 2, "running"),
    ]
