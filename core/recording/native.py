"""The compiled walk (``walk.c``) behind the same interface as :mod:`core.recording.plain`."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from core.recording.compile import LIBRARY, source_digest
from core.recording.declare import Register
from core.recording.model import MAXIMUM_SPAN_S
from core.recording.packets import HEADER_BYTES, RECORD, RECORD_BYTES
from core.recording.records import Records

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
        ("read", _INTEGERS),
        ("undeclared", _INTEGERS),
        ("bad_time", _INTEGERS),
        ("malformed", _INTEGERS),
        ("room", _INTEGERS),
        ("good", _INTEGERS),
        ("good_times", ctypes.c_void_p),
        ("taken", _INTEGERS),
        ("taken_rows", ctypes.c_void_p),
        ("taken_times", ctypes.c_void_p),
        ("taken_values", ctypes.c_void_p),
        ("earliest", _NUMBER),
        ("latest", _NUMBER),
        ("farthest", _NUMBER),
        ("longest_span", _NUMBER),
    )


_COLUMNS = ("format", "bytes_needed", "gain", "offset", "collected", "records", "record_bytes")


class LibraryError(Exception):
    """There is no compiled walk that may be used; the text says why."""


def load_library(path: Path = LIBRARY) -> ctypes.CDLL:
    """The compiled walk.

    Raises
    ------
    LibraryError
        It was never compiled, cannot be loaded here, or was compiled from another ``walk.c``.
    """
    if not path.exists():
        raise LibraryError("it was not compiled when the package was installed")
    try:
        library = ctypes.CDLL(str(path))
        library.casemill_digest.restype = ctypes.c_char_p
        library.casemill_walk_bytes.restype = _INTEGERS
        library.casemill_walk.argtypes = library.casemill_end_block.argtypes = (ctypes.POINTER(_Walk),)
        library.casemill_end_block.restype = None
        made_of = library.casemill_digest().decode()
        walk_bytes = library.casemill_walk_bytes()
    except (OSError, AttributeError) as error:
        raise LibraryError(f"it cannot be loaded: {error}") from None
    if made_of != source_digest() or walk_bytes != ctypes.sizeof(_Walk):
        raise LibraryError("it was compiled from another walk.c: install the package again")
    return library


class NativeRecords(Records):
    """The walk is stopped at each declaration, which Python takes; the rest happens in the library."""

    def __init__(self, register: Register, library: ctypes.CDLL, buffer: bytearray) -> None:
        super().__init__(register)
        self._library = library
        self._room = len(buffer) // (HEADER_BYTES + RECORD_BYTES) + 1
        self._good_times = np.empty(self._room)
        self._taken_rows = np.empty(self._room, np.int32)
        self._taken_times = np.empty(self._room)
        self._taken_values = np.empty(self._room)
        self._pinned = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        self._walk = _Walk(
            buffer=ctypes.addressof(self._pinned),
            counts=self.counts.buffer_info()[0],
            in_force=register.in_force.ctypes.data,
            room=self._room,
            good_times=self._good_times.ctypes.data,
            taken_rows=self._taken_rows.ctypes.data,
            taken_times=self._taken_times.ctypes.data,
            taken_values=self._taken_values.ctypes.data,
            earliest=np.nan,
            latest=np.nan,
            farthest=np.nan,
            longest_span=MAXIMUM_SPAN_S,
        )
        self._reference = ctypes.byref(self._walk)
        self._rows_seen = 0
        self._find_columns()

    def walk(self, buffer: bytearray, begin: int, end: int) -> int:
        walk, step = self._walk, self._library.casemill_walk
        walk.position, walk.end = begin, end
        while (stopped := step(self._reference)) == _DECLARATION:
            self._note_late_declaration(self.counts[RECORD])
            if change := self._declare(buffer, walk.found):
                number, row = change
                self.register.in_force[number] = row
                self._find_columns()
        if stopped == _NO_ROOM:
            raise RuntimeError("a block has more records than its bytes can hold")
        self._library.casemill_end_block(self._reference)
        self._take_over()
        return int(walk.position)

    def _take_over(self) -> None:
        walk, clock = self._walk, self.clock
        self.read, self.undeclared = walk.read, walk.undeclared
        self.bad_time, self.malformed = walk.bad_time, walk.malformed
        clock.earliest, clock.latest, clock.farthest = walk.earliest, walk.latest, walk.farthest
        if taken := walk.taken:
            self._collect(self._taken_rows[:taken], self._taken_times[:taken], self._taken_values[:taken])
            walk.taken = 0
        self._check_malformed()

    def _find_columns(self) -> None:
        """Tell the library where the register's columns are: they move when they grow."""
        rows = len(self.register.format)
        if rows == self._rows_seen:
            return
        self._rows_seen = rows
        for name in _COLUMNS:
            setattr(self._walk, name, getattr(self.register, name).buffer_info()[0])
