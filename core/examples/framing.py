"""TFRecord framing: each record between its length and its checksum.

A frame is the length (u64), the masked CRC-32C of those eight bytes (u32), the data, and the masked CRC-32C of the
data (u32), all little-endian.
"""

from __future__ import annotations

import struct

import google_crc32c
import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 12
TRAILER_BYTES = 4
FRAME_BYTES = HEADER_BYTES + TRAILER_BYTES
"""What framing adds to every record."""

_MASK_DELTA = 0xA282EAD8


def masked_crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of ``data``, rotated and offset as TFRecord stores it."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def masked_crc32c_of_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """:func:`masked_crc32c` of each of ``rows`` [n, bytes], whose bytes stand together in memory; [n]."""
    crc = np.fromiter(map(google_crc32c.value, rows), np.uint32, len(rows))
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA).astype(np.uint32, copy=False)


def frame_header(length: int) -> bytes:
    """The twelve bytes that stand before a record of ``length`` bytes."""
    size = struct.pack("<Q", length)
    return size + struct.pack("<I", masked_crc32c(size))
