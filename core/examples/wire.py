"""The parts of the protobuf wire format that ``tf.train.Example`` needs, for whole arrays at a time.

An Example holds ``Features`` (field 1), which holds map entries (field 1) of a key (field 1) and a ``Feature``
(field 2), which holds one value list by kind; in every list the values are field 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Kind

FIRST_TAG = 0x0A
"""Field 1 with a length: features, map entry, key, packed numbers, one byte string."""
SECOND_TAG = 0x12
"""Field 2 with a length: the Feature of a map entry."""
FLOAT_TAG = 0x0D
"""Field 1 as four bytes: one float outside a packed list."""
VARINT_TAG = 0x08
"""Field 1 as a varint: one int64 outside a packed list."""
LIST_TAGS = {Kind.BYTES: 0x0A, Kind.FLOAT: 0x12, Kind.INT64: 0x1A}
"""The tag of each value list within a Feature."""
LONGEST_VARINT = 10
"""Bytes of a 64-bit varint with the top bit set, as every negative int64 has."""

_DIGIT_WEIGHTS = 1 << np.arange(0, 7 * (LONGEST_VARINT - 1), 7, dtype=np.int64)
_CONTINUES = np.array([0x00] + [0x80] * LONGEST_VARINT, np.uint8)
"""The top bits of a varint's bytes, the last byte first."""
_SHIFTS = np.arange(0, 7 * LONGEST_VARINT, 7, dtype=np.uint64)
_THRESHOLDS = np.array([1 << bits for bits in range(7, 64, 7)], np.uint64)


def encode_varint(value: int) -> bytes:
    """One number >= 0 as a varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def varint_lengths(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Bytes that each value takes as a varint (1 to 10), in the shape of ``values``."""
    unsigned = np.ascontiguousarray(values).view(np.uint64)
    return (np.searchsorted(_THRESHOLDS, unsigned, side="right") + 1).astype(np.uint8)


def encode_varints(values: NDArray[np.int64], lengths: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The varints of all values [n] on end; ``lengths`` [n] as :func:`varint_lengths` gives them."""
    ends = np.cumsum(lengths, dtype=np.intp)
    unsigned = np.repeat(np.ascontiguousarray(values).view(np.uint64), lengths)
    encoded = (unsigned >> _shifts(ends, lengths)).astype(np.uint8)
    encoded |= 0x80
    encoded[ends - 1] &= 0x7F
    return encoded


def encode_single_varints(values: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
    """The varints of values [n] that take ``length`` bytes each, [n, length]; these are few steps."""
    encoded = (np.ascontiguousarray(values).view(np.uint64)[:, None] >> _SHIFTS[:length]).astype(np.uint8)
    encoded |= _CONTINUES[:length][::-1]
    return encoded


def decode_varints(encoded: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The inverse of :func:`encode_varints`, for bytes without a :func:`varint_fault`."""
    if not len(encoded):
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(encoded < 0x80) + 1
    lengths = np.diff(ends, prepend=0)
    bits = (encoded & 0x7F).astype(np.uint64) << _shifts(ends, lengths)
    return np.add.reduceat(bits, ends - lengths, dtype=np.uint64).view(np.int64)


def decode_single_varints(encoded: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    """One varint a record, [n, bytes], where all take as many bytes, which is the rule; None where one is at fault."""
    size = encoded.shape[1]
    if not 0 < size < LONGEST_VARINT:
        return None
    digits = encoded ^ _CONTINUES[:size][::-1]
    if digits.size and digits.max() > 0x7F:
        return None
    values: NDArray[np.int64] = digits @ _DIGIT_WEIGHTS[:size]
    return values


def varint_fault(encoded: NDArray[np.uint8], sizes: NDArray[np.intp], count: int) -> tuple[int, str] | None:
    """The first record that does not hold ``count`` sound varints, and what is wrong with it.

    ``encoded`` are the records on end, ``sizes`` [n] the bytes of each.
    """
    stops = np.cumsum(sizes)
    is_last = encoded < 0x80
    endless = np.zeros(len(sizes), np.bool_)
    endless[sizes > 0] = ~is_last[stops[sizes > 0] - 1]
    seen = np.concatenate([[0], np.cumsum(is_last)])
    counts = seen[stops] - seen[stops - sizes]
    wrong = endless | (counts != count)
    if wrong.any():
        record = int(wrong.argmax())
        return record, "a varint does not end" if endless[record] else f"{counts[record]} values, not {count}"
    last = np.flatnonzero(is_last)
    lengths = np.diff(last, prepend=-1)
    wide = (lengths > LONGEST_VARINT) | ((lengths == LONGEST_VARINT) & (encoded[last] > 1))
    if wide.any():
        return int(wide.argmax()) // count, "a varint has more than 64 bits"
    return None


def _shifts(ends: NDArray[np.intp], lengths: NDArray[np.integer]) -> NDArray[np.uint64]:
    """For each encoded byte, how far its seven bits are shifted in its value."""
    starts = np.repeat(ends - lengths, lengths)
    within: NDArray[np.intp] = np.arange(len(starts)) - starts
    return (7 * within).astype(np.uint64)
