"""One regression test for each way in which the runs that Casemill replaces went wrong (design, first paragraph)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadRequestError
from core.run.plan import Plan, checked_options, make_plan
from core.run.plan_store import write_plan
from core.run.publish import Publication, publish, verify_published
from core.run.stop import StopRequest
from core.run.worker import PartitionReport, PartitionWorker
from core.store import Store, open_store
from core.workload import Case
from tests.toy_workload import ToyWorkload


def planned(output: Path, workload: ToyWorkload, **options: object) -> tuple[Store, Plan]:
    store = open_store(output, create=True)
    plan = make_plan(workload, None, {}, checked_options(data_set="toy", **options))
    write_plan(store, plan)
    return store, plan


def work(store: Store, plan: Plan, workload: ToyWorkload, partition: int = 0, **more: object) -> PartitionReport:
    return PartitionWorker(store, plan, workload, None, partition, **more).run()  # type: ignore[arg-type]


def failed_checks(publication: Publication) -> set[str]:
    return {check.name for check in publication.verification.checks if not check.passed}


class Killed(BaseException):
    """A machine that is gone: nothing runs after it."""


def test_success_in_the_logs_and_no_files(tmp_path: Path) -> None:
    """Every worker reports success, and an object is not there: that is no success."""
    workload = ToyWorkload({"cases": 6})
    store, plan = planned(tmp_path, workload, shard_cases=2, partitions=1)
    assert work(store, plan, workload).why == "finished"
    next((tmp_path / "datasets" / "toy" / "train").iterdir()).unlink()
    publication = publish(store, plan, workload)
    assert "shard objects" in failed_checks(publication)
    assert not (tmp_path / "datasets" / "toy" / "_SUCCESS").exists()


def test_success_without_a_single_example(tmp_path: Path) -> None:
    workload = ToyWorkload({"cases": 4, "empty": [1, 2, 3, 4]})
    store, plan = planned(tmp_path, workload, partitions=1)
    work(store, plan, workload)
    assert failed_checks(publish(store, plan, workload)) == {"examples"}
    assert not (tmp_path / "datasets" / "toy" / "_SUCCESS").exists()


def test_every_instance_doing_every_case(tmp_path: Path) -> None:
    workloads = [ToyWorkload({"cases": 30}) for _ in range(6)]
    store, plan = planned(tmp_path, workloads[0], shard_cases=2, partitions=6)
    for partition, workload in enumerate(workloads):
        work(store, plan, workload, partition)
    processed = [case for workload in workloads for case in workload.processed]
    assert sorted(processed) == sorted(entry.case.id for entry in plan.cases)
    assert all(workload.processed for workload in workloads)


def test_all_work_lost_at_the_time_limit(tmp_path: Path) -> None:
    """Asked to stop in the middle of one long shard: what was finished is not done again."""
    first, stop = ToyWorkload({"cases": 20}), StopRequest()

    def ask(case: Case) -> None:
        if len(first.processed) == 7:
            stop.ask("timed out")

    first.before_case = ask
    store, plan = planned(tmp_path, first, shard_cases=50, partitions=1)
    assert work(store, plan, first, stop=stop).why == "timed out"
    assert len(first.processed) == 8
    second = ToyWorkload({"cases": 20})
    assert work(store, plan, second).why == "finished"
    assert sorted(first.processed + second.processed) == sorted(entry.case.id for entry in plan.cases)
    assert publish(store, plan, second).verification.passed


def test_checkpoints_that_were_never_switched_on() -> None:
    assert checked_options().checkpoint_seconds == 60
    for seconds in (0, -1):
        with pytest.raises(BadRequestError):
            checked_options(checkpoint_seconds=seconds)


def test_checkpoints_that_were_never_read_back(tmp_path: Path) -> None:
    """Killed without a word after some checkpoints: the next attempt starts behind the last one."""
    first = ToyWorkload({"cases": 12, "seconds": 0.01})

    def die(case: Case) -> None:
        if len(first.processed) == 6:
            raise Killed

    first.before_case = die
    # A checkpoint after every case, and one shard for each split.
    store, plan = planned(tmp_path, first, shard_cases=50, partitions=1, checkpoint_seconds=1e-9)
    with pytest.raises(Killed):
        work(store, plan, first)
    saved = [case.id for case in (entry.case for entry in plan.cases)][:6]
    second = ToyWorkload({"cases": 12})
    work(store, plan, second)
    assert first.processed == saved
    assert not set(second.processed) & set(saved[:5]), "at most the case since the last checkpoint is done again"
    assert publish(store, plan, second).verification.passed


@pytest.mark.slow
def test_validation_never_tried_at_scale(tmp_path: Path) -> None:
    """Among a thousand shards the one flipped byte is found, and nothing else is blamed."""
    workload = ToyWorkload({"cases": 1000, "windows": 2})
    store, plan = planned(tmp_path, workload, shard_cases=1, partitions=1)
    work(store, plan, workload)
    assert publish(store, plan, workload, workers=2).verification.passed
    victim = sorted((tmp_path / "datasets" / "toy" / "train").iterdir())[500]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    verification, manifest = verify_published(open_store(tmp_path / "datasets" / "toy"))
    assert len(manifest.shards) == 1000
    assert not verification.passed
    blamed = {problem.split(":")[0] for check in verification.checks for problem in check.problems}
    assert victim.name.split(".")[0] in blamed
    assert len([name for name in blamed if name.startswith(("train", "validation", "test"))]) == 1


def test_a_success_that_is_true_no_longer(tmp_path: Path) -> None:
    """Verified once, spoiled later, started again: the old ``_SUCCESS`` does not stay."""
    workload = ToyWorkload({"cases": 6})
    store, plan = planned(tmp_path, workload, shard_cases=2, partitions=1)
    work(store, plan, workload)
    success = tmp_path / "datasets" / "toy" / "_SUCCESS"
    assert publish(store, plan, workload).verification.passed
    assert success.exists()
    next((tmp_path / "datasets" / "toy" / "train").iterdir()).write_bytes(b"")
    assert not publish(store, plan, workload).verification.passed
    assert not success.exists()


def test_half_a_shard_beside_the_shards(tmp_path: Path) -> None:
    """A process that was killed while it wrote leaves half a file, which readers of ``train/*`` would take for a
    shard: it goes before the data set is published, and is told of where it comes later."""
    workload = ToyWorkload({"cases": 6})
    store, plan = planned(tmp_path, workload, shard_cases=2, partitions=1)
    work(store, plan, workload)
    folder = tmp_path / "datasets" / "toy"
    shard = next((folder / "train").iterdir())
    left = [shard.with_name(f"{shard.name}#1"), folder / "manifest.json#2"]
    for path in left:
        path.write_bytes(b"half")
    assert publish(store, plan, workload).verification.passed
    assert not any(path.exists() for path in left)
    left[0].write_bytes(b"half")
    verification, _ = verify_published(open_store(folder))
    assert [check.name for check in verification.checks if not check.passed] == ["shard objects"]
    assert f"{shard.name}#1 is not in the manifest" in str(verification.checks)
    strange = folder / "train" / "mine.gz#1"
    strange.write_bytes(b"1")
    assert failed_checks(publish(store, plan, workload)) == {"shard objects"}
    assert strange.exists()
    assert not left[0].exists()


@pytest.mark.parametrize("written", range(6))
def test_documents_that_are_written_anew_by_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Published once, then again with another licence, and killed between two documents: no ``_SUCCESS`` stands
    beside documents that it does not vouch for."""
    workload = ToyWorkload({"cases": 6})
    store, plan = planned(tmp_path, workload, shard_cases=2, partitions=1)
    work(store, plan, workload)
    assert publish(store, plan, workload).verification.passed
    put, documents = Store.put, []

    def killed(self: Store, key: str, data: bytes) -> None:
        if key.startswith("datasets/"):
            if len(documents) == written:
                raise Killed
            documents.append(key)
        put(self, key, data)

    monkeypatch.setattr(Store, "put", killed)
    stated = replace(plan, request=plan.request.model_copy(update={"source_licence": "CC0-1.0"}))
    with pytest.raises(Killed):
        publish(store, stated, workload)
    monkeypatch.undo()
    folder = tmp_path / "datasets" / "toy"
    assert not (folder / "_SUCCESS").exists()
    assert publish(store, stated, workload).verification.passed
    verification, _ = verify_published(open_store(folder))
    assert verification.passed


def test_documents_that_stay_the_same_leave_success_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = ToyWorkload({"cases": 6})
    store, plan = planned(tmp_path, workload, shard_cases=2, partitions=1)
    work(store, plan, workload)
    publish(store, plan, workload)
    deleted: list[str] = []
    monkeypatch.setattr(Store, "delete", lambda self, key: deleted.append(key))
    assert publish(store, plan, workload).verification.passed
    assert deleted == []
