"""The walk over a block in Python and numpy: what is used where the compiled one is not."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from core.recording.collect import check_room, finite_or_missing
from core.recording.declare import UNDECLARED, Register
from core.recording.packets import HEADER_BYTES, RECORD, read_heads, read_values, scan
from core.recording.records import Columns, Records

Change = tuple[int, int, int]
"""Before this record of the block, this track number has this row in force from here on."""


class PlainRecords(Records):
    """One loop finds the packets; everything else works on whole columns."""

    def __init__(self, register: Register) -> None:
        super().__init__(register)
        self._rows: array[int] = array("i")
        self._times: array[float] = array("d")
        self._values: array[float] = array("d")

    def walk(self, buffer: bytearray, begin: int, end: int) -> int:
        positions = array("q")
        declarations: list[tuple[int, int]] = []
        records_before = self.counts[RECORD]
        rest = scan(buffer, begin, end, self.counts, positions, declarations)
        self.packets = sum(self.counts)
        changes: list[Change] = []
        for before, at in declarations:
            self._note_late_declaration(records_before + before)
            if change := self._declare(buffer, at):
                changes.append((before, *change))
        if positions or changes:
            self._add(buffer, np.frombuffer(positions, np.int64), changes)
            self._check_malformed()
        return rest

    def columns(self, track_of: NDArray[np.int32], unit_of: NDArray[np.int16], tracks: int) -> Columns:
        declared, times, values = np.frombuffer(self._rows, np.int32), self._times, self._values
        self._rows, self._times, self._values = array("i"), array("d"), array("d")
        track = track_of[declared]
        # Sorting small integers takes no comparisons.
        small = track.astype(np.int16) if tracks <= np.iinfo(np.int16).max else track
        order = np.argsort(small, kind="stable")
        ends = np.searchsorted(track, np.arange(tracks + 1), sorter=order)
        return Columns(ends, np.frombuffer(times)[order], np.frombuffer(values)[order], unit_of[declared[order]])

    def _add(self, buffer: bytearray, positions: NDArray[np.int64], changes: list[Change]) -> None:
        """Take the record packets at ``positions``; put ``changes`` in force on the way."""
        register = self.register
        heads = read_heads(buffer, positions)
        declared = self._declarations_of(heads.numbers, changes)
        known = declared != UNDECLARED
        short = heads.room < np.array(register.bytes_needed)[declared]
        finite = np.isfinite(heads.times)
        good = known & finite & ~short
        self.malformed += int(np.count_nonzero(short))
        self.undeclared += int(np.count_nonzero(~known & ~short))
        self.bad_time += int(np.count_nonzero(known & ~finite & ~short))
        self.read += int(np.count_nonzero(good))
        self.clock.add(heads.times[good])
        self._count(declared[good], heads.lengths[good])
        collected = np.array(register.collected, np.bool_)
        taken = np.flatnonzero(good & collected[declared])
        if len(taken):
            self._take(buffer, declared[taken], heads.times[taken], heads.values_at[taken])

    def _count(self, declared: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        rows = len(self.register.records)
        np.frombuffer(self.register.records, np.int64)[:] += np.bincount(declared, minlength=rows)
        # The sum is exact: a block is far smaller than 2^53 bytes.
        sizes = np.bincount(declared, weights=HEADER_BYTES + lengths, minlength=rows)
        np.frombuffer(self.register.record_bytes, np.int64)[:] += sizes.astype(np.int64)

    def _declarations_of(self, numbers: NDArray[np.uint16], changes: list[Change]) -> NDArray[np.int32]:
        in_force = self.register.in_force
        declared = in_force[numbers]
        for before, number, index in changes:
            in_force[number] = index
            declared[before:][numbers[before:] == number] = index
        return declared

    def _take(
        self, buffer: bytearray, declared: NDArray[np.int32], times: NDArray[np.float64], values_at: NDArray[np.int64]
    ) -> None:
        values = np.empty(len(declared))
        formats = np.array(self.register.format)[declared]
        for code in np.flatnonzero(np.bincount(formats)):
            rows = formats == code
            values[rows] = read_values(buffer, int(code), values_at[rows])
        # A gain from the file may be anything; what it makes of a value may be no number.
        with np.errstate(all="ignore"):
            values = values * np.array(self.register.gain)[declared] + np.array(self.register.offset)[declared]
        self._collect(declared, times, finite_or_missing(values))

    def _collect(self, rows: NDArray[np.int32], times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        check_room(len(self._rows) + len(rows))
        self._rows.frombytes(rows.data.cast("B"))
        self._times.frombytes(times.data.cast("B"))
        self._values.frombytes(values.data.cast("B"))
