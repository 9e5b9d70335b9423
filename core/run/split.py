"""The split: by group, with two thresholds on a hash (design, rule 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.run.models import SPLITS, Split, Thresholds

TARGET_TWENTIETHS: dict[Split, int] = {"train": 14, "validation": 3, "test": 3}
"""70/15/15 in twentieths, so that the choice is made in whole numbers."""

_RANK_BITS = 53


def rank(salt: str, group: str) -> float:
    """SHA-256(salt, group) as a number in [0, 1); the top 53 bits, so that it is exact in a float."""
    digest = hashlib.sha256(f"{salt}\0{group}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _RANK_BITS)) / float(1 << _RANK_BITS)


def split_of(group: str, thresholds: Thresholds) -> Split:
    """The side of a group; depends on the salt and the two thresholds alone."""
    position = rank(thresholds.salt, group)
    if position < thresholds.validation:
        return "train"
    return "validation" if position < thresholds.test else "test"


def choose_thresholds(weights: Mapping[str, int], salt: str) -> Thresholds:
    """The two thresholds that bring the weights (estimated records by group) closest to 70/15/15.

    Closest means the smallest sum of squared differences, in whole numbers; of equals the first. Each
    threshold lies half way between two neighbouring groups' ranks.
    """
    ranks = {group: rank(salt, group) for group in weights}
    ordered = sorted(weights, key=lambda group: (ranks[group], group))
    # Squares of large weights leave 64 bits, where a sum would come out wrong without a word.
    sizes = np.array([weights[group] for group in ordered], np.int64 if _is_small(weights) else object)
    if not sizes.any():
        sizes[:] = 1
    first, second = _best_cuts(np.concatenate([[0], np.cumsum(sizes)]))
    positions = [ranks[group] for group in ordered]
    return Thresholds(salt=salt, validation=_between(positions, first), test=_between(positions, second))


def _is_small(weights: Mapping[str, int]) -> bool:
    return sum(weights.values()) < 1 << 26


def _best_cuts(filled: NDArray[Any]) -> tuple[int, int]:
    """How many groups stand below each threshold; ``filled`` [n + 1] is the weight below each possible cut."""
    total = int(filled[-1])
    scaled = filled * 20
    train, validation, test = (TARGET_TWENTIETHS[split] * total for split in SPLITS)
    # For a given first cut the error is a parabola in the second one, lowest where validation and test are equal.
    middle = (scaled + validation + 20 * total - test) // 2
    nearest = np.searchsorted(scaled, middle)
    candidates = []
    for shift in (-1, 0):
        seconds = np.clip(nearest + shift, np.arange(len(scaled)), len(scaled) - 1)
        error = (
            (scaled - train) ** 2
            + (scaled[seconds] - scaled - validation) ** 2
            + (20 * total - scaled[seconds] - test) ** 2
        )
        first = int(np.argmin(error))
        candidates.append((int(error[first]), first, int(seconds[first])))
    _, first, second = min(candidates)
    return first, second


def _between(positions: list[float], below: int) -> float:
    if below == 0:
        return 0.0
    if below == len(positions):
        return 1.0
    return (positions[below - 1] + positions[below]) / 2.0


def groups_by_split(groups: Iterable[str], thresholds: Thresholds) -> dict[Split, tuple[str, ...]]:
    """Every group once, under its split, sorted."""
    sides: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for group in sorted(set(groups)):
        sides[split_of(group, thresholds)].append(group)
    return {split: tuple(found) for split, found in sides.items()}
