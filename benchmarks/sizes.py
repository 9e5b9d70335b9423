"""How much is measured: in full, or just enough to see that everything works."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.layouts import THREE_HOURS_S


@dataclass(frozen=True)
class Sizes:
    """Rounds, lengths and counts of one run of the benchmarks."""

    rounds: int = 5
    few_rounds: int = 3
    case_s: int = THREE_HOURS_S
    hours: tuple[float, ...] = (0.5, 1.0, 3.0, 10.0)
    processes: tuple[int, ...] = (1, 2, 4)
    scaling_seconds: float = 12.0
    cohorts: tuple[int, ...] = (100, 1_000, 10_000)
    planned_cases: int = 100_000
    verified_cases: int = 10
    profiled_calls: int = 10


FULL = Sizes()
QUICK = Sizes(
    rounds=1, few_rounds=1, case_s=900, hours=(0.25,), processes=(1, 2), scaling_seconds=0.2,
    cohorts=(20,), planned_cases=400, verified_cases=2, profiled_calls=1,
)  # fmt: skip
