"""Random numbers that belong to one case: what case 7 is does not depend on how many cases there are."""

from __future__ import annotations

import zlib

import numpy as np

Generator = np.random.Generator

# Multiples of an irrational number, modulo one, spread evenly over [0, 1) (Weyl). One for each kind of choice keeps
# the choices of a case independent of each other.
_IRRATIONAL = np.sqrt(np.array([2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0, 29.0, 31.0, 37.0]))
CHOICES = (
    "arterial line",
    "cuff beside line",
    "propofol",
    "sevoflurane",
    "remifentanil",
    "remifentanil 50",
    "noradrenaline",
    "bispectral index",
    "cardiac output",
    "leads off",
    "silence",
    "duplicate times",
)


def generator(seed: int, number: int, stream: str) -> Generator:
    """The random numbers of one case for one purpose."""
    entropy = [seed, number, zlib.crc32(stream.encode())]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))


def chosen(seed: int, choice: str, number: int, share: float) -> bool:
    """Whether case ``number`` belongs to a share (0 … 1) of all cases.

    The chosen cases are spread evenly, so that every cohort, however small, comes close to the share.
    """
    offset = generator(seed, 0, choice).random()
    step = float(_IRRATIONAL[CHOICES.index(choice)])
    return (offset + number * step) % 1.0 < share
