"""How far two distributions are apart, from their histograms over the same bins.

Three figures, because each is blind to something: the population stability index weighs every part of the distribution
by its logarithm and has thresholds that people know; the statistic of Kolmogorov and Smirnov is the largest difference
of the two cumulative shares; the distance of Wasserstein says how far values moved, in their own unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMALL_SHIFT = 0.1
LARGE_SHIFT = 0.25
"""Thresholds of the population stability index, a rule of thumb of credit scoring (Siddiqi, Credit Risk Scorecards,
2006; after Lewis, An Introduction to Credit Scoring, 1994) for about ten bins."""

PSI_BINS = 10
LEAST_SHARE = 1e-4
"""Stands for an empty bin, whose logarithm there is none of."""

Verdict = Literal["same", "by chance", "some", "large"]


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts [1 + bins + 1]: below ``minimum``, in bins of equal width, above ``maximum``; in ``unit``."""

    minimum: float
    maximum: float
    unit: str
    counts: NDArray[np.int64]

    @property
    def values(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    def shares(self) -> Floats:
        """Counts over their sum [1 + bins + 1]; of none, zeros."""
        return self.counts / max(self.values, 1)

    def positions(self) -> Floats:
        """Where a bin's values are taken to be [1 + bins + 1]: its middle; beyond the range, the range's end."""
        edges = np.linspace(self.minimum, self.maximum, len(self.counts) - 1)
        return np.concatenate([[self.minimum], (edges[1:] + edges[:-1]) / 2, [self.maximum]])

    def mean(self) -> float:
        """The mean of the values, each at its position."""
        return float(self.shares() @ self.positions())

    def has_bins_of(self, other: Histogram) -> bool:
        """Whether the two can be compared bin by bin."""
        mine, others = (self.minimum, self.maximum, self.unit), (other.minimum, other.maximum, other.unit)
        return mine == others and len(self.counts) == len(other.counts)


@dataclass(frozen=True)
class Drift:
    """The figures; ``chance`` is the stability index that sampling alone exceeds in one of twenty comparisons."""

    psi: float
    chance: float
    ks: float
    distance: float

    @property
    def verdict(self) -> Verdict:
        """By the thresholds of the stability index, unless chance explains it."""
        if self.psi < SMALL_SHIFT:
            return "same"
        if self.psi <= self.chance:
            return "by chance"
        return "some" if self.psi < LARGE_SHIFT else "large"


@dataclass(frozen=True)
class Sampled:
    """How many cases each distribution is made of, and the part of both together that is in both, 0 to 1.

    Cases and not values, because the values of one case hang together: a thousand of them say hardly more than one.
    What both have differs by no chance.
    """

    first: int
    second: int
    shared: float = 0.0

    def spread(self) -> float:
        """1/n + 1/m − 2k/(n·m) for k shared cases: how much chance there is in a difference of shares."""
        return (1 / self.first + 1 / self.second) * (1 - self.shared) if self.first and self.second else 0.0


def drift(first: Histogram, second: Histogram, cases: Sampled) -> Drift:
    """All figures of two histograms over the same bins, neither empty."""
    shares = first.shares(), second.shares()
    psi, bins = population_stability_index(*shares)
    return Drift(
        psi=psi,
        chance=psi_by_chance(bins, cases),
        ks=kolmogorov_smirnov(*shares),
        distance=wasserstein(*shares, first.positions()),
    )


def population_stability_index(first: Floats, second: Floats) -> tuple[float, int]:
    """Sum of (a − b)·ln(a/b) over bins, and how many bins: neighbours are joined to about ten of equal weight.

    The joining looks at both shares alike, so that the index is the same either way round.
    """
    pooled = (first + second) / 2
    middle = np.cumsum(pooled) - pooled / 2
    group = np.minimum(middle * PSI_BINS, PSI_BINS - 1).astype(np.int64)
    a, b = (np.bincount(group, shares, PSI_BINS) for shares in (first, second))
    filled = (a + b) > 0
    a, b = (np.maximum(shares[filled], LEAST_SHARE) for shares in (a, b))
    return float(np.sum((a - b) * np.log(a / b))), int(filled.sum())


def psi_by_chance(bins: int, cases: Sampled) -> float:
    """The 95th percentile of the index of two samples of the same distribution.

    It is that of χ² with ``bins`` − 1 degrees of freedom, times 1/n + 1/m (Yurdakul, Statistical Properties of
    Population Stability Index, 2018), less what the two share; χ² by the approximation of Wilson and Hilferty (1931).

    >>> round(psi_by_chance(10, Sampled(100, 100)), 3), psi_by_chance(10, Sampled(100, 100, shared=1.0))
    (0.338, 0.0)
    """
    freedom = bins - 1
    if freedom < 1:
        return 0.0
    spread = 2 / (9 * freedom)
    percentile = freedom * (1 - spread + 1.6449 * spread**0.5) ** 3
    return float(percentile * cases.spread())


def kolmogorov_smirnov(first: Floats, second: Floats) -> float:
    """The largest difference of the cumulative shares at the edges of the bins: a lower bound of the exact one."""
    return float(np.abs(np.cumsum(first) - np.cumsum(second)).max())


def wasserstein(first: Floats, second: Floats, positions: Floats) -> float:
    """How far values must be moved, on average, to make one distribution of the other; in the unit of positions."""
    return float(np.abs(np.cumsum(first - second))[:-1] @ np.diff(positions))
