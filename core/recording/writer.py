"""Writes ``.vital`` recordings byte by byte: what demo data and tests are made of (spec/vitaldb, recording format).

Nothing here judges: a caller may declare nonsense on purpose. All numbers are little-endian, strings are
a u32 length and UTF-8, and the gzip stream carries no time stamp, so that equal calls give equal bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.recording.model import Header

Floats = NDArray[np.float64]
Raw = NDArray[Any]
Sink = Callable[[bytes], object]

MAGIC = b"VITA"
RECORD_INFO_BYTES = 10
_BLOCK_S = 600.0
_SCATTER_BYTES = 64


class PacketType(IntEnum):
    """The packet types that have a meaning here; every other number is to be skipped by a reader."""

    TRACK = 0
    RECORD = 1
    COMMAND = 6
    DEVICE = 9
    RAW = 10


class TrackKind(IntEnum):
    """What the records of a track hold."""

    WAVE = 1
    NUMERIC = 2
    TEXT = 5


class Format(IntEnum):
    """How one value is stored."""

    F32 = 1
    F64 = 2
    I8 = 3
    U8 = 4
    I16 = 5
    U16 = 6
    I32 = 7
    U32 = 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """The little-endian numpy type of one value."""
        return np.dtype(("<f4", "<f8", "i1", "u1", "<i2", "<u2", "<i4", "<u4")[self - 1])

    @property
    def sentinel(self) -> int | None:
        """The integer that means "missing"; ``None`` for the floating formats, where NaN does."""
        if self in (Format.F32, Format.F64):
            return None
        limits = np.iinfo(self.dtype)
        return int(limits.min if limits.min < 0 else limits.max)


class Layout(str, Enum):
    """In which order records stand in the file."""

    INTERLEAVED = "interleaved"
    PACKED = "packed"
    TRACK_BY_TRACK = "track_by_track"


@dataclass(frozen=True)
class TrackDeclaration:
    """One track packet.

    ``tail_fields`` says how many of the optional fields are written (unit, minimum, maximum, colour, rate,
    gain, offset, monitor type, device, record bytes, start, end: 12 in all); a reader must cope with any number.
    """

    number: int
    name: str
    unit: str = ""
    kind: TrackKind = TrackKind.NUMERIC
    format: Format = Format.F32
    minimum: float = 0.0
    maximum: float = 0.0
    colour: int = 0xFFFFFFFF
    rate_hz: float = 0.0
    gain: float = 1.0
    offset: float = 0.0
    monitor_type: int = 0
    device: int = 0
    record_bytes: int = 0
    start: float = 0.0
    end: float = 0.0
    tail_fields: int = 12


@dataclass(frozen=True)
class Packets:
    """Record packets of one size: ``times`` float64 [n] in seconds, ``rows`` uint8 [n, bytes of one packet]."""

    times: Floats
    rows: NDArray[np.uint8]


@dataclass(frozen=True)
class NumericTrack:
    """A numeric track to write: ``times`` float64 [n] that do not fall, ``raw`` [n] as :func:`encode` gives it."""

    declaration: TrackDeclaration
    times: Floats
    raw: Raw


@dataclass(frozen=True)
class WaveTrack:
    """A wave of ``seconds`` whole seconds from ``start``, made piece by piece so that it never stands in memory.

    ``samples(first, last)`` gives the raw samples of seconds ``first`` … ``last - 1``, shape [(last - first) * rate].
    """

    declaration: TrackDeclaration
    start: float
    seconds: int
    samples: Callable[[int, int], Raw]

    @property
    def rate(self) -> int:
        """Samples per second."""
        return int(self.declaration.rate_hz)


def packet(kind: int, body: bytes, *, length: int | None = None) -> bytes:
    """One packet; ``length`` replaces the true length of the body, for files that lie."""
    return struct.pack("<BI", kind, len(body) if length is None else length) + body


def text_bytes(text: str) -> bytes:
    """A string as the format stores it."""
    encoded = text.encode()
    return struct.pack("<I", len(encoded)) + encoded


def header_bytes(header: Header) -> bytes:
    """Magic, version and header; the fields after the tenth byte only as far as ``header.length`` reaches."""
    body = struct.pack("<hII", header.timezone_bias_minutes, 0, 0)
    body += struct.pack("<ddB", header.start or 0.0, header.end or 0.0, bool(header.packed))
    body = body[: header.length].ljust(header.length, b"\0")
    return MAGIC + struct.pack("<IH", header.version, header.length) + body


def device_packet(number: int, kind: str, name: str, port: str | None = None) -> bytes:
    """The packet that gives a device its number, type, name and (optionally) port."""
    body = struct.pack("<I", number) + text_bytes(kind) + text_bytes(name)
    return packet(PacketType.DEVICE, body if port is None else body + text_bytes(port))


def track_packet(track: TrackDeclaration) -> bytes:
    """The packet that declares a track, its tail as long as ``tail_fields`` says."""
    tail = (
        text_bytes(track.unit),
        struct.pack("<f", track.minimum),
        struct.pack("<f", track.maximum),
        struct.pack("<I", track.colour),
        struct.pack("<f", track.rate_hz),
        struct.pack("<d", track.gain),
        struct.pack("<d", track.offset),
        struct.pack("<B", track.monitor_type),
        struct.pack("<I", track.device),
        struct.pack("<I", track.record_bytes),
        struct.pack("<d", track.start),
        struct.pack("<d", track.end),
    )
    body = struct.pack("<HBB", track.number, track.kind, track.format) + text_bytes(track.name)
    return packet(PacketType.TRACK, body + b"".join(tail[: track.tail_fields]))


def encode(track: TrackDeclaration, values: Floats) -> Raw:
    """Values in the declared unit as stored numbers: gain and offset undone, NaN as the sentinel.

    Values beyond the range of an integer format stop one short of it, so that none turns into the sentinel.
    """
    sentinel = track.format.sentinel
    if sentinel is None:
        return values.astype(track.format.dtype)
    limits = np.iinfo(track.format.dtype)
    low, high = limits.min + (sentinel == limits.min), limits.max - (sentinel == limits.max)
    missing = ~np.isfinite(values)
    scaled = np.rint((np.where(missing, track.offset, values) - track.offset) / track.gain)
    stored = np.clip(scaled, low, high).astype(np.int64)
    return np.where(missing, sentinel, stored).astype(track.format.dtype)


def _record_dtype(value: list[tuple[Any, ...]]) -> np.dtype[Any]:
    head: list[Any] = [("type", "u1"), ("length", "<u4"), ("info", "<u2"), ("time", "<f8"), ("track", "<u2")]
    return np.dtype(head + value)


def _records(number: int, times: Floats, dtype: np.dtype[Any]) -> Raw:
    rows = np.zeros(times.size, dtype)
    rows["type"] = PacketType.RECORD
    rows["length"] = dtype.itemsize - 5
    rows["info"] = RECORD_INFO_BYTES
    rows["time"] = times
    rows["track"] = number
    return rows


def _packets(times: Floats, rows: Raw) -> Packets:
    return Packets(times, rows.view(np.uint8).reshape(times.size, rows.dtype.itemsize))


def numeric_packets(track: TrackDeclaration, times: Floats, raw: Raw) -> Packets:
    """One record per value; ``times`` and ``raw`` have shape [n]."""
    rows = _records(track.number, times, _record_dtype([("value", track.format.dtype)]))
    rows["value"] = raw
    return _packets(times, rows)


def wave_packets(track: TrackDeclaration, times: Floats, samples: Raw) -> Packets:
    """One record per row of ``samples`` [n, samples of one record]."""
    size = samples.shape[1]
    dtype = _record_dtype([("count", "<u4"), ("samples", track.format.dtype, (size,))])
    rows = _records(track.number, times, dtype)
    rows["count"] = size
    rows["samples"] = samples
    return _packets(times, rows)


def text_packets(track: TrackDeclaration, time: float, text: str) -> Packets:
    """The record of one text."""
    body = struct.pack("<HdHI", RECORD_INFO_BYTES, time, track.number, 0) + text_bytes(text)
    row = np.frombuffer(packet(PacketType.RECORD, body), np.uint8)
    return Packets(np.array([time]), row.reshape(1, -1))


def packed_wave(wave: WaveTrack) -> Iterable[bytes]:
    """A whole wave as one record, in pieces; three hours at 500 Hz are one packet of 10.8 MB."""
    count = wave.seconds * wave.rate
    length = 2 + RECORD_INFO_BYTES + 4 + count * wave.declaration.format.dtype.itemsize
    yield struct.pack("<BI", PacketType.RECORD, length)
    yield struct.pack("<HdHI", RECORD_INFO_BYTES, wave.start, wave.declaration.number, count)
    for first, last in _blocks(wave.seconds):
        yield wave.samples(first, last).astype(wave.declaration.format.dtype).tobytes()


def wave_seconds(wave: WaveTrack, first: int, last: int) -> Packets:
    """The records of one second each of the seconds ``first`` … ``last - 1``."""
    samples = wave.samples(first, last).reshape(last - first, wave.rate)
    return wave_packets(wave.declaration, wave.start + np.arange(first, last, dtype=np.float64), samples)


def interleave(parts: Sequence[Packets]) -> bytes:
    """All packets by time; of equal times, those of the earlier part first."""
    if not any(part.times.size for part in parts):
        return b""
    sizes = np.concatenate([np.full(part.times.size, part.rows.shape[1]) for part in parts])
    order = np.argsort(np.concatenate([part.times for part in parts]), kind="stable")
    ends = np.cumsum(sizes[order])
    offsets = np.empty(sizes.size, np.int64)
    offsets[order] = ends - sizes[order]
    target = np.empty(int(ends[-1]), np.uint8)
    done = 0
    for part in parts:
        count, size = part.rows.shape
        places = offsets[done : done + count]
        if size <= _SCATTER_BYTES:
            target[places[:, None] + np.arange(size)] = part.rows
        else:  # an index per byte would be eight times the data
            for place, row in zip(places.tolist(), part.rows, strict=True):
                target[place : place + size] = row
        done += count
    return target.tobytes()


def write_records(
    sink: Sink, layout: Layout, numerics: Sequence[NumericTrack], waves: Sequence[WaveTrack], texts: Sequence[Packets]
) -> None:
    """Write all records in the given layout; memory stays at one block of 600 s, whatever the recording's length."""
    if layout is Layout.INTERLEAVED:
        _write_interleaved(sink, numerics, waves, texts)
        return
    for text in texts:
        sink(text.rows.tobytes())
    for track in numerics:
        sink(numeric_packets(track.declaration, track.times, track.raw).rows.tobytes())
    for wave in waves:
        if layout is Layout.PACKED:
            for piece in packed_wave(wave):
                sink(piece)
        else:
            for first, last in _blocks(wave.seconds):
                sink(wave_seconds(wave, first, last).rows.tobytes())


