"""Verification in groups: findings that hold publish a data set; stale, foreign and tampered ones never do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import core.run.findings as findings_module
import core.run.verify_groups as verify_groups_module
from core.errors import BadRequestError, IntegrityError, TransientError
from core.run.commit import read_commit
from core.run.findings import GroupFindings, verify_group
from core.run.layout import DataSetLayout
from core.run.plan_store import read_plan
from core.run.publish import publish, read_success
from tests.cloud_bench import CloudBench, asked_toy
from tests.toy_workload import ToyWorkload, build_toy

DATA_SET = DataSetLayout.named("toy")


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_groups_module, "GROUP_SHARDS", 2)


@pytest.fixture
def bench() -> CloudBench:
    return CloudBench(asked_toy({"empty": [3]})).finished()


def object_key(bench: CloudBench, shard: str = "train-00001") -> str:
    record = read_commit(bench.store, bench.layout, shard)
    assert record is not None
    return DATA_SET.key(record.path)


def group_of(bench: CloudBench, shard: str = "train-00001") -> int:
    return next(group for group in range(bench.groups()) if shard in {item.shard for item in read(bench, group).shards})


def read(bench: CloudBench, group: int) -> GroupFindings:
    return GroupFindings.model_validate_json(bench.store.get(bench.layout.group_findings(group)))


def is_published(bench: CloudBench) -> bool:
    return read_success(bench.store, DATA_SET) is not None


def refused(bench: CloudBench) -> str:
    """Why the cloud refuses to publish."""
    with pytest.raises(IntegrityError) as caught:
        bench.publish()
    assert caught.value.code == "findings_missing"
    assert not is_published(bench)
    return caught.value.what


def test_findings_publish_the_data_set_that_reading_it_back_does(bench: CloudBench, monkeypatch: Any) -> None:
    assert bench.groups() > 2
    plan = read_plan(bench.store, bench.run_id)
    by_reading = publish(bench.store, plan, ToyWorkload(plan.request.configuration))
    sealed = {item.key: bench.store.get(item.key) for item in bench.store.list(DATA_SET.root)}
    verification = bench.store.get(bench.layout.verification)
    # Not one shard is read again.
    monkeypatch.setattr("core.run.publish.verify_shard", None)
    assert bench.publish() == by_reading
    assert by_reading.verification.passed
    assert {item.key: bench.store.get(item.key) for item in bench.store.list(DATA_SET.root)} == sealed
    assert bench.store.get(bench.layout.verification) == verification


def test_a_group_may_be_verified_again(bench: CloudBench) -> None:
    before = bench.store.get(bench.layout.group_findings(0))
    assert verify_group(bench.store, bench.run_id, 0, build_toy).problems == 0
    assert bench.store.get(bench.layout.group_findings(0)) == before
    assert bench.publish().verification.passed


def test_a_missing_group_is_refused_in_the_cloud_and_read_here(bench: CloudBench) -> None:
    bench.store.delete(bench.layout.group_findings(1))
    assert "no findings" in refused(bench)
    plan = read_plan(bench.store, bench.run_id)
    assert publish(bench.store, plan, ToyWorkload({}), trust="findings").verification.passed


def spoil(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


@pytest.mark.parametrize("change", [spoil, lambda data: data[:-1], lambda data: b"", lambda data: data + b"\0"])
def test_an_object_that_was_bad_when_it_was_verified(bench: CloudBench, change: Callable[[bytes], bytes]) -> None:
    key = object_key(bench)
    bench.store.put(key, change(bench.store.get(key)))
    bench.verify()
    publication = bench.publish()
    assert not publication.verification.passed
    assert "checksums" in {check.name for check in publication.verification.checks if not check.passed}
    assert not is_published(bench)


@pytest.mark.parametrize("change", [spoil, lambda data: data[:-1], lambda data: b""])
def test_an_object_that_changes_after_it_was_verified(bench: CloudBench, change: Callable[[bytes], bytes]) -> None:
    key = object_key(bench)
    bench.store.put(key, change(bench.store.get(key)))
    assert "changed after it was verified" in refused(bench)
    plan = read_plan(bench.store, bench.run_id)
    assert not publish(bench.store, plan, ToyWorkload({}), trust="findings").verification.passed
    assert not is_published(bench)


def test_an_object_that_changes_while_it_is_verified(bench: CloudBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is sound, and something else is there before anybody can say so; or the other way round."""
    key, get = object_key(bench), bench.store.get
    sound = get(key)

    def read_and_replace(asked: str) -> bytes:
        data = get(asked)
        if asked == key:
            bench.store.put(key, spoil(data))
        return data

    monkeypatch.setattr(bench.store, "get", read_and_replace)
    assert verify_group(bench.store, bench.run_id, group_of(bench), build_toy).problems == 0
    monkeypatch.setattr(bench.store, "get", get)
    assert "changed after it was verified" in refused(bench)
    bench.store.put(key, sound)
    assert "changed after it was verified" in refused(bench)


