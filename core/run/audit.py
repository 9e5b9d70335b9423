"""What a workload says of records that were read back: figures that add up, and the gates that are judged by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from core.judging import AuditingWorkload, SplittingWorkload
from core.run.models import Check
from core.workload import Columns, Json, Split, Workload

NOTHING_READ = "not one record could be read back and judged"


def needs_workload(workload: Workload) -> bool:
    """Whether verification of its data sets is not whole without it."""
    return isinstance(workload, AuditingWorkload | SplittingWorkload)


class ShardAudit:
    """The audit of one shard's records, some at a time; nothing where the workload does not audit."""

    def __init__(self, workload: Workload | None, split: Split) -> None:
        self.workload, self.split = workload, split
        self._auditing: AuditingWorkload[Any] | None = workload if isinstance(workload, AuditingWorkload) else None
        self._total: Any = None

    def add(self, columns: Columns) -> None:
        """Take the next records, at least one."""
        if self._auditing is not None:
            found = self._auditing.audit(self.split, columns)
            self._total = found if self._total is None else self._total + found

    def as_json(self) -> Json:
        """The figures so far; nothing where there are none."""
        return {} if self._total is None else self._total.as_json()


@dataclass(frozen=True)
class Audit:
    """What a workload makes of all records: checks of the verification, and figures that are reported."""

    checks: tuple[Check, ...] = ()
    figures: Json = field(default_factory=dict)


def judge_records(workload: Workload, shards: Iterable[Json]) -> Audit:
    """Judge the records by the figures of their shards; nothing to say where the workload has no gates."""
    if not isinstance(workload, AuditingWorkload):
        return Audit()
    total: Any = None
    for figures in shards:
        if figures:
            found = workload.read_figures(figures)
            total = found if total is None else total + found
    if total is None:
        return Audit((Check(name="gates", passed=False, detail=NOTHING_READ, problems=(NOTHING_READ,)),))
    judgement = workload.judge(total)
    checks = []
    for gate in judgement.gates:
        detail = f"{gate.figure:.6g}; wanted: {gate.limit}"
        problems = () if gate.passed else (detail,)
        checks.append(Check(name=f"gate: {gate.name}", passed=gate.passed, detail=detail, problems=problems))
    return Audit(tuple(checks), judgement.figures)
