"""Gzip members inflated by the library of ``inflate.c``."""

from __future__ import annotations

import ctypes
import gzip
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from core.library import CompiledLibrary, LibraryError
from core.recording.gzip_member import (
    PIECE_BYTES,
    DamagedError,
    GzipHeader,
    GzipTrailer,
    Input,
    LibraryMember,
    Member,
    Piece,
    crc32,
)

_INTEGER = ctypes.c_int64
_NEEDS_ROOM, _ENDED, _DAMAGED = 1, 2, 3
_HISTORY = 32 * 1024
# The last symbol may be the longest repeat; repeats are copied in words, and begin with two.
_LAST_SYMBOL = 258
_BEHIND = 32


class _Code(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_uint16 * 16),
        ("limit", ctypes.c_uint16 * 16),
        ("offset", ctypes.c_int16 * 16),
        ("symbol", ctypes.c_uint16 * 288),
        ("index", ctypes.c_uint16 * 288),
    )


class _Tables(ctypes.Structure):
    _fields_ = (("step", ctypes.c_uint16 * (1 << 11)), ("entry", ctypes.c_uint64 * (1 << 11)))


class _Inflate(ctypes.Structure):
    """``Inflate`` of inflate.c, field by field; addresses as plain pointers."""

    _fields_ = (
        ("input", ctypes.c_void_p),
        ("in_bytes", _INTEGER),
        ("in_taken", _INTEGER),
        ("out", ctypes.c_void_p),
        ("oldest", _INTEGER),
        ("at", _INTEGER),
        ("end", _INTEGER),
        ("bits", ctypes.c_uint64),
        ("bit_count", _INTEGER),
        ("state", _INTEGER),
        ("is_last", _INTEGER),
        ("stored", _INTEGER),
        ("quick", _INTEGER),
        ("symbols", _Code),
        ("distances", _Code),
        ("tables", _Tables),
    )


def _prepare(library: ctypes.CDLL) -> None:
    if sys.byteorder != "little":
        raise LibraryError("it is for machines that store the lowest byte first")
    library.casemill_inflate.argtypes = (ctypes.POINTER(_Inflate),)
    if not _inflates_sample(library):
        raise LibraryError("a sample does not inflate to what went in: its compiler got inflate.c wrong")


LIBRARY = CompiledLibrary(
    Path(__file__).with_name("inflate.c"), "casemill_inflate_bytes", _Inflate, _prepare, without="isal"
)


@cache
def is_quick(library: ctypes.CDLL) -> bool:
    """Whether the variant for newer x86 processors runs here; asked once, as asking takes long on virtual machines."""
    return bool(library.casemill_is_quick())


def _inflates_sample(library: ctypes.CDLL) -> bool:
    """Whether a sample comes out, once a process: what is wrong in the library must not look like a bad recording."""
    mixed = (np.arange(4_000, dtype=np.uint32) * np.uint32(2_654_435_761) >> np.uint32(22)).astype("<u2").tobytes()
    content = b"".join((mixed, bytes(700), b"abc" * 90, mixed[1_000:5_000], b"end"))
    member = NativeMember(Room(library, quick=is_quick(library)))
    try:
        return b"".join(map(bytes, member.inflate(gzip.compress(content, 6, mtime=0)))) == content and member.ended
    except DamagedError:
        return False


class Members:
    """Makes the members of one file, one after the other: they share what one of them leaves behind."""

    def __init__(self) -> None:
        library = LIBRARY.usable()
        self._room = None if library is None else Room(library, quick=is_quick(library))

    def next(self) -> Member:
        """The next member; the one before is of no more use."""
        return LibraryMember() if self._room is None else NativeMember(self._room)


class Room:
    """The library's state, and the buffer that it writes to; ``quick`` chooses its variant for newer x86 processors."""

    def __init__(self, library: ctypes.CDLL, *, quick: bool) -> None:
        self._run = library.casemill_inflate
        self._buffer = bytearray(_HISTORY + PIECE_BYTES + _BEHIND)
        self._pinned = (ctypes.c_char * len(self._buffer)).from_buffer(self._buffer)
        self._view = memoryview(self._buffer).toreadonly()
        self._inflate = _Inflate(
            out=ctypes.addressof(self._pinned), end=_HISTORY + PIECE_BYTES - _LAST_SYMBOL + 1, quick=quick
        )
        self._reference = ctypes.byref(self._inflate)
        self.ended = False
        self.left = memoryview(b"")

    def begin(self) -> None:
        """A new stream, without a history."""
        inflate = self._inflate
        inflate.at = inflate.oldest = _HISTORY
        inflate.bits = inflate.bit_count = inflate.state = 0

    def inflate(self, data: memoryview) -> Iterator[memoryview]:
        """The content of the stream's next bytes, piece by piece, each until the next one is asked for.

        Then ``ended`` says whether the stream has, and ``left`` is what follows it, or else what could not be taken
        yet.
        """
        inflate = self._inflate
        held = np.frombuffer(data, np.uint8)  # it stays in place until the library is done
        inflate.input, inflate.in_bytes, inflate.in_taken = held.ctypes.data, len(data), 0
        went = _NEEDS_ROOM
        while went == _NEEDS_ROOM:
            went = self._run(self._reference)
            if inflate.at > _HISTORY:
                yield self._view[_HISTORY : inflate.at]
        if went == _DAMAGED:
            raise DamagedError
        self.ended = went == _ENDED
        self.left = data[inflate.in_taken :]
        if self.ended and inflate.bit_count:
            # What the library still holds stood in an earlier piece.
            self.left = memoryview(inflate.bits.to_bytes(8, "little")[: inflate.bit_count // 8] + self.left)


class NativeMember:
    """A member, inflated by our library."""

    def __init__(self, room: Room) -> None:
        room.begin()
        self._room = room
        self._header = GzipHeader()
        self._trailer = GzipTrailer()
        self._in_content = True
        self._left = memoryview(b"")
        self._crc = 0
        self._size = 0

    @property
    def ended(self) -> bool:
        """Whether all of the member was taken."""
        return self._trailer.complete

    def inflate(self, data: Input) -> Iterator[Piece]:
        """See :class:`~core.recording.gzip_member.Member`."""
        following = self._header.take(memoryview(data))
        if self._in_content and self._header.complete:
            if len(self._left):
                following = memoryview(b"".join((self._left, following)))
            for piece in self._room.inflate(following):
                self._crc = crc32(piece, self._crc)
                self._size += len(piece)
                yield piece
            self._in_content = not self._room.ended
            self._left = following = self._room.left
        if not self._in_content:
            self._left = self._trailer.take(following, self._crc, self._size)

    def rest(self) -> Input:
        """See :class:`~core.recording.gzip_member.Member`."""
        return self._left
