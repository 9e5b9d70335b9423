"""A sample of a cohort, spread over the sizes of the cases."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.judging import SplittingWorkload
from core.schema import Schema
from core.workload import Case, CaseResult, Cohort, Columns, Json, Source, Workload

FEWEST_CASES = 20
MOST_STRATA = 10


@dataclass(frozen=True)
class Stratum:
    """Cases of similar size, smallest first, and those of them that were drawn."""

    cases: tuple[Case, ...]
    drawn: tuple[Case, ...]


def draw_sample(cases: Sequence[Case], share: float, seed: int) -> tuple[Stratum, ...]:
    """Draw ``share`` of the cases, at least 20 or all of them, evenly over strata of equal count by size.

    The largest case stands for itself: it decides the peak of memory.
    """
    ordered = sorted(cases, key=lambda case: (case.size, case.estimated_records, case.id))
    if not ordered:
        return ()
    wanted = min(len(ordered), max(FEWEST_CASES, math.ceil(share * len(ordered))))
    largest = ordered.pop()
    strata = min(MOST_STRATA, (wanted - 1) // 2) or 1
    chance = random.Random(seed)
    found: list[Stratum] = []
    for own, count in zip(_cut(ordered, strata), _even(wanted - 1, strata), strict=True):
        drawn = sorted(chance.sample(range(len(own)), count))
        found.append(Stratum(tuple(own), tuple(own[position] for position in drawn)))
    return (*(stratum for stratum in found if stratum.drawn), Stratum((largest,), (largest,)))


def _even(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]


def _cut(cases: Sequence[Case], parts: int) -> list[Sequence[Case]]:
    ends = np.cumsum([0, *_even(len(cases), parts)]).tolist()
    return [cases[first:last] for first, last in pairwise(ends)]


@dataclass(frozen=True)
class SampledWorkload:
    """A workload whose cohort is cut down to some cases; for planning only, workers build the workload itself."""

    workload: Workload
    chosen: Collection[str]

    @property
    def name(self) -> str:
        return self.workload.name

    @property
    def schema(self) -> Schema:
        return self.workload.schema

    def configuration(self) -> Json:
        return self.workload.configuration()

    def cohort(self, source: Source | None, selection: Json) -> Cohort:
        """The chosen cases of the workload's cohort, in its order."""
        whole = self.workload.cohort(source, selection)
        return replace(whole, cases=tuple(case for case in whole.cases if case.id in self.chosen))

    def process(self, case: Case, source: Source | None) -> CaseResult:
        return self.workload.process(case, source)

    def metadata(self, figures: Sequence[Json], histograms: Mapping[str, NDArray[np.int64]]) -> Json:
        return self.workload.metadata(figures, histograms)

    def card(self) -> str:
        return self.workload.card()


@dataclass(frozen=True)
class SampledSplittingWorkload(SampledWorkload):
    """The same of a workload that divides its records itself."""

    workload: SplittingWorkload

    def filed_under(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.workload.filed_under(columns)


def sampled(workload: Workload, chosen: Collection[str]) -> SampledWorkload:
    """The workload with some of its cases. Gates judge whole data sets: a sample has none."""
    if isinstance(workload, SplittingWorkload):
        return SampledSplittingWorkload(workload, chosen)
    return SampledWorkload(workload, chosen)


def chosen_ids(strata: Sequence[Stratum]) -> frozenset[str]:
    """The ids of the cases that were drawn."""
    return frozenset(case.id for stratum in strata for case in stratum.drawn)
