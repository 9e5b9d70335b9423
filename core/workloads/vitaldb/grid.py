"""The 1 Hz grid: resampling with hold, and imputation (spec/vitaldb, steps 4 and 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.workloads.vitaldb.features import Feature

Floats = NDArray[np.float64]

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
    interval = float(np.median(np.diff(times)))
    return min(max(HOLD_INTERVALS * interval, SHORTEST_HOLD_S), LONGEST_HOLD_S)


def resample(times: Floats, values: Floats, hold_s: float, length: int) -> Floats:
    """One value a second, [length], NaN where none holds.

    ``times`` [n] are seconds since t = 0 of the valid samples, rising; ``values`` [n] theirs. Second k takes the
    last sample before k + 1, if its age at k (never below 0) is within ``hold_s``.

    >>> resample(np.array([0.5, 4.0]), np.array([7.0, 8.0]), 2.0, 5)
    array([ 7.,  7.,  7., nan,  8.])
    """
    if len(times) == 0:
        return np.full(length, np.nan)
    second = np.arange(length, dtype=np.float64)
    position = np.searchsorted(times, second + 1.0, side="left") - 1
    source = np.maximum(position, 0)
    age = np.maximum(second - times[source], 0.0)
    return np.where((position >= 0) & (age <= hold_s), values[source], np.nan)


def impute(values: Floats, feature: Feature) -> Floats:
    """Fill the grid [n] by the feature's three rules: before the first value, in a gap, after the last."""
    filled = values.copy()
    present = np.flatnonzero(~np.isnan(values))
    if len(present) == 0:
        filled[:] = feature.before
        return filled
    first, last = int(present[0]), int(present[-1])
    filled[:first] = feature.before
    if feature.gap_holds:
        latest = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
        filled[first : last + 1] = values[latest[first : last + 1]]
    else:
        gap = filled[first : last + 1]
        gap[np.isnan(gap)] = 0.0
    held_until = min(last + 1 + feature.after_hold_s, len(values))
    filled[last + 1 : held_until] = values[last]
    filled[held_until:] = feature.after
    return filled


def normalise(values: Floats, feature: Feature) -> NDArray[np.float32]:
    """Map the clinical range to [−1, 1] and clip (spec, step 6)."""
    scaled = 2.0 * (values - feature.minimum) / (feature.maximum - feature.minimum) - 1.0
    return np.clip(scaled, -1.0, 1.0).astype(np.float32)


def denormalise(values: NDArray[np.float32], feature: Feature) -> Floats:
    """The inverse of :func:`normalise` within the clinical range."""
    return feature.minimum + (values.astype(np.float64) + 1.0) * (feature.maximum - feature.minimum) / 2.0
