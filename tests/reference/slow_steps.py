"""The steps on one track or one grid: pressure consistency, resampling, merging, imputation, normalisation."""

from __future__ import annotations

import math
import statistics
import struct
from typing import NamedTuple

from .slow_profiles import SlowFeature

Grid = list[float | None]


class SlowPoint(NamedTuple):
    """A cleaned sample: seconds since t0, and the value in the feature's unit or ``None``."""

    since: float
    value: float | None


def second_of(since: float) -> float:
    """The second that a sample stands in (may be negative)."""
    return since if math.isinf(since) else math.floor(since)


def drop_inconsistent(
    systolic: list[SlowPoint], diastolic: list[SlowPoint], mean: list[SlowPoint]
) -> tuple[list[SlowPoint], list[SlowPoint], list[SlowPoint]]:
    """The three tracks of one source, every sample of a second missing where the last valid three disagree."""
    last_of = [_last_valid_by_second(points) for points in (systolic, diastolic, mean)]
    bad = set()
    for second in last_of[0]:
        if second in last_of[1] and second in last_of[2]:
            sys, dia, middle = (last[second] for last in last_of)
            if dia > middle + 2.0 or middle > sys + 2.0:
                bad.add(second)
    return _without(systolic, bad), _without(diastolic, bad), _without(mean, bad)


def _last_valid_by_second(points: list[SlowPoint]) -> dict[float, float]:
    last: dict[float, float] = {}
    for point in points:
        if point.value is not None:
            last[second_of(point.since)] = point.value
    return last


def _without(points: list[SlowPoint], bad: set[float]) -> list[SlowPoint]:
    return [SlowPoint(point.since, None) if second_of(point.since) in bad else point for point in points]


def hold_seconds(times: list[float]) -> float:
    """How long a value of a track stands: 1.5 of its median interval, at least 2 s and at most 600 s.

    ``times`` are those of all its records, sorted.
    """
    if len(times) < 2:
        return 2.0
    intervals = [times[index + 1] - times[index] for index in range(len(times) - 1)]
    return min(600.0, max(2.0, 1.5 * statistics.median(intervals)))


def resample(points: list[SlowPoint], hold: float, seconds: int) -> Grid:
    """One value or ``None`` for each of ``seconds`` seconds."""
    valid = [point for point in points if point.value is not None]
    grid: Grid = []
    used = 0
    for second in range(seconds):
        while used < len(valid) and valid[used].since < second + 1:
            used += 1
        value = None
        if used > 0:
            latest = valid[used - 1]
            age = max(0.0, second - latest.since)
            if age <= hold:
                value = latest.value
        grid.append(value)
    return grid


def prefer_first(grids: list[Grid], seconds: int) -> Grid:
    """Second by second, the first grid that has a value."""
    merged: Grid = []
    for second in range(seconds):
        value = None
        for grid in grids:
            if grid[second] is not None:
                value = grid[second]
                break
        merged.append(value)
    return merged


def add_up(grids: list[Grid], seconds: int) -> Grid:
    """Second by second, the sum of those that have a value; ``None`` where none has."""
    merged: Grid = []
    for second in range(seconds):
        total: float | None = None
        for grid in grids:
            value = grid[second]
            if value is not None:
                total = value if total is None else total + value
        merged.append(total)
    return merged


def impute(grid: Grid, feature: SlowFeature) -> list[float]:
    """The grid with every missing second filled by the three columns of the feature table."""
    with_value = [second for second, value in enumerate(grid) if value is not None]
    if not with_value:
        return [float(feature.before)] * len(grid)
    first, last = with_value[0], with_value[-1]
    filled: list[float] = []
    latest = 0.0
    for second, value in enumerate(grid):
        if value is not None:
            latest = value
            filled.append(value)
        elif second < first:
            filled.append(float(feature.before))
        elif second < last:
            filled.append(latest if feature.gap is None else feature.gap)
        elif second - last <= feature.hold_after_s:
            filled.append(latest)
        else:
            filled.append(float(feature.after))
    return filled


def normalise(value: float, feature: SlowFeature) -> float:
    """``value`` in [-1, 1], rounded to float32."""
    scaled = 2.0 * (value - feature.low) / (feature.high - feature.low) - 1.0
    return float32(min(1.0, max(-1.0, scaled)))


def float32(value: float) -> float:
    """The nearest float32."""
    (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    return float(rounded)
