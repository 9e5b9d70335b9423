"""Gzip members: every case is compressed on its own, so that members join by byte copy and are read at an offset.

Neighbouring windows share nine tenths of their bytes, at a distance within deflate's 32 KiB (a record takes 19.5 kB).
Our own deflate (``deflate.c``) is told that distance, and does not search for it. It is used where half of the bytes
of a case's first records repeat others: then it was faster than level 3 throughout, and smaller to within a
thousandth (windows of 300 s that overlap by 60 to 97 %; only windows in which nothing ever changes come out larger,
a 140th against a 260th). Everything else, and every case where no library was compiled, goes to ``isal`` at level 3,
and to the standard library on machines that isal has no build for. They write different bytes for the same content,
which is why content is hashed before compression (design, rule 1).

Why level 3 is isal's default: it finds the overlap in any data; levels 1 and 2 lose sight of it where values look
random. Times smaller, and MB/s of records (processor time of one core of an EPYC, isal 1.9; zlib for comparison):

| level  | demo cohort | its MB/s | random walks | white noise |
|--------|-------------|----------|--------------|-------------|
| 1      | 22          | 2,400    | 8            | 1.2         |
| 2      | 22          | 2,400    | 11           | 1.2         |
| 3      | 29          | 430      | 15           | 9.9         |
| ours   | 46          | 4,200    | 18           | 9.9         |
| zlib 6 | 48          | 150      | 18           | 9.9         |

For the 6,388 cases of the open data set, in proportion, that is 2.3, 2.3, 1.8, 1.2 and 1.1 GB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import chain
from typing import Any

from core.errors import IntegrityError
from core.examples.deflate import LEAST_SHARE, LIBRARY, Block, deflate_member
from core.examples.overlap import Overlap

_zlib: Any
try:
    from isal import isal_zlib as _zlib
except ImportError:  # no build of isal for this processor
    import zlib as _zlib

_GZIP_FORMAT = 31
_LARGEST_PIECE = 4 * 1024 * 1024


class Compression(str, Enum):
    """How the objects of a data set are compressed."""

    GZIP = "gzip"
    NONE = "none"

    @property
    def suffix(self) -> str:
        """The end of an object's name."""
        return ".tfrecord.gz" if self is Compression.GZIP else ".tfrecord"


def compress_blocks(blocks: Iterable[Block], level: int = 3, compression: Compression = Compression.GZIP) -> bytes:
    """One case's records as one gzip member without time stamp and name; empty where there are none.

    ``level`` runs from 1 (fast) to 3 (small). With ``Compression.NONE`` the data is its own member. The blocks are
    taken one by one, so that only the compressed bytes add up.
    """
    if not 1 <= level <= 3:
        raise ValueError(f"level must be 1, 2 or 3, not {level}")
    if compression is Compression.NONE:
        return b"".join(blocks)
    packer = _zlib.compressobj(level, wbits=_GZIP_FORMAT)
    pieces: list[bytes] = []
    empty = True
    for block in blocks:
        empty = empty and not len(block)
        pieces.append(packer.compress(block))
    return b"" if empty else b"".join((*pieces, packer.flush()))


def compress_records(blocks: Iterable[Block], overlap: Overlap, compression: Compression = Compression.GZIP) -> bytes:
    """One case's records, as :func:`core.examples.pack.pack_blocks` yields them, as one member, empty where there are
    none: by our own deflate where they repeat one another, else as :func:`compress_blocks`."""
    rest = iter(blocks)
    first = next(rest, b"")
    library = LIBRARY.usable() if compression is Compression.GZIP and len(first) else None
    if library is not None:
        member = deflate_member(library, chain((first,), rest), overlap, _zlib.crc32, LEAST_SHARE)
        if member is not None:
            return member
    return compress_blocks(chain((first,), rest), compression=compression)


def compress_member(data: bytes, level: int = 3, compression: Compression = Compression.GZIP) -> bytes:
    """One case's records, at hand as a whole, as :func:`compress_blocks` makes them a member."""
    return compress_blocks((data,), level, compression)


def decompress_members(
    pieces: Iterable[bytes], compression: Compression = Compression.GZIP, largest: int = _LARGEST_PIECE
) -> Iterator[bytes]:
    """The content of joined members in order, in pieces of at most ``largest`` bytes (4 MiB) however well they were
    compressed.

    Raises
    ------
    IntegrityError
        ``member_cut``: the stream ends inside a member. ``member_damaged``: not gzip, or a checksum does not match.
    """
    if compression is Compression.NONE:
        yield from pieces
        return
    unpacker = None
    for piece in pieces:
        rest = piece
        while rest:
            if unpacker is None:
                unpacker = _zlib.decompressobj(_GZIP_FORMAT)
            yield from _unpack(unpacker, rest, largest)
            rest = unpacker.unused_data if unpacker.eof else b""
            if unpacker.eof:
                unpacker = None
    if unpacker is not None:
        raise IntegrityError("member_cut", "the compressed stream ends inside a gzip member")


def decompress_member(data: bytes, compression: Compression = Compression.GZIP) -> bytes:
    """The content of the member (or the joined members) that ``data`` holds; errors as :func:`decompress_members`."""
    return b"".join(decompress_members((data,), compression))


def _clear_registers() -> None:
    library = LIBRARY.usable()
    if library is not None:
        library.casemill_clear_registers()


def _unpack(unpacker: Any, data: bytes, largest: int) -> Iterator[bytes]:
    """Everything that ``data`` gives. Output can be pending after the last input byte, hence the empty rounds."""
    try:
        found = unpacker.decompress(data, largest)
        while found:
            _clear_registers()  # what comes out is hashed next
            yield found
            if unpacker.eof:
                return
            found = unpacker.decompress(unpacker.unconsumed_tail, largest)
    except _zlib.error as error:
        raise IntegrityError("member_damaged", f"not a sound gzip member ({error})") from error
