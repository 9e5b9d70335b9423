"""Rounds and groups: what is decided from the plan and the commit records alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_image.assignment import read_round
from core.errors import BadRequestError, TransientError
from core.run.layout import RunLayout
from core.run.models import Attempt, PlannedShard, RoundPlan, ShardPlan
from core.run.rounds import MOST_RIVALS, RoundDecision, holes, job_name, jobs_begun, next_round
from core.run.verify_groups import (
    GROUP_BYTES,
    GROUP_SHARDS,
    MOST_GROUPS,
    groups_of,
    typical_record_bytes,
    verify_groups,
)
from core.store import open_store
from core.workloads.vitaldb.workload import VitaldbWorkload
from tests.cloud_bench import CloudBench, asked_toy


def test_the_first_round_has_everything_and_the_next_what_is_left() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    first = next_round(bench.store, bench.run_id, 0)
    assert first == RoundDecision(
        action="work_array", round=1, tries=1, holes=4, array_size=4, capacity="spot",
        job_name=f"casemill-{bench.run_id}-1",
    )  # fmt: skip
    assert read_round(bench.store, bench.run_id, 1, 4) == (0, 1, 2, 3)
    bench.child(2)
    second = next_round(bench.store, bench.run_id, first.tries)
    assert (second.round, second.tries, second.array_size, second.capacity) == (2, 2, 3, "spot")
    assert read_round(bench.store, bench.run_id, 2, 4) == (0, 1, 3)


def test_one_hole_is_a_plain_job() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    for partition in (0, 1, 3):
        bench.child(partition)
    decision = next_round(bench.store, bench.run_id, 0)
    assert (decision.action, decision.array_size) == ("work_single", 1)
    assert read_round(bench.store, bench.run_id, decision.round, 4) == (2,)
    bench.array(decision)
    done = next_round(bench.store, bench.run_id, decision.tries)
    assert done == RoundDecision(action="verify", tries=1, holes=0)


def test_a_finished_run_is_verified_at_once_and_however_often_it_was_tried() -> None:
    bench = CloudBench(asked_toy()).finished()
    before = len(bench.store.list(bench.layout.rounds))
    for tries in (0, 3, 7):
        assert next_round(bench.store, bench.run_id, tries).action == "verify"
    assert len(bench.store.list(bench.layout.rounds)) == before


def broken(bench: CloudBench, partition: int, number: int, exit_code: int, cause: str) -> None:
    """An attempt that an error ended."""
    attempt = Attempt(
        partition=partition, attempt=number, started=0, ended=1, why="crashed", detail="age of 63.5", cases=0, shards=0,
        cause=cause, exit_code=exit_code,
    )  # fmt: skip
    bench.store.put(bench.layout.attempt(partition, number), attempt.to_bytes())


def test_what_would_end_the_same_way_is_not_worked_again() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    broken(bench, 0, 1, 70, "bug KeyError")
    broken(bench, 0, 2, 70, "bug KeyError")
    broken(bench, 1, 1, 70, "bug KeyError")
    broken(bench, 2, 1, 64, "commit_damaged")
    second = next_round(bench.store, bench.run_id, 1)
    assert read_round(bench.store, bench.run_id, second.round, 4) == (1, 3), "a bug has a second try, what has none yet"
    assert (second.action, second.holes, second.array_size) == ("work_array", 4, 2)
    assert next_round(bench.store, bench.run_id, 0).array_size == 4, "something may have been mended since"
    assert next_round(bench.store, bench.run_id, 1, blocked=True).array_size == 4, "nobody worked in that round"


def test_nothing_but_such_partitions_ends_the_run_and_says_why_without_quoting() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    for partition in (1, 2, 3):
        bench.child(partition)
    broken(bench, 0, 1, 70, "bug KeyError")
    broken(bench, 0, 2, 70, "bug KeyError")
    assert next_round(bench.store, bench.run_id, 1) == RoundDecision(
        action="give_up", tries=1, holes=1,
        why="1 partition is open and another attempt would end the same way; the last attempts ended: "
        "1 crashed [bug KeyError]",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tries", "blocked", "capacity"),
    [(0, False, "spot"), (1, False, "spot"), (2, False, "on-demand"), (1, True, "on-demand"), (2, True, "on-demand")],
)
def test_the_last_round_and_what_follows_a_blocked_one_are_on_demand(tries: int, blocked: bool, capacity: str) -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    decision = next_round(bench.store, bench.run_id, tries, blocked)
    assert (decision.capacity, decision.tries) == (capacity, tries + 1)


def test_three_rounds_and_no_more_but_a_later_execution_goes_on() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    tries = 0
    for number in (1, 2, 3):
        decision = next_round(bench.store, bench.run_id, tries)
        assert decision.round == number
        tries = decision.tries
    assert next_round(bench.store, bench.run_id, tries) == RoundDecision(
        action="give_up", tries=3, holes=4,
        why="4 partitions are open after 3 rounds; the last attempts ended: 4 without an attempt that is known",
    )  # fmt: skip
    assert next_round(bench.store, bench.run_id, 0).round == 4


def test_a_last_round_without_machines_says_so_and_not_how_work_ended_long_before() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    broken(bench, 0, 1, 75, "storage")
    decision = next_round(bench.store, bench.run_id, 3, blocked=True)
    assert decision.action == "give_up"
    assert decision.why.startswith("4 partitions are open after 3 rounds; the last of them found no machine: look at")
    assert "limits for vCPUs" in decision.why
    assert "storage" not in decision.why


def test_the_jobs_of_an_execution_are_those_of_the_rounds_that_it_began() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    for number, execution in enumerate(("first", "second", "first-2", "first"), 1):
        assert next_round(bench.store, bench.run_id, 0, execution=execution).round == number
    found = jobs_begun(bench.store, bench.run_id, "first")
    assert found == (job_name(bench.run_id, 1), job_name(bench.run_id, 4))
    assert jobs_begun(bench.store, bench.run_id, "third") == ()


def test_a_rivals_number_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    create, calls = bench.store.put_if_absent, []

    def beaten_twice(key: str, data: bytes) -> bool:
        if "/rounds/" in key and len(calls) < 2:
            calls.append(key)
            create(key, RoundPlan(partitions=(3,)).to_bytes())
        return create(key, data)

    monkeypatch.setattr(bench.store, "put_if_absent", beaten_twice)
    decision = next_round(bench.store, bench.run_id, 0)
    assert decision.round == 3
    assert read_round(bench.store, bench.run_id, 3, 4) == (0, 1, 2, 3)
    assert read_round(bench.store, bench.run_id, 1, 4) == (3,)
    monkeypatch.setattr(bench.store, "put_if_absent", lambda key, data: False)
    with pytest.raises(TransientError) as caught:
        next_round(bench.store, bench.run_id, 0)
    assert caught.value.code == "rounds_busy"
    assert MOST_RIVALS > 1


def test_no_such_run() -> None:
    with pytest.raises(BadRequestError) as caught:
        next_round(open_store("memory://"), "nobody", 0)
    assert caught.value.code == "no_run"


def test_ten_thousand_partitions_are_listed_in_one_go(tmp_path: Path) -> None:
    shards = tuple(planned(number) for number in range(10_000))
    store, layout = open_store("memory://"), RunLayout("large")
    for number in range(0, 10_000, 3):
        store.put(layout.commit(shards[number].shard), b"")
    found = holes(store, "large", shards)
    assert len(found) == 10_000 - 3_334
    assert found[:4] == (1, 2, 4, 5)
    assert len(RoundPlan(partitions=found).to_bytes()) < 200_000


@given(st.text("abcXYZ019._-", min_size=1, max_size=64), st.integers(1, 99_999))
def test_job_names_fit_aws_batch(run_id: str, number: int) -> None:
    name = job_name(run_id, number)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", name)
    assert name.endswith(f"-{number}")


def planned(number: int, windows: int = 1) -> PlannedShard:
    return PlannedShard.model_construct(
        shard=f"train-{number:05d}", split="train", partition=number, cases=1, estimated_records=windows, bytes=1
    )


@given(
    st.lists(st.one_of(st.integers(0, 3_000_000), st.just(0)), max_size=MOST_GROUPS),
    st.sampled_from([1, 1_000, 20_000, 10**9]),
)
def test_groups_hold_every_shard_once_in_order_and_stay_in_their_bounds(windows: list[int], record_bytes: int) -> None:
    shards = [planned(number, count) for number, count in enumerate(windows)]
    groups = verify_groups(shards, record_bytes)
    assert [name for group in groups for name in group] == [shard.shard for shard in shards]
    sizes = {shard.shard: shard.estimated_records * record_bytes for shard in shards}
    assert all(groups)
    for group in groups:
        assert len(group) <= GROUP_SHARDS
        assert len(group) == 1 or sum(sizes[name] for name in group) <= GROUP_BYTES


@pytest.mark.parametrize(("count", "windows"), [(10_000, 15_000), (120_000, 1), (20_000, 10**7), (1_001, 10**9)])
def test_there_are_never_more_groups_than_the_state_machine_can_carry(count: int, windows: int) -> None:
    groups = verify_groups([planned(number, windows) for number in range(count)], 20_000)
    assert sum(map(len, groups)) == count
    assert len(groups) <= MOST_GROUPS
    assert max(map(len, groups)) < 2 * max(GROUP_SHARDS, count / MOST_GROUPS) + 1, "and none has most of the work"


def test_the_open_data_set_is_verified_in_a_few_groups() -> None:
    schema = VitaldbWorkload({}).schema
    assert 19_000 < typical_record_bytes(schema) < 21_000
    # 6,388 cases of 2.76 h in shards of 50: 320 windows a case.
    groups = verify_groups([planned(number, 50 * 320) for number in range(128)], typical_record_bytes(schema))
    assert 4 <= len(groups) <= 10


def test_no_shards_no_groups() -> None:
    assert verify_groups([], 100) == []


def test_everybody_gets_the_same_groups() -> None:
    stored = CloudBench(asked_toy()).plan()
    again = ShardPlan.model_validate_json(stored.shards.to_bytes())
    assert groups_of(stored.request, stored.shards.shards) == groups_of(stored.request, again.shards)
