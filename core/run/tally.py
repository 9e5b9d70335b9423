"""What a worker has counted of its partition."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.run.models import CaseEntry
from core.workload import Outcome

FIRST_CASE_SECONDS = 10.0
"""How long a case is taken to last before one has been timed."""


@dataclass
class Tally:
    """Cases by outcome and their records; ``restored`` is the part that the attempt found finished."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    records: int = 0
    cases_restored: int = 0
    records_restored: int = 0
    longest_case: float | None = None

    @property
    def cases(self) -> int:
        """Cases with an outcome."""
        return sum(self.outcomes.values())

    def restore(self, case: CaseEntry) -> None:
        """Count a case that a commit record or a segment holds."""
        self._count(case)
        self.cases_restored += 1
        self.records_restored += case.records

    def work(self, case: CaseEntry, seconds: float) -> None:
        """Count a case that was worked now."""
        self._count(case)
        self.longest_case = max(self.longest_case or 0.0, seconds)

    def interval(self, heartbeat_seconds: float) -> float:
        """Seconds within which a worker that is well beats again: it does so between two cases only."""
        expected = FIRST_CASE_SECONDS if self.longest_case is None else self.longest_case
        return max(heartbeat_seconds, expected)

    def _count(self, case: CaseEntry) -> None:
        self.outcomes[case.outcome] += 1
        self.records += case.records
