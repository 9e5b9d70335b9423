"""Cleaning in the source unit: what is not physically possible is missing, not clipped (spec/vitaldb, step 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.workloads.vitaldb import grid_native
from core.workloads.vitaldb.units import Factors, Quantity

Floats = NDArray[np.float64]
Number = TypeVar("Number", np.float64, np.int64)

BOUNDS: dict[Quantity, tuple[float, float]] = {
    Quantity.HEART_RATE: (1, 300),
    Quantity.SYSTOLIC: (20, 300),
    Quantity.DIASTOLIC: (5, 225),
    Quantity.MEAN_PRESSURE: (10, 250),
    Quantity.SATURATION: (1, 100),
    Quantity.CARBON_DIOXIDE: (0, 150),
    Quantity.BISPECTRAL_INDEX: (0, 100),
    Quantity.PROPOFOL: (0, 1200),
    Quantity.REMIFENTANIL: (0, 1200),
    Quantity.NORADRENALINE: (0, 1200),
    Quantity.TIDAL_VOLUME: (0, 3000),
    Quantity.AIRWAY_PRESSURE: (0, 60),
    Quantity.OXYGEN_FRACTION: (float(np.nextafter(0.0, 1.0)), 100),
    Quantity.RESPIRATORY_RATE: (0, 80),
    Quantity.SEVOFLURANE: (0, 10),
}
"""Inclusive, in the quantity's default unit. Oxygen starts just above 0."""

PRESSURE_TOLERANCE_MMHG = 2.0


@dataclass(frozen=True)
class Cleaned:
    """Samples of one track [n] in the quantity's default unit and in the feature's, and which are ``valid``; how many
    had no value, and how many one that cannot be."""

    default: Floats
    written: Floats
    valid: NDArray[np.bool_]
    missing: int
    out_of_bounds: int


def clean(
    quantity: Quantity, values: Floats, unit_of: NDArray[np.int16], by_unit: Sequence[Factors], dose: float
) -> Cleaned:
    """``values`` [n], each in the unit that ``unit_of`` [n] says, converted and judged; ``dose`` is what it takes from
    the converted unit to the feature's."""
    if quantity is Quantity.OXYGEN_FRACTION:
        values = fractions_to_percent(values)
    default = _scaled(values, [entry.to_default for entry in by_unit], unit_of)
    written = _scaled(values, [entry.to_written for entry in by_unit], unit_of)
    valid = possible(quantity, default)
    invalid = len(valid) - int(np.count_nonzero(valid))
    missing = int(np.count_nonzero(np.isnan(values))) if invalid else 0
    return Cleaned(default, written if dose == 1.0 else written * dose, valid, missing, invalid - missing)


def _scaled(values: Floats, by_unit: list[float], unit_of: NDArray[np.int16]) -> Floats:
    """Each value times its unit's factor; mostly there is one for all, and mostly it is 1."""
    if len(set(by_unit)) != 1:
        factor: Floats = np.array(by_unit)[unit_of]
        return values * factor
    return values if by_unit[0] == 1.0 else values * by_unit[0]


def possible(quantity: Quantity, values: Floats) -> NDArray[np.bool_]:
    """Which values [n], in the default unit, are physically possible; NaN and infinities are not."""
    low, high = BOUNDS[quantity]
    return np.asarray((values >= low) & (values <= high))


def fractions_to_percent(values: Floats) -> Floats:
    """Oxygen given as a fraction (above 0, at most 1) in per cent; the rest as it is."""
    return np.where((values > 0) & (values <= 1), values * 100.0, values)


Pressure = tuple[NDArray[np.int64], Floats, NDArray[np.bool_]]
"""One pressure's samples [n]: their seconds, rising, their values in mmHg, and which are valid."""


def drop_contradictions(pressures: Sequence[Pressure]) -> list[int]:
    """Systolic, diastolic and mean of one source, in this order: valid samples of the :func:`inconsistent_seconds`
    become invalid; how many of each."""
    library = grid_native.LIBRARY.usable()
    if library is not None:
        return grid_native.drop_contradictions(library, pressures, PRESSURE_TOLERANCE_MMHG)
    wrong = inconsistent_seconds(
        [_only_valid(seconds, valid) for seconds, _, valid in pressures],
        [_only_valid(values, valid) for _, values, valid in pressures],
    )
    hits = [0] * len(pressures)
    if len(wrong):
        for which, (seconds, _, valid) in enumerate(pressures):
            hit = valid & np.isin(seconds, wrong)
            hits[which] = int(np.count_nonzero(hit))
            valid &= ~hit
    return hits


def _only_valid(samples: NDArray[Number], valid: NDArray[np.bool_]) -> NDArray[Number]:
    return samples if valid.all() else samples[valid]


def inconsistent_seconds(seconds: Sequence[NDArray[np.int64]], values: Sequence[Floats]) -> NDArray[np.int64]:
    """Seconds in which the pressures of one source contradict each other.

    Parameters
    ----------
    seconds, values
        Systolic, diastolic and mean, in this order: the valid samples' seconds ([n] each, rising) and their
        values in mmHg.

    Returns
    -------
    Seconds, rising, in which all three stand and diastolic ≤ mean ≤ systolic fails by more than 2 mmHg. The last
    sample of the second counts.
    """
    lasts = [_last_of_each_second(second, value) for second, value in zip(seconds, values, strict=True)]
    common = lasts[0][0]
    for second, _ in lasts[1:]:
        if not np.array_equal(common, second):  # a monitor reports all three at once, and mostly nothing was cleaned
            common = np.intersect1d(common, second, assume_unique=True)
    systolic, diastolic, mean = (
        value if len(value) == len(common) else value[np.searchsorted(second, common)] for second, value in lasts
    )
    wrong = (diastolic > mean + PRESSURE_TOLERANCE_MMHG) | (mean > systolic + PRESSURE_TOLERANCE_MMHG)
    return common[wrong]


def _last_of_each_second(seconds: NDArray[np.int64], values: Floats) -> tuple[NDArray[np.int64], Floats]:
    is_last = np.ones(len(seconds), np.bool_)
    np.not_equal(seconds[1:], seconds[:-1], out=is_last[:-1])
    return (seconds, values) if is_last.all() else (seconds[is_last], values[is_last])
