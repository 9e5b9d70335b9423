"""The records of one block, held against the declarations in force, as columns of wanted samples."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.recording.collect import Clock, check_room, finite_or_missing
from core.recording.declare import UNDECLARED, Register
from core.recording.packets import read_heads, read_values

Change = tuple[int, int, int]
"""Before this record of the block, this track number has this declaration in force from here on."""


@dataclass
class Records:
    """All records met so far: counts, the clock, and the collected samples in the order of the file.

    A collected sample belongs to a numeric track that is wanted, or may turn out to be.
    """

    register: Register
    clock: Clock = field(default_factory=Clock)
    read: int = 0
    undeclared: int = 0
    bad_time: int = 0
    malformed: int = 0
    per_declaration: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _declared: array[int] = field(default_factory=lambda: array("i"))
    _times: array[float] = field(default_factory=lambda: array("d"))
    _values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, buffer: bytes, positions: NDArray[np.int64], changes: list[Change]) -> None:
        """Take the record packets at ``positions`` of a padded buffer; put ``changes`` in force on the way."""
        heads = read_heads(buffer, positions)
        declared = self._declarations_of(heads.numbers, changes)
        known = declared != UNDECLARED
        short = heads.room < np.array(self.register.bytes_needed)[declared]
        finite = np.isfinite(heads.times)
        good = known & finite & ~short
        self.malformed += int(np.count_nonzero(short))
        self.undeclared += int(np.count_nonzero(~known & ~short))
        self.bad_time += int(np.count_nonzero(known & ~finite & ~short))
        self.read += int(np.count_nonzero(good))
        self.clock.add(heads.times[good])
        counts = np.bincount(declared[good], minlength=len(self.register.packets))
        counts[: len(self.per_declaration)] += self.per_declaration
        self.per_declaration = counts
        collected = np.frombuffer(bytes(self.register.collected), np.bool_)
        taken = np.flatnonzero(good & collected[declared])
        if len(taken):
            self._collect(buffer, declared[taken], heads.times[taken], heads.values_at[taken])

    def columns(self) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """Declaration index, time (s) and value of every collected sample; they are given up."""
        declared, times, values = self._declared, self._times, self._values
        self._declared, self._times, self._values = array("i"), array("d"), array("d")
        return np.frombuffer(declared, np.int32), np.frombuffer(times), np.frombuffer(values)

    def _declarations_of(self, numbers: NDArray[np.uint16], changes: list[Change]) -> NDArray[np.int32]:
        in_force = self.register.in_force
        declared = in_force[numbers]
        for before, number, index in changes:
            in_force[number] = index
            declared[before:][numbers[before:] == number] = index
        return declared

    def _collect(
        self, buffer: bytes, declared: NDArray[np.int32], times: NDArray[np.float64], values_at: NDArray[np.int64]
    ) -> None:
        check_room(len(self._declared) + len(declared))
        values = np.empty(len(declared))
        formats = np.array(self.register.format)[declared]
        for code in np.flatnonzero(np.bincount(formats)):
            rows = formats == code
            values[rows] = read_values(buffer, int(code), values_at[rows])
        # A gain from the file may be anything; what it makes of a value may be no number.
        with np.errstate(all="ignore"):
            values = values * np.array(self.register.gain)[declared] + np.array(self.register.offset)[declared]
        self._declared.frombytes(declared.tobytes())
        self._times.frombytes(times.tobytes())
        self._values.frombytes(finite_or_missing(values).tobytes())
