"""The hash of a data set's records in order: of what they hold, and not of how they are stored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset import DataSet
from core.examples.members import Compression
from core.run.ordered_hash import ordered_hash
from core.run.plan import PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.publish import publish
from core.run.worker import PartitionWorker
from core.store import open_store
from tests.toy_workload import ToyWorkload


def hash_of(folder: Any, options: dict[str, Any] | None = None, **toy: Any) -> str:
    """Of a whole run of the toy workload."""
    store, workload = open_store(str(folder), create=True), ToyWorkload(toy)
    plan = make_plan(workload, None, {}, PlanOptions(data_set="toy", partitions=1, **(options or {})))
    write_plan(store, plan)
    PartitionWorker(store, plan, workload, None, 0).run()
    manifest = publish(store, plan, workload).manifest
    return ordered_hash(DataSet(open_store(f"{store.uri}/datasets/toy"), manifest))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return hash_of(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "options",
    [
        {"shard_cases": 3},
        {"salt": "another"},
        {"compression": Compression.NONE},
        {"thresholds": {"salt": "", "validation": 1.0, "test": 1.0}},
    ],
    ids=["shards", "sides", "compression", "one side"],
)
def test_it_does_not_know_how_the_records_are_stored(tmp_path: Any, plain: str, options: dict[str, Any]) -> None:
    assert hash_of(tmp_path, options) == plain


@pytest.mark.parametrize("toy", [{"cases": 9}, {"windows": 5}, {"value": 0.25}, {"empty": [4]}])
def test_it_knows_what_they_hold(tmp_path: Any, plain: str, toy: dict[str, Any]) -> None:
    assert hash_of(tmp_path, **toy) != plain


def test_a_data_set_without_records_has_one_too(tmp_path: Any) -> None:
    assert len(hash_of(tmp_path, empty=list(range(1, 11)))) == 64


@settings(max_examples=5, deadline=None)
@given(shard_cases=st.integers(1, 12), salt=st.text("abc", max_size=3))
def test_any_cut_gives_the_same(tmp_path_factory: pytest.TempPathFactory, shard_cases: int, salt: str) -> None:
    asked = {"shard_cases": shard_cases, "salt": salt}
    small = {"cases": 5, "windows": 2}
    assert hash_of(tmp_path_factory.mktemp("cut"), asked, **small) == hash_of(tmp_path_factory.mktemp("as-is"), **small)
