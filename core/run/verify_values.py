"""What the values of one case's records must be like, judged some records at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.judging import SplittingWorkload
from core.run.models import CaseEntry
from core.schema import Kind, Schema
from core.workload import SPLITS, Columns, Split, Workload

_FEW_VALUES = 4096
_MOST_WAITING = 16
"""Small columns wait for each other: the calls for their few values would cost as much as those for many."""


class ValueRanges:
    """The smallest and the largest value of each field, and what is wrong with them."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._ranges: dict[str, tuple[Any, Any]] = {}
        self._few: dict[str, list[NDArray[Any]]] = {}

    def add(self, columns: Columns) -> None:
        """Take the next records."""
        for field in self._schema.fields:
            values = columns[field.name]
            if field.kind is Kind.BYTES or not values.size:
                continue
            if values.size > _FEW_VALUES:
                self._take(field.name, values.reshape(len(values), -1))
                continue
            few = self._few.setdefault(field.name, [])
            few.append(values.flatten())
            if len(few) == _MOST_WAITING:
                self._take(field.name, np.concatenate(few))
                few.clear()

    def _take(self, name: str, values: NDArray[Any]) -> None:
        # Minimum and maximum carry NaN along, so that they answer all three questions.
        low, high = np.minimum.reduce(values, axis=None), np.maximum.reduce(values, axis=None)
        if name in self._ranges:
            before = self._ranges[name]
            low, high = np.minimum(low, before[0]), np.maximum(high, before[1])
        self._ranges[name] = low, high

    def problems(self) -> Iterator[str]:
        """Values that are not finite or out of the schema's range, one sentence a field."""
        for name, few in self._few.items():
            if few:
                self._take(name, np.concatenate(few))
        self._few.clear()
        for field in self._schema.fields:
            name = field.name
            if name not in self._ranges:
                continue
            low, high = self._ranges[name]
            if not (np.isfinite(low) and np.isfinite(high)):
                yield f"{name} holds values that are not finite"
            elif field.minimum is not None and low < field.minimum:
                yield f"{name} goes down to {low:g}, below {field.minimum:g}"
            elif field.maximum is not None and high > field.maximum:
                yield f"{name} goes up to {high:g}, above {field.maximum:g}"


class Provenance:
    """Whether the records name the case and the group that they were filed under, in rising order."""

    def __init__(self, schema: Schema, case: CaseEntry) -> None:
        expected = ((schema.case_field, case.case_number), (schema.group_field, case.group_number))
        self._expected = {name: number for name, number in expected if name is not None}
        self._others: dict[str, set[int]] = {}
        self._order_field = schema.order_field
        self._last: int | None = None
        self._rises = True

    def add(self, columns: Columns) -> None:
        """Take the next records, at least one."""
        for name, number in self._expected.items():
            if (columns[name] != number).any():
                self._others.setdefault(name, set()).update(set(np.unique(columns[name]).tolist()) - {number})
        order = columns[self._order_field].reshape(-1)
        falls = (order[1:] <= order[:-1]).any() or (self._last is not None and order[0] <= self._last)
        self._rises &= not falls
        self._last = int(order[-1])

    def problems(self) -> Iterator[str]:
        """One sentence for each field that says something else."""
        for name, others in self._others.items():
            yield f"{name} is {sorted(others)[:3]} in some records, not {self._expected[name]}"
        if not self._rises:
            yield f"{self._order_field} does not rise from record to record"


class Filing:
    """Whether the records belong where they were filed, by the workload's own rule, where it has one."""

    def __init__(self, workload: Workload | None, case: CaseEntry, split: Split) -> None:
        self._workload = workload if isinstance(workload, SplittingWorkload) else None
        self._case, self._split = case, split
        self._strangers = self._on_another_side = 0

    def add(self, columns: Columns) -> None:
        """Take the next records."""
        if self._workload is None:
            return
        numbers, sides = self._workload.filed_under(columns)
        self._strangers += int(np.count_nonzero(numbers != self._case.case_number))
        self._on_another_side += int(np.count_nonzero(sides != SPLITS.index(self._split)))

    def problems(self) -> Iterator[str]:
        """One sentence for each rule that is broken."""
        if self._strangers:
            yield f"{self._strangers} records belong to other cases"
        if self._on_another_side:
            yield f"{self._on_another_side} records do not belong to {self._split}, by the workload's rule"