def test_an_object_that_goes_and_one_that_comes_back(bench: CloudBench) -> None:
    key = object_key(bench)
    data = bench.store.get(key)
    bench.store.delete(key)
    assert "changed after it was verified" in refused(bench)
    bench.verify()
    publication = bench.publish()
    assert "shard objects" in {check.name for check in publication.verification.checks if not check.passed}
    bench.store.put(key, data)
    assert "changed after it was verified" in refused(bench)
    bench.verify()
    assert bench.publish().verification.passed


def test_a_published_data_set_that_is_found_spoiled_is_withdrawn(bench: CloudBench) -> None:
    assert bench.publish().verification.passed
    assert is_published(bench)
    key = object_key(bench)
    bench.store.put(key, spoil(bench.store.get(key)))
    bench.verify()
    assert not bench.publish("second").verification.passed
    assert not is_published(bench)


def test_a_commit_record_that_changes_after_its_object_was_verified(bench: CloudBench) -> None:
    key = bench.layout.commit("train-00001")
    record = json.loads(bench.store.get(key))
    record["cases"][0]["outcome"], record["cases"][0]["reason"] = "failed", "unreadable"
    bench.store.put(key, json.dumps(record).encode())
    assert "another one than when it was verified" in refused(bench)


def test_figures_are_no_part_of_what_was_verified(bench: CloudBench) -> None:
    key = bench.layout.commit("train-00001")
    record = json.loads(bench.store.get(key))
    record["made_by"]["seconds"] = 12345.0
    bench.store.put(key, json.dumps(record).encode())
    assert bench.publish().verification.passed


def test_findings_of_an_earlier_execution_hold_only_while_nothing_has_changed(bench: CloudBench) -> None:
    assert bench.publish("first").verification.passed
    assert bench.publish("second").verification.passed


def test_findings_of_other_code_are_not_believed(bench: CloudBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_module, "code_version", lambda: "0.0.0+another")
    assert "other code" in refused(bench)


def test_findings_of_another_run_or_group_are_not_believed(bench: CloudBench) -> None:
    other = CloudBench(asked_toy({"empty": [4]})).finished()
    bench.store.put(bench.layout.group_findings(0), other.store.get(other.layout.group_findings(0)))
    assert "another run or group" in refused(bench)
    bench.store.put(bench.layout.group_findings(0), bench.store.get(bench.layout.group_findings(1)))
    assert "another run or group" in refused(bench)


def test_findings_under_other_groups_are_not_believed(bench: CloudBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_groups_module, "GROUP_SHARDS", 3)
    assert "other shards" in refused(bench)


def edited(bench: CloudBench, group: int, edit: Callable[[dict[str, Any]], None], *, resign: bool) -> None:
    """Change findings; with ``resign`` the digest is adapted, as somebody does who knows the format."""
    document = json.loads(bench.store.get(bench.layout.group_findings(group)))
    edit(document)
    found = GroupFindings.model_validate(document)
    if resign:
        found = found.model_copy(update={"sha256": found.digest()})
    bench.store.put(bench.layout.group_findings(group), found.to_bytes())


