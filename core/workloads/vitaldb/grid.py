"""The 1 Hz grid: resampling with hold, and imputation (spec/vitaldb, steps 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.workloads.vitaldb import grid_native
from core.workloads.vitaldb.features import FEATURES, Feature

Floats = NDArray[np.float64]
Places = NDArray[np.int32]

HOLD_INTERVALS = 1.5
SHORTEST_HOLD_S = 2.0
LONGEST_HOLD_S = 600.0


def hold_seconds(times: Floats) -> float:
    """How long a sample stands: 1.5 × the median interval of the track's records, 2 to 600 s.

    ``times`` [n] are those of every record, missing values included, rising. With fewer than two: 2 s.

    >>> hold_seconds(np.array([0.0, 2.0, 4.0, 6.0]))
    3.0
    """
    if len(times) < 2:
        return SHORTEST_HOLD_S
    interval = _median_interval(times)
    return min(max(HOLD_INTERVALS * interval, SHORTEST_HOLD_S), LONGEST_HOLD_S)


_FEW = 1000
_SAMPLED = 128


def _median_interval(times: Floats) -> float:
    library = grid_native.LIBRARY.usable()
    found = None if library is None else grid_native.median_interval(library, times)
    return _median(np.diff(times)) if found is None else found


def _median(values: Floats) -> float:
    """The middle value, or the mean of the two in the middle; ``values`` [n ≥ 1] are given up."""
    middle = len(values) // 2
    even = len(values) % 2 == 0
    if len(values) > _FEW:
        # Where a sample says that the middle is: finding it among those few takes a fifth of the time.
        sample = np.sort(values[:: len(values) // _SAMPLED])
        low, high = sample[3 * len(sample) // 8], sample[5 * len(sample) // 8]
        below = int(np.count_nonzero(values < low))
        near = values[(values >= low) & (values <= high)]
        if below < middle < below + len(near):
            values, middle = near, middle - below
    values.partition(middle)
    upper = float(values[middle])
    return (float(values[:middle].max()) + upper) / 2.0 if even else upper


def resample(times: Floats, values: Floats, hold_s: float, length: int) -> Floats:
    """One value a second, [length], NaN where none holds.

    ``times`` [n] are seconds since t = 0 of the valid samples, rising; ``values`` [n] theirs. Second k takes the
    last sample before k + 1, if its age at k (never below 0) is within ``hold_s``.

    >>> resample(np.array([0.5, 4.0]), np.array([7.0, 8.0]), 2.0, 5)
    array([ 7.,  7.,  7., nan,  8.])
    """
    row = np.empty(length)
    take([(values, places(times, None, hold_s, length), row)])
    return row


def places(times: Floats, valid: NDArray[np.bool_] | None, hold_s: float, length: int) -> Places:
    """Which of the samples at ``times`` [n] each second takes, [length], -1 where none holds; see :func:`resample`.

    Those that are not ``valid`` [n] do not count; None: all are.
    """
    library = grid_native.LIBRARY.usable()
    if library is not None:
        return grid_native.places(library, times, valid, hold_s, length)
    if valid is not None:
        # At the end what stands for -1.
        chosen = np.append(np.flatnonzero(valid), -1)
        return chosen[places(times[valid], None, hold_s, length)].astype(np.int32)
    within = times[: np.searchsorted(times, length)]
    if length == 0 or len(within) == 0:
        return np.full(length, -1, np.int32)
    # t < k + 1 is the same as floor(t) <= k, so counting the samples of each second finds the last one before k + 1.
    seconds = np.maximum(np.floor(within), 0.0).astype(np.intp)
    position = np.cumsum(np.bincount(seconds, minlength=length)) - 1
    position[np.arange(length) - within[position] > hold_s] = -1
    position[: seconds[0]] = -1
    return position.astype(np.int32)


def take(taken: Sequence[tuple[Floats, Places, Floats]]) -> None:
    """Of each ``values, where, row``, fill the row [length] with the values at these places, NaN at -1; ``where``
    [length] is of as many samples. All rows are of one length."""
    library = grid_native.LIBRARY.usable()
    if library is not None:
        grid_native.take(library, taken)
        return
    for values, where, row in taken:
        row[:] = np.append(values, np.nan)[where]


def impute(values: Floats, feature: Feature) -> Floats:
    """Fill the grid [n] by the feature's three rules: before the first value, in a gap, after the last."""
    present = np.flatnonzero(values == values)  # NaN alone differs from itself
    if len(present) == 0:
        return np.full(len(values), feature.before, np.float64)
    first, last = int(present[0]), int(present[-1])
    filled = np.empty(len(values))
    filled[:first] = feature.before
    between = filled[first : last + 1]
    if len(present) == len(between):
        between[:] = values[first : last + 1]
    elif feature.gap_holds:
        between[:-1] = np.repeat(values[present[:-1]], np.diff(present))
        between[-1] = values[last]
    else:
        between[:] = 0.0
        between[present - first] = values[present]
    held_until = min(last + 1 + feature.after_hold_s, len(values))
    filled[last + 1 : held_until] = values[last]
    filled[held_until:] = feature.after
    return filled


def normalise(values: Floats, feature: Feature) -> NDArray[np.float32]:
    """Map the clinical range to [−1, 1] and clip (spec, step 6)."""
    scaled = values - feature.minimum
    scaled *= 2.0
    scaled /= feature.maximum - feature.minimum
    scaled -= 1.0
    return np.clip(scaled, -1.0, 1.0, out=scaled).astype(np.float32)


def normalised_grid(grid: Floats) -> NDArray[np.float32]:
    """The measured grid [T, 16] imputed and normalised, [T, 16], time-major in memory."""
    library = grid_native.LIBRARY.usable()
    if library is not None:
        return grid_native.normalised_grid(library, grid, FEATURES, grid_native.is_quick(library))
    rows = np.empty((len(FEATURES), len(grid)), np.float32)
    for row, feature, values in zip(rows, FEATURES, grid.T, strict=True):
        row[:] = normalise(impute(values, feature), feature)
    return np.ascontiguousarray(rows.T)


def denormalise(values: NDArray[np.float32], feature: Feature) -> Floats:
    """The inverse of :func:`normalise` within the clinical range."""
    return feature.minimum + (values.astype(np.float64) + 1.0) * (feature.maximum - feature.minimum) / 2.0
