"""Writes small recordings by hand, packet by packet, for the tests of the reference."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

WAVE, NUMERIC, TEXT = 1, 2, 5
FORMAT_CODES = {1: "<f", 2: "<d", 3: "<b", 4: "<B", 5: "<h", 6: "<H", 7: "<i", 8: "<I"}


def header(start: float | None = None, *, packed: bool = False) -> bytes:
    """The header of the generation that carries ``start`` (26 bytes, 27 with the packed flag), or the old one (10)."""
    content = struct.pack("<hII", -540, 0, 0)
    if start is not None:
        content += struct.pack("<dd", start, start + 60)
    if packed:
        content += b"\x01"
    return b"VITA" + struct.pack("<IH", 3, len(content)) + content


def text(value: str) -> bytes:
    """A length and UTF-8."""
    raw = value.encode()
    return struct.pack("<I", len(raw)) + raw


def packet(kind: int, body: bytes) -> bytes:
    """Any packet."""
    return struct.pack("<BI", kind, len(body)) + body


def device(number: int, kind: str, name: str = "") -> bytes:
    """A device packet."""
    return packet(9, struct.pack("<I", number) + text(kind) + text(name))


def track(
    number: int,
    name: str,
    unit: str = "",
    *,
    device_number: int = 1,
    kind: int = NUMERIC,
    value_format: int = 2,
    gain: float = 1.0,
    offset: float = 0.0,
) -> bytes:
    """A track packet with everything up to the device id."""
    body = struct.pack("<HBB", number, kind, value_format) + text(name) + text(unit)
    body += struct.pack("<ffIfddBI", 0.0, 0.0, 0, 0.0, gain, offset, 0, device_number)
    return packet(0, body)


def record(number: int, time: float, value: float, value_format: int = 2) -> bytes:
    """A record of a numeric track."""
    return packet(1, struct.pack("<HdH", 10, time, number) + struct.pack(FORMAT_CODES[value_format], value))


def wave(number: int, time: float, values: Sequence[float]) -> bytes:
    """A record of a wave track of f32."""
    body = struct.pack("<HdHI", 10, time, number, len(values)) + struct.pack(f"<{len(values)}f", *values)
    return packet(1, body)


def write(path: Path, *pieces: bytes) -> Path:
    """The pieces as one gzip member."""
    path.write_bytes(gzip.compress(b"".join(pieces), mtime=0))
    return path


def write_tracks(
    path: Path, tracks: dict[str, Sequence[tuple[float, float]]], *, start: float | None = None, units: str = ""
) -> Path:
    """``Device/NAME`` -> (time, value) pairs, as f64 records; ``units`` is declared by every track."""
    pieces = [header(start)]
    for number, (name, samples) in enumerate(tracks.items(), start=1):
        device_name, track_name = name.split("/")
        pieces.append(device(number, device_name))
        pieces.append(track(number, track_name, units, device_number=number))
        pieces += [record(number, time, value) for time, value in samples]
    return write(path, *pieces)
