"""Two runs that want the same name: it is taken, and the later one is told in what they differ."""

from __future__ import annotations

import pytest

from core.errors import BadRequestError
from core.run.layout import RunLayout
from core.run.models import Thresholds
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.rivals import OF_THE_SOURCE, what_differs
from core.store import open_store
from tests.toy_workload import ToyWorkload


def toy_plan(cases: int) -> Plan:
    return make_plan(ToyWorkload({"cases": cases}), None, {}, PlanOptions(data_set="mine"))


def test_the_name_of_another_run_is_taken() -> None:
    store = open_store("memory://")
    write_plan(store, toy_plan(4))
    other = toy_plan(5)
    with pytest.raises(BadRequestError) as caught:
        write_plan(store, other)
    assert caught.value.code == "name_taken"
    assert caught.value.what.endswith("; they differ in: cases")
    assert not store.list(RunLayout(other.request.run_id).root)


def test_a_name_is_taken_by_a_run_of_which_nothing_is_left() -> None:
    store = open_store("memory://")
    first = toy_plan(4)
    write_plan(store, first)
    store.delete(RunLayout(first.request.run_id).request)
    with pytest.raises(BadRequestError, match=rf"belongs to run {first.request.run_id}, this run is [^;]*$"):
        write_plan(store, toy_plan(5))


def test_what_two_runs_differ_in() -> None:
    one = toy_plan(4).request
    other = one.model_copy(
        update={
            "run_id": "another",
            "configuration": {**one.configuration, "seconds": 7, "profiles": []},
            "shard_cases": one.shard_cases + 1,
            "code_version": "0.2",
            "plan_sha256": "ab",
            "notes": ("a note",),
        }
    )
    assert what_differs(one, other) == ("seconds", "shard_cases", "the code", "profiles")
    salted = one.model_copy(update={"thresholds": Thresholds(salt="other", validation=0.1, test=0.2)})
    assert what_differs(one, salted) == ("salt",)
    assert what_differs(one, one.model_copy(update={"plan_sha256": "ab"})) == (OF_THE_SOURCE,)
