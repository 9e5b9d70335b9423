"""Gzip members of records that repeat one another, by the library of ``deflate.c``."""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from core.examples.framing import FRAME_BYTES
from core.examples.overlap import Overlap
from core.library import CompiledLibrary, LibraryError, address_of

FARTHEST = 32 * 1024
"""How far back deflate can refer (RFC 1951)."""

LEAST_SHARE = 0.5
"""Bytes that must be repeats for the library to be the better choice (figures: :mod:`core.examples.members`)."""

_PROBED_RECORDS = 8
_MOST_DISTANCES, _HASHES = 8, 1 << 12
_TOKENS = 1 << 16
# A token takes at most 31 bits of the fixed code (a match of four bytes or more), and no other code is used that takes
# more in all; and the block's first and last bits, what the block before left over, and the store of eight bytes.
_OUT_BYTES = 4 * _TOKENS + 64
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_INTEGER = ctypes.c_int64

Block = bytes | memoryview
"""Content on its way into a member."""

Checksum = Callable[[Block, int], int]
"""CRC-32 of bytes, begun with that of those before."""


class _Deflate(ctypes.Structure):
    """``Deflate`` of deflate.c, field by field; addresses as plain pointers."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("position", _INTEGER),
        ("end", _INTEGER),
        ("before", _INTEGER),
        ("distances", _INTEGER * _MOST_DISTANCES),
        ("last_seen", ctypes.c_uint32 * _HASHES),
        ("matched", _INTEGER),
        ("literals", ctypes.c_void_p),
        ("literal_count", _INTEGER),
        ("repeats", ctypes.c_void_p),
        ("repeat_count", _INTEGER),
        ("token_room", _INTEGER),
        ("taken", _INTEGER),
        ("out", ctypes.c_void_p),
        ("out_room", _INTEGER),
        ("written", _INTEGER),
        ("bits", ctypes.c_uint64),
        ("bit_count", _INTEGER),
    )


def _prepare(library: ctypes.CDLL) -> None:
    library.casemill_deflate_find.argtypes = (ctypes.POINTER(_Deflate),)
    library.casemill_deflate_write.argtypes = (ctypes.POINTER(_Deflate), ctypes.c_int)
    library.casemill_clear_registers.restype = None
    if not round_trips(library):
        raise LibraryError("what it makes does not inflate to what went in: its compiler got deflate.c wrong")


LIBRARY = CompiledLibrary(
    Path(__file__).with_name("deflate.c"), "casemill_deflate_bytes", _Deflate, _prepare, without="isal"
)
"""Without it a member is larger, and takes longer to make."""


def round_trips(library: ctypes.CDLL) -> bool:
    """Whether a sample comes back, once a process: a shard with a wrong member is found by verification, but only at
    the end of the run. The sample has repeats near and far, literals, runs, and fixed and dynamic codes."""
    mixed = (np.arange(8_000, dtype=np.uint32) * np.uint32(2_654_435_761) >> np.uint32(13)).astype("<u4").tobytes()
    sample = b"".join((bytes(700), mixed[:9_000], b"abcd" * 300, mixed[5_000:30_000], mixed[:9_000], b"end"))
    member = deflate_member(library, (sample[:20_011], sample[20_011:]), Overlap((1_000,), (64,)), zlib.crc32)
    try:
        return member is not None and zlib.decompress(member, wbits=31) == sample
    except zlib.error:
        return False


def deflate_member(
    library: ctypes.CDLL, blocks: Iterable[Block], overlap: Overlap, checksum: Checksum, least_share: float = 0.0
) -> bytes | None:
    """One gzip member without time stamp and name, of blocks of frames of equal size (any bytes are right, though).

    None, and no more than one block taken, where in the first records less than ``least_share`` of the bytes repeat
    others.
    """
    deflating = Deflating(library)
    size, crc = 0, 0
    for block in blocks:
        taken, share = (0, 1.0) if size else _take_first_records(deflating, block, overlap)
        if share < least_share:
            return None
        crc = checksum(block, crc)
        size += len(block)
        deflating.add(block[taken:], overlap)
        del block  # or the next one could not have its place in memory
    return b"".join((_GZIP_HEADER, *deflating.finish(), struct.pack("<II", crc, size & 0xFFFFFFFF)))


def _take_first_records(deflating: Deflating, block: Block, overlap: Overlap) -> tuple[int, float]:
    """How many bytes those are, and the share of them, but for the very first record, that repeats bytes before them;
    none, and 0, where there is one record only, or they are no records of equal size."""
    size = _record_bytes(block)
    records = min(len(block) // size, _PROBED_RECORDS) if size else 0
    if records < 2:
        return 0, 0.0
    deflating.add(block[:size], overlap)
    first = deflating.matched
    deflating.add(block[size : records * size], overlap)
    return records * size, (deflating.matched - first) / ((records - 1) * size)


class Deflating:
    """A deflate stream in the making: keeps the last 32 KiB of what went in, and what came out."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._literals = np.empty(_TOKENS, np.uint8)
        self._repeats = np.empty((_TOKENS, 3), np.uint32)
        self._out = np.empty(_OUT_BYTES, np.uint8)
        self._deflate = _Deflate(
            literals=address_of(self._literals),
            repeats=address_of(self._repeats),
            token_room=_TOKENS,
            out=address_of(self._out),
            out_room=_OUT_BYTES,
        )
        self._reference = ctypes.byref(self._deflate)
        self._pieces: list[bytes] = []
        self._hint: tuple[Overlap, int] | None = None
        self._window = memoryview(bytearray(2 * FARTHEST))
        self._window_address = address_of(np.frombuffer(self._window, np.uint8))
        self._kept = 0
        self._size = 0

    @property
    def matched(self) -> int:
        """Bytes so far that repeat bytes before them."""
        return int(self._deflate.matched)

    def add(self, block: Block, overlap: Overlap) -> None:
        """Take the next bytes, which repeat those before them as ``overlap`` says, or do not."""
        hint = overlap, _record_bytes(block)
        if hint != self._hint:
            found = overlap.distances(hint[1])[:_MOST_DISTANCES]
            self._deflate.distances[:] = (*found, *(0,) * (_MOST_DISTANCES - len(found)))
            self._hint = hint
        # The window is the last bytes of the block before, and behind them the first of this one; the others stand
        # behind those, where they are.
        window, behind = self._window, self._kept + min(len(block), FARTHEST)
        window[self._kept : behind] = block[:FARTHEST]
        self._find(self._window_address, self._kept, behind)
        if len(block) > FARTHEST:
            self._find(address_of(np.frombuffer(block, np.uint8)), FARTHEST, len(block))
        self._kept = min(behind, FARTHEST)
        window[: self._kept] = block[-FARTHEST:] if len(block) >= FARTHEST else window[behind - self._kept : behind]

    def finish(self) -> list[bytes]:
        """The stream, whose last block this writes."""
        self._write(final=True)
        return self._pieces

    def _find(self, address: int, begin: int, end: int) -> None:
        """Tokens of the bytes there from ``begin`` on, which go on from what was taken before."""
        deflate = self._deflate
        deflate.data, deflate.position, deflate.end = address, begin, end
        deflate.before = self._size - begin
        while self._library.casemill_deflate_find(self._reference):
            self._write(final=False)
        self._size += end - begin

    def _write(self, final: bool) -> None:
        if self._library.casemill_deflate_write(self._reference, final):
            raise RuntimeError("a deflate block needs more room than its tokens can take")
        self._pieces.append(self._out[: self._deflate.written].tobytes())
        self._deflate.written = 0


def _record_bytes(block: Block) -> int:
    """Bytes of each frame in a block of equal ones; 0 where it is none."""
    size = int.from_bytes(block[:8], "little") + FRAME_BYTES
    return size if len(block) % size == 0 else 0
