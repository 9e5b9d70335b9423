"""The reader of ``.vital`` recordings: one pass, only the wanted values kept, every loss counted.

The format is spec/vitaldb's section "The recording format" with its fine print.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from struct import Struct

import numpy as np

from core.recording.attribute import declarations, samples
from core.recording.collect import Settled, settle
from core.recording.declare import UNDECLARED, MalformedPacketError, Register
from core.recording.inflate import Inflate, unreadable
from core.recording.model import Header, LossReport, Recording
from core.recording.packets import (
    COMMAND,
    DEVICE,
    HEAD_BYTES,
    HEADER_BYTES,
    PADDING,
    RAW,
    RECORD,
    TRACK,
    scan,
)
from core.recording.records import Change, Records

BLOCK_BYTES = 256 * 1024
"""Inflated bytes that are walked at a time."""

MAXIMUM_MALFORMED = 100_000
PACKETS_FLOOR = 4_000_000
"""Malformed packets, and packets beyond one per compressed byte, that one recording may have (bounds are ours).

A real recording has none of the former and one packet in thirty compressed bytes.
"""

_MAGIC = b"VITA"
_version_and_length = Struct("<IH").unpack_from
_bias = Struct("<h").unpack_from
_start_and_end = Struct("<dd").unpack_from
_packet = Struct("<BI")


def read_vital(pieces: Iterable[bytes], wanted: Collection[str] | None) -> Recording:
    """Read one recording; ``wanted`` are tracks as ``Device/NAME``, ``None`` means every numeric one.

    Raises
    ------
    ContentError
        ``unreadable``: not gzip, wrong magic, damaged, cut before its first record, or beyond any recording in size.
    """
    stream = Inflate(pieces)
    blocks = _blocks(stream)
    header, rest = _read_header(blocks)
    walk = _Walk(Register(wanted))
    walk.take(rest)
    for block in blocks:
        walk.take(block)
        if sum(walk.counts) > PACKETS_FLOOR + stream.bytes_in:
            raise unreadable(f"The file has over {sum(walk.counts):,} packets, far more than its size can mean.")
    walk.take(b"")
    return _finish(stream, header, walk)


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut at fixed places, so that the result does not depend on how they arrived."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        while len(gathered) >= BLOCK_BYTES:
            yield bytes(gathered[:BLOCK_BYTES])
            del gathered[:BLOCK_BYTES]
    if gathered:
        yield bytes(gathered)


def _read_header(blocks: Iterator[bytes]) -> tuple[Header, bytes]:
    """The header, skipped by its own length, and what follows it in the first block (which is longer)."""
    first = next(blocks, b"")
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
    return header, first[10 + length :]


class _Walk:
    """The state between two blocks: what was left over, and what of a long packet is still to be skipped."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.records = Records(register)
        self.counts = [0] * 256
        self.malformed = 0
        self._left = b""
        self._held = b""
        self._skip = 0

    @property
    def inside_packet(self) -> bool:
        """Whether what was taken so far ends inside a packet."""
        return bool(self._left or self._skip)

    def take(self, block: bytes) -> None:
        """Walk over the packets that are complete with this block."""
        if self._skip:
            skipped = min(self._skip, len(block))
            self._skip -= skipped
            if self._skip:
                return
            # The long packet is complete: it is walked as if it were as long as what was kept of it.
            block = self._held + block[skipped:]
            self._held = b""
        end = len(self._left) + len(block)
        buffer = b"".join((self._left, block, PADDING))
        rest = self._walk(buffer, end)
        self._left = buffer[rest:end]
        self._hold_long_packet()

    def _walk(self, buffer: bytes, end: int) -> int:
        positions = array("q")
        declarations: list[tuple[int, int]] = []
        rest = scan(buffer, end, self.counts, positions, declarations)
        changes = [change for before, at in declarations for change in self._declare(buffer, before, at)]
        if positions or changes:
            self.records.add(buffer, np.frombuffer(positions, np.int64), changes)
            self._guard()
        return rest

    def _declare(self, buffer: bytes, before: int, at: int) -> list[Change]:
        kind, length = _packet.unpack_from(buffer, at)
        body = buffer[at + HEADER_BYTES : at + HEADER_BYTES + length]
        try:
            if kind == DEVICE:
                self.register.device(body)
                return []
            number, index = self.register.track(body)
        except MalformedPacketError:
            self.malformed += 1
            self._guard()
            return []
        self.malformed += index == UNDECLARED
        return [(before, number, index)]

    def _hold_long_packet(self) -> None:
        if len(self._left) < HEADER_BYTES + HEAD_BYTES:
            return
        # Only a packet that is longer than what is looked at can leave so much over.
        kind, length = _packet.unpack_from(self._left)
        self._skip = HEADER_BYTES + length - len(self._left)
        self._held = _packet.pack(kind, HEAD_BYTES) + self._left[HEADER_BYTES : HEADER_BYTES + HEAD_BYTES]
        self._left = b""

    def _guard(self) -> None:
        if self.malformed + self.records.malformed > MAXIMUM_MALFORMED:
            raise unreadable(f"Over {MAXIMUM_MALFORMED:,} packets are malformed; this is no recording.")


def _finish(stream: Inflate, header: Header, walk: _Walk) -> Recording:
    records = walk.records
    truncated = stream.truncated or walk.inside_packet
    if truncated and not records.read:
        raise unreadable("The file ends before its first record.")
    settled = settle(samples(records), records.clock.earliest)
    recording = Recording(
        format="vital",
        header=header,
        earliest=records.clock.earliest,
        tracks=settled.tracks,
        declarations=declarations(records),
        devices=tuple(walk.register.device_names),
        loss=LossReport(),
    )
    seconds = records.clock.seconds(recording.t0)
    return replace(recording, loss=_loss(stream, walk, settled, len(recording.declarations), seconds, truncated))


def _loss(stream: Inflate, walk: _Walk, settled: Settled, distinct: int, seconds: float, truncated: bool) -> LossReport:
    records, counts = walk.records, walk.counts
    named = {"device": DEVICE, "track": TRACK, "record": RECORD, "command": COMMAND, "raw": RAW}
    packets = {name: counts[kind] for name, kind in named.items()}
    return LossReport(
        bytes_in=stream.bytes_in,
        bytes_out=stream.bytes_out,
        seconds=seconds,
        packets={**packets, "unknown": sum(counts) - sum(packets.values())},
        records_read=records.read,
        records_kept=settled.kept,
        records_unwanted=records.read - settled.kept - settled.late,
        records_undeclared=records.undeclared,
        records_bad_time=records.bad_time,
        records_late=settled.late,
        malformed_packets=walk.malformed + records.malformed,
        tracks_redeclared=walk.register.declared - walk.register.unlisted - distinct,
        duplicate_times=settled.duplicate_times,
        backward_times=settled.backward_times,
        largest_gap_s=settled.largest_gap_s,
        trailing_bytes=stream.trailing_bytes,
        truncated=truncated,
    )
