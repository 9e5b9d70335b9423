"""What a workload says of records that were read back: figures that add up, and the gates that are judged by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.errors import BugError
from core.run.models import Check
from core.workload import AuditingWorkload, Columns, Json, Split, SplittingWorkload, Workload


def needs_workload(workload: Workload) -> bool:
    """Whether verification of its data sets is not whole without it."""
    return isinstance(workload, AuditingWorkload | SplittingWorkload)


@dataclass
class ShardAudit:
    """The audit of one shard's records, some at a time; nothing where the workload does not audit."""

    workload: Workload | None
    split: Split
    figures: Json = field(default_factory=dict)

    def add(self, columns: Columns) -> None:
        """Take the next records."""
        if isinstance(self.workload, AuditingWorkload):
            add_figures(self.figures, self.workload.audit(self.split, columns))


def add_figures(total: Json, more: Json) -> None:
    """Add ``more`` to ``total``: whole numbers are added, lists joined, mappings added name by name.

    >>> total = {"samples": 2, "digests": ["a"]}
    >>> add_figures(total, {"samples": 1, "digests": ["b"], "seen": {"x": 1}})
    >>> total
    {'samples': 3, 'digests': ['a', 'b'], 'seen': {'x': 1}}

    Raises
    ------
    BugError
        ``bad_figures``: one of them cannot be added, such as a fraction.
    """
    for name, value in more.items():
        if isinstance(value, dict):
            add_figures(total.setdefault(name, {}), value)
        elif isinstance(value, list):
            total.setdefault(name, []).extend(value)
        elif type(value) is int:
            total[name] = total.get(name, 0) + value
        else:
            raise BugError("bad_figures", f"{name!r} is {type(value).__name__}: it does not add up", where="an audit")


def gate_checks(workload: Workload, figures: Iterable[Json]) -> list[Check]:
    """The gates as checks of the verification; none where the workload has none."""
    if not isinstance(workload, AuditingWorkload):
        return []
    total: Json = {}
    for more in figures:
        add_figures(total, more)
    if not total:
        return [Check(name="gates", passed=False, detail="not one record could be read back and judged")]
    return [
        Check(
            name=f"gate: {gate.name}",
            passed=gate.passed,
            detail=f"{gate.figure}; wanted: {gate.limit}",
            problems=() if gate.passed else (f"{gate.figure}; wanted: {gate.limit}",),
        )
        for gate in workload.judge(total)
    ]
