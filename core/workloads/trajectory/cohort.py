"""The cases: each is the samples of one block of consecutive numbers that are on one side of the split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.workload import Case, Cohort
from core.workloads.trajectory.configuration import Configuration
from core.workloads.trajectory.sample_split import SPLITS, samples_of, side_of
from core.workloads.trajectory.streams import Samples


def plan_cohort(configuration: Configuration) -> Cohort:
    """All blocks in order, each up to three cases, in the order train, validation, test."""
    return Cohort(tuple(_cases(configuration)))


def samples_of_case(case: Case, configuration: Configuration) -> Samples:
    """The sample numbers of a case, rising."""
    facts = case.attributes
    return samples_of(facts["first"], facts["stop"], facts["split"], configuration.salt)


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
                key=None,
                size=int(counts[side]) * configuration.video_bytes,
                estimated_windows=int(counts[side]),
                attributes={"first": first, "stop": stop, "split": split},
            )