def _write_interleaved(
    sink: Sink, numerics: Sequence[NumericTrack], waves: Sequence[WaveTrack], texts: Sequence[Packets]
) -> None:
    starts = [track.times[0] for track in numerics if track.times.size]
    ends = [track.times[-1] for track in numerics if track.times.size]
    starts += [text.times[0] for text in texts] + [wave.start for wave in waves]
    ends += [text.times[0] for text in texts] + [wave.start + wave.seconds for wave in waves]
    begin = min(starts, default=0.0)
    while begin <= max(ends, default=-1.0):
        end = begin + _BLOCK_S
        parts = [text for text in texts if begin <= text.times[0] < end]
        for track in numerics:
            piece = slice(*np.searchsorted(track.times, (begin, end)).tolist())
            parts.append(numeric_packets(track.declaration, track.times[piece], track.raw[piece]))
        for wave in waves:
            first, last = (_seconds_before(wave, time) for time in (begin, end))
            if last > first:
                parts.append(wave_seconds(wave, first, last))
        sink(interleave(parts))
        begin = end


def _seconds_before(wave: WaveTrack, time: float) -> int:
    return min(wave.seconds, max(0, int(np.ceil(time - wave.start))))


def _blocks(seconds: int) -> Iterable[tuple[int, int]]:
    step = int(_BLOCK_S)
    return ((first, min(first + step, seconds)) for first in range(0, seconds, step))


class GzipWriter:
    """A gzip file without time stamp or name: equal writes give equal bytes.

    ``plain_bytes`` counts what was written before compression.
    """

    def __init__(self, path: Path, level: int = 1) -> None:
        self._file = path.open("wb")
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, 31)
        self.plain_bytes = 0

    def write(self, data: bytes) -> None:
        """Compress and append."""
        self.plain_bytes += len(data)
        self._file.write(self._deflate.compress(data))

    def close(self, *, finish: bool = True) -> None:
        """Close the file.

        Without ``finish`` the stream ends in the air: all that was written can be read, but the end of the
        compressed stream and its checksum are missing, as after a recorder that lost its power.
        """
        if not self._file.closed:
            self._file.write(self._deflate.flush(zlib.Z_FINISH if finish else zlib.Z_FULL_FLUSH))
            self._file.close()

    def __enter__(self) -> GzipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
