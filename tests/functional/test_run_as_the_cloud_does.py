"""A whole run as the state machine drives it, with machines that die: the same data set as on one quiet machine."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.run.models import Attempt
from core.run.pipeline import execute
from core.run.plan_store import read_plan
from core.run.progress import ProgressReader
from core.run.publish import publish, verify_published
from core.run.rounds import next_round
from core.run.submission import plan_asked
from core.store import open_store
from core.workload import Case
from tests.cloud_bench import SPOT, CloudBench, asked_toy
from tests.toy_workload import ToyWorkload, build_toy

SETTINGS = {"cases": 30, "empty": [7], "fault": "content", "fault_case": 11}


@pytest.fixture(scope="module")
def on_one_machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The root hash that ``casemill run`` gives."""
    store = open_store(tmp_path_factory.mktemp("one") / "out", create=True)
    plan, workload = plan_asked(asked_toy(SETTINGS, shard_cases=3), build_toy)
    result = execute(store, plan, workload, build_toy, 2)
    assert result.verification.passed
    return result.manifest.root_hash


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("partitions", [1, 5, 12])
def test_killed_and_reclaimed_machines_change_nothing(on_one_machine: str, seed: int, partitions: int) -> None:
    chance = random.Random(f"{seed} {partitions}")
    unlucky = [0.0, 0.1, 0.3][seed % 3]

    def fate(case: Case) -> str:
        if chance.random() >= unlucky:
            return ""
        return chance.choice(["kill", "reclaim"])

    bench = CloudBench(asked_toy(SETTINGS, shard_cases=3, partitions=partitions), fate=fate)
    bench.plan()
    # Executions fail and are started again until one gets through; each plans (or takes up) and tries three rounds.
    executions = 1
    while bench.work().action != "verify":
        executions += 1
        assert executions < 60
        bench.plan()
    bench.verify()
    publication = bench.publish(f"execution-{executions}")
    assert publication.verification.passed
    assert publication.manifest.root_hash == on_one_machine
    assert b"SUCCESS" in bench.store.get(bench.layout.report)
    # Reading everything back says the same as the findings did.
    plan = read_plan(bench.store, bench.run_id)
    assert publish(bench.store, plan, ToyWorkload(SETTINGS)).verification == publication.verification


def test_two_executions_at_once_do_not_disturb_each_other(on_one_machine: str) -> None:
    bench = CloudBench(asked_toy(SETTINGS, shard_cases=3))
    bench.plan()
    first, second = next_round(bench.store, bench.run_id, 0), next_round(bench.store, bench.run_id, 0)
    assert {first.round, second.round} == {1, 2}
    assert first.job_name != second.job_name
    bench.array(second)
    bench.array(first)
    bench.verify()
    bench.verify()
    assert bench.publish("a").manifest.root_hash == on_one_machine
    assert bench.publish("b").verification.passed


def test_the_data_set_passes_the_command_lines_verification(tmp_path: Path) -> None:
    bench = CloudBench(asked_toy(SETTINGS, shard_cases=3), store=open_store(tmp_path, create=True)).finished()
    assert bench.publish().verification.passed
    verification, _ = verify_published(open_store(tmp_path / "datasets" / "toy"))
    assert verification.passed


def test_attempts_and_heartbeats_say_where_they_worked() -> None:
    lives = iter(["", "kill", *[""] * 100])
    bench = CloudBench(asked_toy({"cases": 4}, partitions=1), fate=lambda case: next(lives))
    stored = bench.plan()
    bench.work()
    reader = ProgressReader(bench.store, bench.run_id, stored.shards)
    reader.read(now=bench.seconds)
    # The one that was killed could not say it; its heartbeat did.
    assert [(item.why, item.place) for item in reader.attempts] == [("crashed", SPOT), ("finished", SPOT)]
    assert [beat.place for beat in reader.heartbeats] == [SPOT]


def test_an_attempt_of_an_earlier_version_has_no_place() -> None:
    old = {"partition": 0, "attempt": 1, "started": 1.0, "ended": 2.0, "why": "finished", "cases": 1, "shards": 1}
    assert Attempt.model_validate(old).place is None
