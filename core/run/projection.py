"""From a sample's measured cases to the whole run: time, size, failures and cost, each with its spread.

Every stratum's mean stands for all of its cases (the expansion estimator of stratified sampling). Where the time model
knows what each case takes on the machine that it was measured on, the sample only says how many times as long this one
takes (the combined ratio estimator): one model for every estimate. The spread is that of a seeded bootstrap over the
cases of each stratum; a stratum that was drawn completely has none. What the bootstrap cannot know is how fast other
machines are.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.run.models import Document
from core.run.sample import Stratum
from core.workload import Case

RESAMPLES = 2000
LOW, HIGH = 0.05, 0.95
Z_90 = 1.6449
"""The normal deviate that leaves 5 % on either side."""


class Estimate(Document):
    """A projected figure, with the bounds between which 90 % of the resamples fall."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """The same in another unit."""
        return Estimate(value=self.value * factor, low=self.low * factor, high=self.high * factor)

    def plus(self, amount: float) -> Estimate:
        """The same with a fixed amount on top."""
        return Estimate(value=self.value + amount, low=self.low + amount, high=self.high + amount)


@dataclass(frozen=True)
class MeasuredCase:
    """What one case of the sample took and gave; ``succeeded``: done or empty."""

    seconds: float
    bytes_out: int
    records: int
    succeeded: bool


@dataclass(frozen=True)
class Totals:
    """The whole cohort's figures, and the seconds and mean bytes that each of its cases is taken to have.

    ``machine``: how many times as long as in the time model this machine takes; None without a model.
    """

    seconds: Estimate
    machine: Estimate | None
    bytes_out: Estimate
    records: Estimate
    succeeded: float
    seconds_by_case: Mapping[str, float]
    bytes_by_case: Mapping[str, float]


def project(
    strata: Sequence[Stratum],
    measured: Mapping[str, MeasuredCase],
    seed: int,
    model: Callable[[Case], float] | None = None,
) -> Totals:
    """Expand the sample; every drawn case must be in ``measured`` (by case id).

    ``model``: a case's seconds on the machine that the time model was measured on.
    """
    generator = np.random.default_rng(seed)
    value = np.zeros(5)
    resampled = np.zeros((RESAMPLES, 5))
    seconds: dict[str, float] = {}
    size: dict[str, float] = {}
    for stratum in strata:
        rows = [(*_row(measured[case.id]), model(case) if model else 1.0) for case in stratum.drawn]
        table = np.array(rows, np.float64)
        mean = table.mean(axis=0)
        value += len(stratum.cases) * mean
        resampled += len(stratum.cases) * (mean + _deviations(table, len(stratum.cases), generator))
        seconds |= {case.id: float(mean[0]) for case in stratum.cases}
        size |= {case.id: float(mean[1]) for case in stratum.cases}
    low, high = np.quantile(resampled, [LOW, HIGH], axis=0)
    took, bytes_out, records = (
        Estimate(value=float(value[i]), low=float(low[i]), high=float(high[i])) for i in range(3)
    )
    machine = _ratio(value, resampled) if model else None
    if model and machine:
        seconds = {case.id: machine.value * model(case) for stratum in strata for case in stratum.cases}
        took = machine.times(sum(model(case) for stratum in strata for case in stratum.cases))
    return Totals(took, machine, bytes_out, records, float(value[3]), seconds, size)


def _ratio(value: NDArray[np.float64], resampled: NDArray[np.float64]) -> Estimate | None:
    """Measured over modelled seconds; None where the sample took no time, or the model says so."""
    if value[0] <= 0 or value[4] <= 0 or (resampled[:, 4] <= 0).any():
        return None
    low, high = np.quantile(resampled[:, 0] / resampled[:, 4], [LOW, HIGH]).tolist()
    likely = float(value[0] / value[4])
    return Estimate(value=likely, low=min(low, likely), high=max(high, likely))


def share_bounds(share: float, drawn: int, population: int) -> Estimate:
    """A share with Wilson's 90 % interval, which a bootstrap cannot give: where none failed it would see no doubt."""
    if drawn >= population:
        return Estimate(value=share, low=share, high=share)
    size = drawn * (population - 1) / (population - drawn)
    middle = (share + Z_90**2 / (2 * size)) / (1 + Z_90**2 / size)
    half = Z_90 / (1 + Z_90**2 / size) * math.sqrt(share * (1 - share) / size + Z_90**2 / (4 * size**2))
    return Estimate(value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def _row(case: MeasuredCase) -> tuple[float, ...]:
    return case.seconds, case.bytes_out, case.records, case.succeeded


def _deviations(table: NDArray[np.float64], population: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """How far resampled means lie from the mean; less, the more of the stratum was drawn."""
    drawn = len(table)
    positions = generator.integers(drawn, size=(RESAMPLES, drawn))
    correction = np.sqrt(1 - drawn / population)
    deviations: NDArray[np.float64] = (table[positions].mean(axis=1) - table.mean(axis=0)) * correction
    return deviations


def makespan(loads: Sequence[float], workers: int) -> float:
    """Seconds until ``workers`` that take the loads in turn, each the next when it is free, have done them all."""
    free = [0.0] * max(1, workers)
    for load in loads:
        heapq.heappush(free, heapq.heappop(free) + load)
    return max(free)
