"""Recordings built packet by packet from the format's description, for the tests of the reader."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator

MAGIC = b"VITA"
CODES = {1: "<f", 2: "<d", 3: "<b", 4: "<B", 5: "<h", 6: "<H", 7: "<i", 8: "<I"}
WAVE, NUMERIC, TEXT = 1, 2, 5


def string(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<I", len(raw)) + raw


def header(length: int = 10, *, version: int = 3, start: float = 0.0, end: float = 0.0, packed: int = 0) -> bytes:
    body = struct.pack("<hIIddB", -540, 0, 0, start, end, packed)
    return MAGIC + struct.pack("<IH", version, length) + body[:length].ljust(length, b"\xaa")


def packet(kind: int, body: bytes, *, length: int | None = None) -> bytes:
    return struct.pack("<BI", kind, len(body) if length is None else length) + body


def device(number: int, kind: str, name: str | None = "", port: str | None = None) -> bytes:
    body = struct.pack("<I", number) + string(kind)
    body += b"" if name is None else string(name)
    return packet(9, body + (b"" if port is None else string(port)))


def track_body(
    number: int,
    name: str | bytes,
    *,
    kind: int = NUMERIC,
    code: int = 1,
    unit: str = "",
    rate: float = 0.0,
    gain: float = 1.0,
    offset: float = 0.0,
    device_id: int = 1,
    record_bytes: int = 0,
) -> bytes:
    body = struct.pack("<HBB", number, kind, code) + string(name) + string(unit)
    return body + struct.pack("<ffIfddBIIdd", 0, 0, 0, rate, gain, offset, 0, device_id, record_bytes, 0, 0)


def track(number: int, name: str | bytes, **fields: object) -> bytes:
    return packet(0, track_body(number, name, **fields))  # type: ignore[arg-type]


def record(number: int, time: float, value: bytes, *, info: int = 10) -> bytes:
    return packet(1, struct.pack("<HdH", info, time, number) + bytes(info - 10) + value)


def numeric(number: int, time: float, value: float, code: int = 1) -> bytes:
    return record(number, time, struct.pack(CODES[code], value))


def wave(number: int, time: float, samples: int = 4) -> bytes:
    return record(number, time, struct.pack("<I", samples) + bytes(2 * samples))


def text(number: int, time: float, value: str) -> bytes:
    return record(number, time, bytes(4) + string(value))


def packed(*packets: bytes, head: bytes | None = None) -> bytes:
    return gzip.compress((header() if head is None else head) + b"".join(packets), 6, mtime=0)


def chopped(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
