"""Gzip inflated as a stream: member after member, in bounded pieces, within a bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, cast

from core.errors import ContentError

try:
    from isal import isal_zlib

    _FAULTS: tuple[type[Exception], ...] = (zlib.error, cast("type[Exception]", isal_zlib.error))

    def _member() -> Any:
        return isal_zlib.decompressobj(wbits=_GZIP)

except ImportError:  # pragma: no cover - isal has no wheel for every platform; zlib is six times slower
    _FAULTS = (zlib.error,)

    def _member() -> Any:
        return zlib.decompressobj(wbits=_GZIP)


PIECE_BYTES = 256 * 1024
"""No piece that comes out is larger."""

INFLATED_FLOOR = 1 << 30
INFLATED_RATIO = 100
INFLATED_CEILING = 8 << 30
"""Bytes that may come out: the ratio times what went in, at least the floor, never over the ceiling.

Recordings inflate about fivefold (16 MB to 77 MB) and deflate can do 1032-fold. The floor lets ten hours of
twenty flat waves through (36 MB each, next to nothing when compressed) and costs a second to inflate; the ratio lets
no bomb grow beyond that in step with its own size.
"""

MAXIMUM_MEMBERS = 100_000
"""Recordings have one, joined ones a few; each costs the making of an inflater, however small it is."""

_GZIP = 31
_MAGIC = b"\x1f\x8b"
_SLICE = 64 * 1024
"""Bytes that an inflater is given at a time: few calls, and little left over to be copied where the output is full."""


def unreadable(what: str) -> ContentError:
    """The error of a recording that cannot be used; ``what`` is a plain sentence."""
    return ContentError("unreadable", what)


class Inflate:
    """The inflated bytes of gzip pieces, to be iterated once; the figures are final when the iteration has ended.

    Zero padding between and after the members is ignored. ``truncated``: the input ends inside a member.
    ``trailing_bytes``: what follows the last member from the first byte on that neither pads nor begins another.

    Iterating raises
    ----------------
    ContentError
        ``unreadable``: not gzip, damaged (deflate data, checksum or length), or larger than the bound above.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.bytes_in = 0
        self.bytes_out = 0
        self.trailing_bytes = 0
        self.truncated = False

    def __iter__(self) -> Iterator[bytes]:
        member: Any = None
        members = 0
        head = b""
        for piece in self._slices():
            if self.trailing_bytes:
                self.trailing_bytes += len(piece)
                continue
            rest: bytes | memoryview = piece
            while rest:
                if member is None:
                    rest = (head + rest).lstrip(b"\0") if members else head + rest
                    head = rest if rest == _MAGIC[:1] else b""
                    if head or not rest:
                        break
                    if not rest.startswith(_MAGIC):
                        self._no_member(rest, members)
                        break
                    member, members = self._next_member(members)
                yield from self._inflate(member, rest)
                rest = member.unused_data if member.eof else b""
                member = None if member.eof else member
        if not self.bytes_in:
            raise unreadable("The file is empty.")
        # One byte left over that may begin another member says that the file was cut there.
        self.truncated = member is not None or bool(head)

    def close(self) -> None:
        """Leave the rest of the input where it is; who delivers it may stop."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()

    def _no_member(self, rest: bytes, members: int) -> None:
        if not members:
            raise unreadable("This is not a gzip file.")
        self.trailing_bytes = len(rest)

    def _next_member(self, members: int) -> tuple[Any, int]:
        if members == MAXIMUM_MEMBERS:
            raise unreadable(f"The file has more than {MAXIMUM_MEMBERS:,} gzip members; no recording has.")
        return _member(), members + 1

    def _slices(self) -> Iterator[memoryview]:
        # A caller may hand over the whole file at once; the inflater copies its unread input at every call.
        for piece in self._pieces:
            whole = memoryview(piece)
            for start in range(0, len(piece), _SLICE):
                part = whole[start : start + _SLICE]
                self.bytes_in += len(part)
                yield part

    def _inflate(self, member: Any, data: bytes | memoryview) -> Iterator[bytes]:
        while True:
            try:
                out: bytes = member.decompress(data, PIECE_BYTES)
            except _FAULTS:
                raise unreadable(
                    "The compressed data is damaged: its checksum says that some bytes are wrong, nobody can say "
                    "which, so none are used."
                ) from None
            if out:
                self.bytes_out += len(out)
                self._guard()
                yield out
            data = member.unconsumed_tail
            # A full piece may have left more behind inside the inflater.
            if member.eof or (not data and len(out) < PIECE_BYTES):
                return

    def _guard(self) -> None:
        bound = min(max(INFLATED_FLOOR, INFLATED_RATIO * self.bytes_in), INFLATED_CEILING)
        if self.bytes_out > bound:
            raise unreadable(
                f"The file inflates to more than {bound:,} bytes from {self.bytes_in:,}; no recording does that."
            )
