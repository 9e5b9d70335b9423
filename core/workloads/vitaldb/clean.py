"""Cleaning in the source unit: what is not physically possible is missing, not clipped (spec/vitaldb, step 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.workloads.vitaldb.units import Quantity

Floats = NDArray[np.float64]

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


def possible(quantity: Quantity, values: Floats) -> NDArray[np.bool_]:
    """Which values [n], in the default unit, are physically possible; NaN and infinities are not."""
    low, high = BOUNDS[quantity]
    return np.asarray((values >= low) & (values <= high))


def fractions_to_percent(values: Floats) -> Floats:
    """Oxygen given as a fraction (above 0, at most 1) in per cent; the rest as it is."""
    return np.where((values > 0) & (values <= 1), values * 100.0, values)


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
