"""One gzip member taken apart as its bytes come: what surrounds the content (RFC 1952), and inflating it by a library.

The libraries are ``isal`` and, where it has no build, the standard one. :mod:`core.recording.inflate_native` does the
same faster; what is damaged, and what comes out of it, must be the same for all three.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol, cast

try:
    from isal import isal_zlib

    FAULTS: tuple[type[Exception], ...] = (zlib.error, cast("type[Exception]", isal_zlib.error))
    crc32: Callable[[Any, int], int] = isal_zlib.crc32

    def _inflater() -> Any:
        return isal_zlib.decompressobj(wbits=_GZIP)

except ImportError:  # pragma: no cover - isal has no wheel for every platform; zlib is six times slower
    FAULTS = (zlib.error,)
    crc32 = zlib.crc32

    def _inflater() -> Any:
        return zlib.decompressobj(wbits=_GZIP)


PIECE_BYTES = 256 * 1024
"""No piece that comes out is larger."""

MAGIC = b"\x1f\x8b"

_GZIP = 31
_DEFLATE = 8
_HEADER_CHECK, _EXTRA, _NAME, _COMMENT, _RESERVED = 2, 4, 8, 16, 0xE0
_TEXT = 0
_TRAILER = struct.Struct("<II")
_FIELD_BYTES = 4

Input = bytes | memoryview
Piece = bytes | memoryview


class DamagedError(Exception):
    """The member is not what its maker wrote."""


class Member(Protocol):
    """A member on its way; after :attr:`ended`, :meth:`rest` is what of the last data stands behind it.

    :meth:`inflate` takes all of ``data``, or up to the member's end. A piece may be overwritten when the next one is
    asked for. It raises :class:`DamagedError`.
    """

    @property
    def ended(self) -> bool:
        """Whether all of the member was taken."""

    def inflate(self, data: Input) -> Iterator[Piece]:
        """The content of the next bytes."""

    def rest(self) -> Input:
        """What of the last data stands behind the member's end."""


class LibraryMember:
    """A member, inflated by isal or the standard library."""

    def __init__(self) -> None:
        self._inflater = _inflater()

    @property
    def ended(self) -> bool:
        """Whether all of the member was taken."""
        return bool(self._inflater.eof)

    def inflate(self, data: Input) -> Iterator[Piece]:
        """See :class:`Member`."""
        member = self._inflater
        while True:
            try:
                out: bytes = member.decompress(data, PIECE_BYTES)
            except FAULTS:
                raise DamagedError from None
            if out:
                yield out
            data = member.unconsumed_tail
            # A full piece may have left more behind inside the inflater.
            if member.eof or (not data and len(out) < PIECE_BYTES):
                return

    def rest(self) -> Input:
        """See :class:`Member`."""
        return bytes(self._inflater.unused_data)


class GzipHeader:
    """Takes a member's header, in whatever pieces it comes; of names and comments nothing is kept."""

    def __init__(self) -> None:
        self._fields = self._read()
        self._wanted: int | None = next(self._fields)
        self._held = bytearray()
        self._crc = 0

    @property
    def complete(self) -> bool:
        """Whether all of the header was taken."""
        return self._wanted is None

    def take(self, data: memoryview) -> memoryview:
        """Take what of ``data`` belongs to the header, and give the rest.

        Raises
        ------
        DamagedError
            Another method than deflate, flags that have no meaning, or a wrong checksum of the header.
        """
        while self._wanted is not None and len(data):
            if self._wanted == _TEXT:
                end = bytes(data).find(0)
                part = data if end < 0 else data[: end + 1]
                is_whole = end >= 0
            else:
                part = data[: self._wanted - len(self._held)]
                self._held += part
                is_whole = len(self._held) == self._wanted
            self._crc = zlib.crc32(part, self._crc)
            data = data[len(part) :]
            if is_whole:
                self._wanted = self._next()
        return data

    def _next(self) -> int | None:
        field = bytes(self._held)
        self._held.clear()
        try:
            return self._fields.send(field)
        except StopIteration:
            return None

    def _read(self) -> Generator[int, bytes, None]:
        """The fields one after the other: asks for so many bytes, or for a text, and gets them."""
        fixed = yield 10
        method, flags = fixed[2], fixed[3]
        if method != _DEFLATE or flags & _RESERVED:
            raise DamagedError
        if flags & _EXTRA:
            size = int.from_bytes((yield 2), "little")
            if size:
                yield size
        if flags & _NAME:
            yield _TEXT
        if flags & _COMMENT:
            yield _TEXT
        if flags & _HEADER_CHECK:
            check = self._crc & 0xFFFF
            if int.from_bytes((yield 2), "little") != check:
                raise DamagedError


class GzipTrailer:
    """Takes the eight bytes behind the content: its checksum, and how long it is."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def complete(self) -> bool:
        """Whether all of the trailer was taken."""
        return len(self._held) == _TRAILER.size

    def take(self, data: memoryview, crc: int, size: int) -> memoryview:
        """Take what of ``data`` belongs to the trailer of ``size`` bytes with this checksum, and give the rest.

        Raises
        ------
        DamagedError
            The trailer says otherwise.
        """
        wanted = _TRAILER.size - len(self._held)
        self._held += bytes(data[:wanted])
        # Field by field: where the file is cut behind the checksum, the checksum counts.
        fields = len(self._held) // _FIELD_BYTES * _FIELD_BYTES
        if self._held[:fields] != _TRAILER.pack(crc, size & 0xFFFFFFFF)[:fields]:
            raise DamagedError
        return data[wanted:]
