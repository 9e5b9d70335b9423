"""The compiled walk (``walk.c``) behind the same interface as :mod:`core.recording.plain`."""

from __future__ import annotations

import ctypes
from pathlib import Path
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from core.library import CompiledLibrary, address_of
from core.recording.collect import check_room
from core.recording.declare import Register
from core.recording.model import MAXIMUM_SPAN_S
from core.recording.packets import HEADER_BYTES, RECORD, RECORD_BYTES
from core.recording.records import Columns, Records

_DECLARATION, _NO_ROOM = 1, 2
_INTEGERS = ctypes.c_int64
_NUMBER = ctypes.c_double


class _Walk(ctypes.Structure):
    """``Walk`` of walk.c, field by field; addresses as plain pointers."""

    _fields_ = (
        ("buffer", ctypes.c_void_p),
        ("end", _INTEGERS),
        ("position", _INTEGERS),
        ("found", _INTEGERS),
        ("counts", ctypes.c_void_p),
        ("in_force", ctypes.c_void_p),
        ("format", ctypes.c_void_p),
        ("bytes_needed", ctypes.c_void_p),
        ("gain", ctypes.c_void_p),
        ("offset", ctypes.c_void_p),
        ("collected", ctypes.c_void_p),
        ("records", ctypes.c_void_p),
        ("record_bytes", ctypes.c_void_p),
        ("packets", _INTEGERS),
        ("read", _INTEGERS),
        ("undeclared", _INTEGERS),
        ("bad_time", _INTEGERS),
        ("malformed", _INTEGERS),
        ("earliest", _NUMBER),
        ("latest", _NUMBER),
        ("farthest", _NUMBER),
        ("longest_span", _NUMBER),
        ("block_earliest", _NUMBER),
        ("block_latest", _NUMBER),
        ("room", _INTEGERS),
        ("good", _INTEGERS),
        ("good_times", ctypes.c_void_p),
        ("taken", _INTEGERS),
        ("taken_rows", ctypes.c_void_p),
        ("taken_times", ctypes.c_void_p),
        ("taken_values", ctypes.c_void_p),
    )


_COLUMNS = ("format", "bytes_needed", "gain", "offset", "collected", "records", "record_bytes")


# From "packets" to "farthest" at once: every field of a structure costs as much as all of them together.
_tally = Struct("@5q3d").unpack_from
_TALLY_AT = _Walk.packets.offset

_CHUNK_ROWS = 1 << 16
"""Samples that are given room at a time; what stands in one never moves."""


def _prepare(library: ctypes.CDLL) -> None:
    library.casemill_walk.argtypes = library.casemill_end_block.argtypes = (ctypes.POINTER(_Walk),)
    library.casemill_end_block.restype = None
    library.casemill_let_go.argtypes = (ctypes.POINTER(_Walk), _INTEGERS)
    library.casemill_let_go.restype = None
    library.casemill_count.argtypes = (_INTEGERS, *[ctypes.c_void_p] * 3)
    library.casemill_count.restype = None
    library.casemill_sort.argtypes = (_INTEGERS, *[ctypes.c_void_p] * 9)
    library.casemill_sort.restype = None


LIBRARY = CompiledLibrary(
    Path(__file__).with_name("walk.c"), "casemill_walk_bytes", _Walk, _prepare, without="plain Python"
)


class _Chunk:
    """Room for some samples; ``taken`` is final when the chunk is no longer the last."""

    def __init__(self, rows: int) -> None:
        self.rows = np.empty(rows, np.int32)
        self.times = np.empty(rows)
        self.values = np.empty(rows)
        self.taken = 0

    @property
    def left(self) -> int:
        return len(self.rows) - self.taken


class NativeRecords(Records):
    """The walk is stopped at each declaration, which Python takes; the rest happens in the library."""

    def __init__(self, register: Register, library: ctypes.CDLL, buffer: bytearray) -> None:
        super().__init__(register)
        self._library = library
        self._room = len(buffer) // (HEADER_BYTES + RECORD_BYTES) + 1
        self._good_times = np.empty(self._room)
        self._chunks: list[_Chunk] = []
        self._taken = 0
        self._pinned = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        self._walk = _Walk(
            buffer=ctypes.addressof(self._pinned),
            counts=self.counts.buffer_info()[0],
            in_force=address_of(register.in_force),
            room=self._room,
            good_times=address_of(self._good_times),
            earliest=np.nan,
            latest=np.nan,
            farthest=np.nan,
            longest_span=MAXIMUM_SPAN_S,
            block_earliest=np.nan,
            block_latest=np.nan,
        )
        self._reference = ctypes.byref(self._walk)
        self._rows_seen = 0
        self._find_columns()

    def walk(self, buffer: bytearray, begin: int, end: int) -> int:
        walk, step = self._walk, self._library.casemill_walk
        chunk = self._chunk_with_room()
        declares = False
        walk.position, walk.end = begin, end
        while (stopped := step(self._reference)) == _DECLARATION:
            declares = True
            self._note_late_declaration(self.counts[RECORD])
            if change := self._declare(buffer, walk.found):
                number, row = change
                self.register.in_force[number] = row
                self._find_columns()
        if stopped == _NO_ROOM:
            raise RuntimeError("a block has more records than its bytes can hold")
        self._library.casemill_end_block(self._reference)
        if declares:
            self._library.casemill_let_go(self._reference, chunk.taken)
        self._take_over(chunk)
        return int(walk.position)

    def columns(self, track_of: NDArray[np.int32], unit_of: NDArray[np.int16], tracks: int) -> Columns:
        sizes = np.zeros(tracks, np.int64)
        for chunk in self._chunks:
            self._library.casemill_count(chunk.taken, address_of(chunk.rows), address_of(track_of), address_of(sizes))
        ends = np.concatenate(([0], np.cumsum(sizes)))
        following = ends.copy()
        total = int(ends[-1])
        columns = Columns(ends, np.empty(total), np.empty(total), np.empty(total, np.int16))
        while self._chunks:
            # Each is let go when it has been sorted: only one of them stands in memory twice.
            chunk = self._chunks.pop(0)
            source = (chunk.rows, chunk.times, chunk.values, track_of, unit_of)
            target = (following, columns.times, columns.values, columns.unit_of)
            self._library.casemill_sort(chunk.taken, *(address_of(column) for column in (*source, *target)))
        return columns

    def _chunk_with_room(self) -> _Chunk:
        if not self._chunks or self._chunks[-1].left < self._room:
            chunk = _Chunk(max(self._room, _CHUNK_ROWS))
            self._chunks.append(chunk)
            walk = self._walk
            walk.taken = 0
            walk.taken_rows = address_of(chunk.rows)
            walk.taken_times = address_of(chunk.times)
            walk.taken_values = address_of(chunk.values)
        return self._chunks[-1]

    def _take_over(self, chunk: _Chunk) -> None:
        clock = self.clock
        (
            self.packets, self.read, self.undeclared, self.bad_time, self.malformed,
            clock.earliest, clock.latest, clock.farthest,
        ) = _tally(self._walk, _TALLY_AT)  # fmt: skip
        taken = self._walk.taken
        self._taken += taken - chunk.taken
        chunk.taken = taken
        check_room(self._taken)
        self._check_malformed()

    def _find_columns(self) -> None:
        """Tell the library where the register's columns are: they move when they grow."""
        rows = len(self.register.format)
        if rows == self._rows_seen:
            return
        self._rows_seen = rows
        for name in _COLUMNS:
            setattr(self._walk, name, getattr(self.register, name).buffer_info()[0])
