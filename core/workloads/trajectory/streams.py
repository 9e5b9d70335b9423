"""The random numbers of a sample: its own stream, keyed by the seed and the sample's number.

Philox 4×64-10 (Salmon et al., SC11) gives the numbers of any place of any stream at once, so that a block of samples
takes one call. The counter is made of the sample, the attempt (how often its path was drawn anew) and the purpose;
nothing else enters. numpy keeps the bits of ``Philox`` the same for good (NEP 19).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Samples = NDArray[np.int64]

PARAMETERS = 20
"""Uniform numbers of one sample beside its noise, whatever its class: path, augmentation, place in the frame."""

_PHILOX_WORDS = 4
_FARTHEST_APART = 64
"""Numbers between two samples that are drawn and thrown away rather than begun anew: as many as take equally long."""


class Purpose(IntEnum):
    """Noise has a stream of its own, so that parameters do not depend on the number of frames."""

    PARAMETERS = 0
    NOISE = 1


def uniforms(seed: int, samples: Samples, attempt: int, purpose: Purpose, count: int) -> Floats:
    """Uniform numbers in [0, 1), multiples of 2⁻⁵³, [n, count], for rising sample numbers [n]."""
    blocks = -(-count // _PHILOX_WORDS)
    words = np.empty((len(samples), blocks * _PHILOX_WORDS), np.uint64)
    filled = 0
    for run in np.split(samples, np.flatnonzero(np.diff(samples) > _FARTHEST_APART) + 1):
        first, last = (int(run[0]), int(run[-1])) if len(run) else (0, -1)
        counter = np.array([first * blocks, attempt, purpose, 0], np.uint64)
        stream = np.random.Philox(key=np.array([seed, 0], np.uint64), counter=counter)
        drawn = stream.random_raw((last - first + 1) * words.shape[1]).reshape(-1, words.shape[1])
        words[filled : filled + len(run)] = drawn[run - first]
        filled += len(run)
    return (words[:, :count] >> np.uint64(11)).astype(np.float64) * 2.0**-53
