"""The walk over a block in Python and numpy: what is used where the compiled one is not."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from core.recording.collect import finite_or_missing
from core.recording.declare import UNDECLARED
from core.recording.packets import HEADER_BYTES, RECORD, read_heads, read_values, scan
from core.recording.records import Records

Change = tuple[int, int, int]
"""Before this record of the block, this track number has this row in force from here on."""


class PlainRecords(Records):
    """One loop finds the packets; everything else works on whole columns."""

    def walk(self, buffer: bytearray, begin: int, end: int) -> int:
        positions = array("q")
        declarations: list[tuple[int, int]] = []
        records_before = self.counts[RECORD]
        rest = scan(buffer, begin, end, self.counts, positions, declarations)
        changes: list[Change] = []
        for before, at in declarations:
            self._note_late_declaration(records_before + before)
            if change := self._declare(buffer, at):
                changes.append((before, *change))
        if positions or changes:
            self._add(buffer, np.frombuffer(positions, np.int64), changes)
            self._check_malformed()
        return rest

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
