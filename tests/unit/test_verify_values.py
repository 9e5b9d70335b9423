"""Values and provenance of a case are judged alike, however its records are cut into batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.run.models import CaseEntry
from core.run.verify_values import Provenance, ValueRanges
from core.schema import Field, Kind, Role, Schema
from core.workload import Outcome

SCHEMA = Schema(
    fields=(
        Field(name="case", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
        Field(name="none", kind=Kind.FLOAT, shape=(0,), role=Role.INPUT),
        Field(name="order", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
        Field(name="share", kind=Kind.FLOAT, shape=(2,), role=Role.INPUT, minimum=0.0, maximum=1.0),
        Field(name="text", kind=Kind.BYTES, shape=(1,), role=Role.INPUT, bytes_length=1),
    ),
    case_field="case",
    group_field=None,
    order_field="order",
)
CASE = CaseEntry(case_id="7", case_number=7, group="g", group_number=1, outcome=Outcome.DONE, records=4)
ORDER = [0, 30, 60, 90]


def problems(batch: int, case: list[int], order: list[int], share: list[float]) -> list[str]:
    columns: dict[str, Any] = {
        "case": np.array(case)[:, None],
        "none": np.zeros((4, 0), np.float32),
        "order": np.array(order)[:, None],
        "share": np.repeat(np.array(share, np.float32), 2).reshape(4, 2),
        "text": np.zeros((4, 1, 1), np.uint8),
    }
    ranges, provenance = ValueRanges(SCHEMA), Provenance(SCHEMA, CASE)
    for first in range(0, 4, batch):
        some = {name: column[first : first + batch] for name, column in columns.items()}
        ranges.add(some)
        provenance.add(some)
    return [*ranges.problems(), *provenance.problems()]


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"share": [0, np.nan, 0, 1]}, ["share holds values that are not finite"]),
        ({"share": [0, 0, 0, np.inf]}, ["share holds values that are not finite"]),
        ({"share": [-0.5, 0, 0, 2]}, ["share goes down to -0.5, below 0"]),
        ({"share": [0, 0, 2, 1]}, ["share goes up to 2, above 1"]),
        ({"case": [7, 9, 7, 8]}, ["case is [8, 9] in some records, not 7"]),
        ({"order": [0, 30, 30, 60]}, ["order does not rise from record to record"]),
        ({"order": [0, 60, 30, 90]}, ["order does not rise from record to record"]),
    ],
)
def test_problems_do_not_depend_on_the_batches(batch: int, changes: dict[str, Any], expected: list[str]) -> None:
    sound = {"case": [7] * 4, "order": ORDER, "share": [0.0, 0.25, 0.5, 1.0]}
    assert problems(batch, **{**sound, **changes}) == expected


@pytest.mark.parametrize(("few", "waiting"), [(0, 1), (1, 2), (4096, 3)])
def test_columns_that_wait_are_judged_like_others(few: int, waiting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.run.verify_values._FEW_VALUES", few)
    monkeypatch.setattr("core.run.verify_values._MOST_WAITING", waiting)
    assert problems(1, [7] * 4, ORDER, [0, 2, 0, 1]) == ["share goes up to 2, above 1"]
    assert problems(1, [7] * 4, ORDER, [0, 1, 0, np.nan]) == ["share holds values that are not finite"]
    assert problems(1, [7] * 4, ORDER, [-1, 1, 0, 1]) == ["share goes down to -1, below 0"]
