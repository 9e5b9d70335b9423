"""Masked CRC-32C and the frame header, against published and hand-made vectors."""

from __future__ import annotations

import struct

import google_crc32c
import pytest

from core.examples.framing import frame_header, masked_crc32c


def unmasked(masked: int) -> int:
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def test_the_compiled_implementation_is_used() -> None:
    assert google_crc32c.implementation == "c"


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        # The check value of the catalogue of CRC algorithms
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_known_checksums(data: bytes, crc: int) -> None:
    assert unmasked(masked_crc32c(data)) == crc


def test_the_mask() -> None:
    assert masked_crc32c(b"") == 0xA282EAD8
    # 0xE3069283 rotated right by 15 is 0x2507C60D
    assert masked_crc32c(b"123456789") == (0x2507C60D + 0xA282EAD8) & 0xFFFFFFFF


def test_frame_header() -> None:
    header = frame_header(300)
    assert header[:8] == b"\x2c\x01\0\0\0\0\0\0"
    assert struct.unpack("<I", header[8:]) == (masked_crc32c(header[:8]),)
