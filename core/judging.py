"""What a workload may take part in when its data sets are verified: where records belong, and whether they are good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.workload import Columns, Json, Split, Workload


@runtime_checkable
class SplittingWorkload(Workload, Protocol):
    """A workload that divides its records itself, by a rule finer than "a group never straddles the split".

    Each of its cases says its side (:attr:`Case.split`). Nobody has to believe that: verification asks the rule again
    about every record that it reads back.
    """

    def filed_under(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each record [n], from what it holds alone: its case's number, and its side as a position in ``SPLITS``.

        A record that no case can hold has -1 for both.
        """
        ...


@dataclass(frozen=True)
class Gate:
    """A quality gate that was judged: what was found, and in words what was wanted."""

    name: str
    passed: bool
    figure: float
    limit: str


@dataclass(frozen=True)
class Judgement:
    """The gates, and what else is reported of the records, plain JSON: ``figures`` decide nothing."""

    gates: tuple[Gate, ...]
    figures: Json = field(default_factory=dict)


class AuditFigures(Protocol):
    """Figures of some records, which add up: whatever the grouping of the records, the sum is the same."""

    def __add__(self, other: Any) -> Any: ...

    def as_json(self) -> Json:
        """The form in which one function hands them to another."""
        ...


Audited = TypeVar("Audited", bound=AuditFigures)


@runtime_checkable
class AuditingWorkload(Workload, Protocol[Audited]):
    """A workload that judges the whole data set by its records, as they were read back from the store.

    A gate that is missed is a failed check of the verification: there is no data set then.
    """

    def audit(self, split: Split, columns: Columns) -> Audited:
        """The figures of some records of one side, at least one. The columns hold until the call ends."""
        ...

    def read_figures(self, figures: Json) -> Audited:
        """The inverse of :meth:`AuditFigures.as_json`."""
        ...

    def judge(self, total: Audited) -> Judgement:
        """Every gate, from the figures of all records."""
        ...
