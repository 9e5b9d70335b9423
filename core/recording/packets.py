"""Packets of an inflated recording: where each begins, and what the records among them say.

:func:`scan` is the one loop that runs once per packet; everything after it works on whole columns.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import DTypeLike, NDArray

TRACK, RECORD, COMMAND, DEVICE, RAW = 0, 1, 6, 9, 10

HEADER_BYTES = 5
"""u8 type, u32 length of the body (spec/vitaldb, recording format)."""

HEAD_BYTES = (1 << 16) + 64
"""Of a longer body only this much is looked at: an information block (u16 length) and the value behind it."""

PADDING_BYTES = 32
"""More of a buffer than is scanned, so that fixed-size reads at its last packet stay inside."""

FORMATS = {1: "<f4", 2: "<f8", 3: "<i1", 4: "<u1", 5: "<i2", 6: "<u2", 7: "<i4", 8: "<u4"}
"""numpy types of the format codes (spec/vitaldb, recording format)."""

FORMAT_NAMES = {1: "f32", 2: "f64", 3: "i8", 4: "u8", 5: "i16", 6: "u16", 7: "i32", 8: "u32"}

FORMAT_BYTES = {code: np.dtype(name).itemsize for code, name in FORMATS.items()}

SENTINELS = {3: -128, 4: 255, 5: -32768, 6: 65535, 7: -(2**31), 8: 2**32 - 1}
"""The raw values that mean "missing" in the integer formats (spec/vitaldb, recording format)."""

Buffer = bytes | bytearray

_header = Struct("<BI").unpack_from

_INFO_AT = HEADER_BYTES
_TIME_AT = _INFO_AT + 2
_NUMBER_AT = _TIME_AT + 8
_INFO_BYTES = 10

RECORD_BYTES = 2 + _INFO_BYTES
"""The shortest body of a sound record: the information block and its length, and no value."""


def scan(
    buffer: Buffer, begin: int, end: int, counts: array[int], records: array[int], declarations: list[tuple[int, int]]
) -> int:
    """Walk over the complete packets of ``buffer[begin:end]``; give the position of the first that is not complete.

    ``counts`` [256] is raised per packet type. ``records`` gets the position of each record packet;
    ``declarations`` gets, of each track and device packet, how many records stand before it and its position.
    """
    position = begin
    last = end - HEADER_BYTES
    add = records.append
    declaring = (TRACK, DEVICE)
    while position <= last:
        kind, length = _header(buffer, position)
        following = position + HEADER_BYTES + length
        if following > end:
            break
        counts[kind] += 1
        if kind == RECORD:
            add(position)
        elif kind in declaring:
            declarations.append((len(records), position))
        position = following
    return position


@dataclass(frozen=True)
class Heads:
    """The fixed parts of n records: ``times`` (float64 [n], seconds), ``numbers`` (uint16 [n], track ids),
    ``values_at`` (int64 [n], positions in the buffer), ``room`` (int64 [n], bytes from there to the packet's end;
    negative where the packet is malformed), ``lengths`` (int64 [n], bytes of the packets' bodies)."""

    times: NDArray[np.float64]
    numbers: NDArray[np.uint16]
    values_at: NDArray[np.int64]
    room: NDArray[np.int64]
    lengths: NDArray[np.int64]


def read_heads(buffer: Buffer, positions: NDArray[np.int64]) -> Heads:
    """The heads of the record packets at ``positions``; the buffer goes on for :data:`PADDING_BYTES` behind them."""
    length = _at(buffer, "<u4", positions + 1).astype(np.int64)
    info = _at(buffer, "<u2", positions + _INFO_AT).astype(np.int64)
    sound = (length >= RECORD_BYTES) & (info >= _INFO_BYTES)
    return Heads(
        times=_at(buffer, "<f8", positions + _TIME_AT).astype(np.float64, copy=False),
        numbers=_at(buffer, "<u2", positions + _NUMBER_AT).astype(np.uint16, copy=False),
        values_at=positions + (HEADER_BYTES + 2) + info,
        room=np.where(sound, length - 2 - info, -1),
        lengths=length,
    )


def read_values(buffer: Buffer, code: int, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Raw values (float64 [n], exact) of one format at ``positions``; NaN where the record says "missing"."""
    with np.errstate(invalid="ignore"):
        values = _at(buffer, FORMATS[code], positions).astype(np.float64)
    if code in SENTINELS:
        values[values == SENTINELS[code]] = np.nan
    return values


def _at(buffer: Buffer, kind: DTypeLike, positions: NDArray[np.int64]) -> NDArray[np.generic]:
    # A view in which every byte begins an element: the records lie at odd places.
    size = np.dtype(kind).itemsize
    overlapping: NDArray[np.generic] = np.ndarray((len(buffer) - size + 1,), kind, buffer, strides=(1,))
    return overlapping[positions]
