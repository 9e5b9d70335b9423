"""The split of samples: 70/15/15 of each class, by the hash of the sample's number alone.

The samples of a class are taken in runs of twenty, as they follow one another. In each run the fourteen with the
lowest rank are for training, the next three for validation, the last three for the test; the rank is SHA-256 of the
salt and the sample's number. All twenty numbers of a run are known, so a sample's side does not depend on how many of
them exist: growing the data set leaves every sample where it is, and the shares are exact wherever a run is full.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.workload import SPLITS, Split
from core.workloads.trajectory.classes import CLASSES
from core.workloads.trajectory.streams import Samples

SHARES = (14, 3, 3)
RUN = sum(SHARES)
"""Samples of one class that are divided together."""

_STRETCH = RUN * CLASSES
_SIDES = np.repeat(np.arange(len(SHARES)), SHARES)


def side_of(samples: Samples, salt: str) -> NDArray[np.int64]:
    """For each sample number of any order its side as a place in :data:`core.workload.SPLITS`, [n].

    >>> np.bincount(side_of(np.arange(80), "casemill")).tolist()
    [56, 12, 12]
    """
    stretches, where = np.unique(samples // _STRETCH, return_inverse=True)
    sides = np.empty((len(stretches), _STRETCH), np.int64)
    for row, stretch in enumerate(stretches.tolist()):
        sides[row] = _divided(stretch, salt)
    return sides[where, samples % _STRETCH]


def samples_of(first: int, stop: int, split: Split, salt: str) -> Samples:
    """The samples from ``first`` to before ``stop`` on that side, rising."""
    samples = np.arange(first, stop, dtype=np.int64)
    return np.compress(side_of(samples, salt) == SPLITS.index(split), samples)


@lru_cache(maxsize=64)
def _divided(stretch: int, salt: str) -> NDArray[np.int64]:
    """The sides of 80 numbers in a row: one run of each class."""
    first = stretch * _STRETCH
    ranks = [hashlib.sha256(f"{salt}\0{number}".encode()).digest() for number in range(first, first + _STRETCH)]
    sides = np.empty(_STRETCH, np.int64)
    for kind in range(CLASSES):
        run = sorted(range(kind, _STRETCH, CLASSES), key=ranks.__getitem__)
        sides[run] = _SIDES
    return sides
