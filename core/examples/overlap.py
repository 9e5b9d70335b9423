"""How far apart the same bytes stand in records whose windows overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.workload import Columns


@dataclass(frozen=True)
class Overlap:
    """What the columns of a case say about repeats in its records: a hint that nothing depends on but speed and size.

    ``shifts``: bytes by which a window begins after the one before it, for each field of overlapping windows.
    ``rows``: bytes of one row of such a window.
    """

    shifts: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()

    def distances(self, record_bytes: int) -> tuple[int, ...]:
        """Bytes back to where the bytes of a record may have stood before, ascending: in the row above, in the
        window before, in the same place of the record before."""
        windows = {record_bytes - shift for shift in self.shifts}
        return tuple(sorted(distance for distance in {*self.rows, *windows, record_bytes} if distance > 0))


def find_overlap(columns: Columns) -> Overlap:
    """From the strides of columns [n, window, …] that are overlapping views of one array."""
    shifts, rows = set(), set()
    for column in columns.values():
        if column.ndim < 2 or len(column) < 2 or not 0 < column.strides[0] < column.nbytes // len(column):
            continue
        contiguous = tuple(math.prod(column.shape[axis + 1 :]) * column.itemsize for axis in range(1, column.ndim))
        if column.strides[1:] == contiguous:
            shifts.add(column.strides[0])
            rows.add(contiguous[0])
    return Overlap(tuple(sorted(shifts)), tuple(sorted(rows)))
