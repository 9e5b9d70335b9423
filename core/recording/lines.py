"""Text lines of a plain or gzip stream, as the file object that the CSV parser reads from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import chain

from core.recording.inflate import Inflate, unreadable

MAXIMUM_LINE_BYTES = 1 << 20
"""A longer line is no line of a recording (ours; 500 columns of 20 characters are 10 kB)."""

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Plain:
    """Pieces that are not compressed, with the figures of :class:`~core.recording.inflate.Inflate`."""

    truncated = False
    trailing_bytes = 0

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.bytes_in = 0

    @property
    def bytes_out(self) -> int:
        """As many as came in."""
        return self.bytes_in

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.bytes_in += len(piece)
            yield piece


class Lines(io.RawIOBase):
    """A readable of whole lines; of a stream that was cut the last, unfinished line is left out.

    ``stream`` has the figures. Reading raises ``ContentError`` ``unreadable`` for damaged gzip, an empty file
    and a line over :data:`MAXIMUM_LINE_BYTES`, and whatever ``pieces`` raises.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        pieces = iter(pieces)
        first = b""
        while len(first) < len(_BYTE_ORDER_MARK) and (piece := next(pieces, None)) is not None:
            first += piece
        if not first:
            raise unreadable("The file is empty.")
        whole = chain([first], pieces)
        self.stream: Inflate | Plain = Inflate(whole) if first.startswith(_GZIP) else Plain(whole)
        self._pieces = iter(self.stream)
        self._buffer = bytearray()
        self._ended = False
        self._fill(len(_BYTE_ORDER_MARK))
        if self._buffer.startswith(_BYTE_ORDER_MARK):
            del self._buffer[: len(_BYTE_ORDER_MARK)]

    def readable(self) -> bool:
        """Always."""
        return True

    @property
    def at_end(self) -> bool:
        """Whether nothing is left to read."""
        self._fill(1)
        return not self._buffer

    def line(self) -> bytes:
        """The next line without its end; empty at the end of the file."""
        self._fill(MAXIMUM_LINE_BYTES)
        end = self._buffer.find(b"\n", 0, MAXIMUM_LINE_BYTES)
        if end < 0 and not self._ended:
            raise unreadable("A line is longer than any table's.")
        return self._take(len(self._buffer) if end < 0 else end + 1).rstrip(b"\r\n")

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes that end with a line; where the lines end depends on the content alone."""
        if size < 0:
            raise io.UnsupportedOperation("lines are read by size")
        self._fill(size)
        if self._ended and len(self._buffer) <= size:
            return self._take(len(self._buffer))
        end = self._buffer.rfind(b"\n", 0, size) + 1
        if not end:
            raise unreadable("A line is longer than any table's.")
        return self._take(end)

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size and not self._ended:
            piece = next(self._pieces, None)
            if piece is not None:
                self._buffer += piece
                continue
            self._ended = True
            if self.stream.truncated:
                del self._buffer[self._buffer.rfind(b"\n") + 1 :]

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
