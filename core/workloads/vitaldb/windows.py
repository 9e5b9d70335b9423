"""Windows over the normalised grid, and their targets (spec/vitaldb, steps 7 and 8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.workloads.vitaldb import grid_native
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import TARGET_INDICES


def count_windows(seconds: int, configuration: Configuration) -> int:
    """max(0, ⌊(T − window − horizon)/step⌋ + 1).

    >>> count_windows(330, Configuration()), count_windows(329, Configuration())
    (1, 0)
    """
    reach = seconds - configuration.window_s - configuration.horizon_s
    return max(0, reach // configuration.step_s + 1)


def cut_windows(grid: NDArray[np.float32], configuration: Configuration) -> NDArray[np.float32]:
    """The grid [T, 16] as overlapping views [n, window, 16]; nothing is copied."""
    count = count_windows(len(grid), configuration)
    second, feature = grid.strides
    shape = (count, configuration.window_s, grid.shape[1])
    # numpy checks that they stay within the grid.
    return np.ndarray(shape, grid.dtype, grid, strides=(configuration.step_s * second, second, feature))


def start_seconds(count: int, configuration: Configuration) -> NDArray[np.int64]:
    """First second of each window, [n]."""
    return np.arange(count, dtype=np.int64) * configuration.step_s


def targets(grid: NDArray[np.float32], count: int, configuration: Configuration) -> NDArray[np.float32]:
    """The eight target features [n, 8], ``horizon`` seconds after each window's last second."""
    seconds = start_seconds(count, configuration) + configuration.window_s - 1 + configuration.horizon_s
    return grid[seconds][:, TARGET_INDICES]


def observed_share(grid: NDArray[np.float64], count: int, configuration: Configuration) -> NDArray[np.float32]:
    """Share of each window's seconds that were measured, [n, 16], from the grid [T, 16] with its NaN."""
    library = grid_native.LIBRARY.usable()
    if library is not None:
        return grid_native.observed_share(library, grid, count, configuration.window_s, configuration.step_s)
    observed = ~np.isnan(grid)
    totals = np.zeros((observed.shape[1], len(observed) + 1), np.int32)
    np.cumsum(observed.T, axis=1, out=totals[:, 1:])
    starts = start_seconds(count, configuration)
    measured = totals[:, starts + configuration.window_s] - totals[:, starts]
    return np.ascontiguousarray((measured / configuration.window_s).astype(np.float32).T)