def without_problems(document: dict[str, Any]) -> None:
    for shard in document["shards"]:
        shard["problems"] = {}


def under_an_unknown_check(document: dict[str, Any]) -> None:
    for shard in document["shards"]:
        shard["problems"] = {"weather": ["rain"]} if shard["problems"] else {}


def for_another_size(document: dict[str, Any]) -> None:
    for shard in document["shards"]:
        shard["problems"], shard["size"] = {}, (shard["size"] or 0) + 1


EDITS = (without_problems, under_an_unknown_check, for_another_size)


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("resign", [False, True])
def test_findings_that_were_made_to_look_good(bench: CloudBench, edit: Any, resign: bool) -> None:
    """The object is bad and was found to be; somebody takes the problems out of the findings."""
    key = object_key(bench)
    bench.store.put(key, bench.store.get(key)[:-1])
    bench.verify()
    edited(bench, group_of(bench), edit, resign=resign)
    assert refused(bench)


def test_findings_without_a_digest_are_not_believed(bench: CloudBench) -> None:
    edited(bench, 0, lambda document: document.update(sha256=""), resign=False)
    assert "changed after they were written" in refused(bench)


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\xff\xfe", b"[" * 100_000])
def test_findings_that_cannot_be_read(bench: CloudBench, data: bytes) -> None:
    bench.store.put(bench.layout.group_findings(1), data)
    assert "no findings" in refused(bench)


def test_a_group_with_fewer_shards_is_not_believed(bench: CloudBench) -> None:
    edited(bench, 0, lambda document: document["shards"].pop(), resign=True)
    assert "other shards" in refused(bench)


def test_an_object_that_no_shard_names_fails_the_verification(bench: CloudBench) -> None:
    bench.store.put(DATA_SET.key("train/train-09999.tfrecord.gz"), b"stranger")
    assert not bench.publish().verification.passed


def test_a_shard_that_is_not_committed_is_not_verified() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    with pytest.raises(TransientError) as caught:
        verify_group(bench.store, bench.run_id, 0, build_toy)
    assert caught.value.code == "shards_missing"
    assert not bench.store.list(bench.layout.findings)


def test_a_record_that_speaks_of_another_shard_is_damage(bench: CloudBench) -> None:
    bench.store.put(bench.layout.commit("train-00000"), bench.store.get(bench.layout.commit("train-00001")))
    with pytest.raises(IntegrityError) as caught:
        verify_group(bench.store, bench.run_id, 0, build_toy)
    assert caught.value.code == "commit_damaged"


def test_a_record_that_leads_out_of_the_data_set_is_damage(bench: CloudBench) -> None:
    record = json.loads(bench.store.get(bench.layout.commit("train-00000")))
    record["path"] = "../../secret"
    bench.store.put(bench.layout.commit("train-00000"), json.dumps(record).encode())
    with pytest.raises(IntegrityError) as caught:
        verify_group(bench.store, bench.run_id, 0, build_toy)
    assert caught.value.code == "commit_damaged"
    assert caught.value.what.startswith("path: it does not fit ^")


@pytest.mark.parametrize("group", [-1, 99])
def test_no_such_group(bench: CloudBench, group: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        verify_group(bench.store, bench.run_id, group, build_toy)
    assert caught.value.code == "unknown_group"


def test_what_is_written_stays_small_however_much_is_wrong(bench: CloudBench) -> None:
    key = object_key(bench)
    bench.store.put(key, b"\0" * len(bench.store.get(key)))
    found = verify_group(bench.store, bench.run_id, group_of(bench), build_toy)
    assert found.problems
    assert all(len(problems) <= 20 for shard in found.shards for problems in shard.problems.values())
