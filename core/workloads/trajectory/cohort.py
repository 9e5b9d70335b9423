"""The cases: each is the samples of one block of consecutive numbers that are on one side of the split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.workload import SPLITS, Case, Cohort, Columns
from core.workloads.trajectory.configuration import Configuration
from core.workloads.trajectory.sample_split import samples_of, side_of
from core.workloads.trajectory.streams import Samples


def plan_cohort(configuration: Configuration) -> Cohort:
    """All blocks in order, each up to three cases, in the order train, validation, test."""
    return Cohort(tuple(_cases(configuration)))


def samples_of_case(case: Case, configuration: Configuration) -> Samples:
    """The sample numbers of a case, rising."""
    assert case.split is not None
    return samples_of(case.attributes["first"], case.attributes["stop"], case.split, configuration.salt)


def filed_under(columns: Columns, configuration: Configuration) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each record's case and its side, [n], from its sample number; -1 where there is no such sample."""
    samples = columns["sample"].reshape(-1).astype(np.int64)
    known = (samples >= 0) & (samples < configuration.samples)
    numbers, sides = np.full(len(samples), -1, np.int64), np.full(len(samples), -1, np.int64)
    sides[known] = side_of(samples[known], configuration.salt)
    numbers[known] = samples[known] // configuration.block_size * len(SPLITS) + sides[known]
    return numbers, sides


def _cases(configuration: Configuration) -> Iterator[Case]:
    for block, first in enumerate(range(0, configuration.samples, configuration.block_size)):
        stop = min(first + configuration.block_size, configuration.samples)
        counts = np.bincount(side_of(np.arange(first, stop), configuration.salt), minlength=len(SPLITS))
        for side, split in enumerate(SPLITS):
            if not counts[side]:
                continue
            number, name = block * len(SPLITS) + side, f"{block:06d}-{split}"
            yield Case(
                id=name,
                number=number,
                group=name,
                group_number=number,
                key="",
                size=0,
                estimated_records=int(counts[side]),
                attributes={"first": first, "stop": stop},
                split=split,
            )
