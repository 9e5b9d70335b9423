"""The inflated bytes gathered into blocks at fixed places, and each block walked over.

The places do not depend on how the bytes arrived, so neither does the result. Everything stands in one buffer that is
used again and again; of a packet longer than what is looked at, the rest is let go as it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from core.recording.declare import Register
from core.recording.inflate import unreadable
from core.recording.model import Header
from core.recording.packets import HEAD_BYTES, HEADER_BYTES, PADDING_BYTES
from core.recording.walks import new_records

BLOCK_BYTES = 256 * 1024
"""Inflated bytes that are walked at a time."""

_LONGEST_HELD = HEADER_BYTES + HEAD_BYTES
_BUFFER_BYTES = BLOCK_BYTES + 2 * _LONGEST_HELD + PADDING_BYTES

_MAGIC = b"VITA"
_version_and_length = Struct("<IH").unpack_from
_bias = Struct("<h").unpack_from
_start_and_end = Struct("<dd").unpack_from
_packet = Struct("<BI")


class Blocks:
    """Takes the inflated bytes in any pieces and counts them (``taken``); ``header`` stands when the first block is
    complete.

    :meth:`take` and :meth:`finish` raise ``unreadable`` where the header or the packets say
    that this is no recording.
    """

    def __init__(self, register: Register) -> None:
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self.records = new_records(register, self._buffer)
        self.header: Header | None = None
        self.taken = 0
        self._filled = 0
        self._missing = BLOCK_BYTES
        self._skip = 0
        self._held = b""

    @property
    def inside_packet(self) -> bool:
        """Whether what was taken so far ends inside a packet."""
        return bool(self._filled or self._skip)

    def take(self, piece: bytes | memoryview) -> Iterator[None]:
        """Take the next bytes, with a halt at the end of each block that they complete."""
        at = 0
        with memoryview(piece) as view:
            while at < len(piece):
                part = min(len(piece) - at, self._missing)
                self._gather(view[at : at + part])
                at += part
                self.taken += part
                self._missing -= part
                if not self._missing:
                    self._walk()
                    self._missing = BLOCK_BYTES
                    yield

    def finish(self) -> Header:
        """Walk over what makes no whole block."""
        self._walk()
        assert self.header is not None  # the first walk reads it, or raises
        return self.header

    def _gather(self, part: memoryview) -> None:
        if self._skip:
            skipped = min(self._skip, len(part))
            self._skip -= skipped
            if self._skip:
                return
            # The long packet is complete: it is walked as if it were as long as what was kept of it.
            self._append(memoryview(self._held))
            self._held = b""
            part = part[skipped:]
        self._append(part)

    def _append(self, part: memoryview) -> None:
        end = self._filled + len(part)
        self._view[self._filled : end] = part
        self._filled = end

    def _walk(self) -> None:
        begin = 0
        if self.header is None:
            self.header, begin = read_header(bytes(self._view[: self._filled]))
        rest = self.records.walk(self._buffer, begin, self._filled)
        left = self._filled - rest
        if left < _LONGEST_HELD:
            self._view[:left] = self._view[rest : self._filled]
            self._filled = left
            return
        # Only a packet that is longer than what is looked at can leave so much over.
        kind, length = _packet.unpack_from(self._view, rest)
        self._skip = HEADER_BYTES + length - left
        self._held = _packet.pack(kind, HEAD_BYTES) + self._view[rest + HEADER_BYTES : rest + _LONGEST_HELD]
        self._filled = 0


def read_header(first: bytes) -> tuple[Header, int]:
    """The header, and where the packets begin, from the first block (which is longer than any header).

    Raises
    ------
    ContentError
        ``unreadable``: no recording, or cut inside its header.
    """
    if not first.startswith(_MAGIC):
        raise unreadable("This is not a recording: it does not begin with VITA.")
    if len(first) < 10:
        raise unreadable("The file ends inside its header.")
    version, length = _version_and_length(first, 4)
    body = first[10 : 10 + length]
    if len(body) < length:
        raise unreadable("The file ends inside its header.")
    start, end = _start_and_end(body, 10) if length >= 26 else (None, None)
    header = Header(
        version=version,
        length=length,
        timezone_bias_minutes=_bias(body)[0] if length >= 2 else 0,
        start=start,
        end=end,
        packed=bool(body[26]) if length >= 27 else None,
    )
    return header, 10 + length
