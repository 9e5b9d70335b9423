"""The bare limits: what a reader by isal, or a writer, of these bytes cannot be faster than on this machine."""

from __future__ import annotations

from pathlib import Path

from isal import isal_zlib

from core.recording.inflate import Inflate

PIECE_BYTES = 256 * 1024


def inflate_only(data: bytes, wanted_bytes: int) -> int:
    """Inflate a gzip member from pieces of 256 KiB and throw the content away, until ``wanted_bytes`` are out."""
    member = isal_zlib.decompressobj(wbits=31)
    size = 0
    for start in range(0, len(data), PIECE_BYTES):
        rest = data[start : start + PIECE_BYTES]
        while rest and size < wanted_bytes:
            size += len(member.decompress(rest, PIECE_BYTES))
            rest = member.unconsumed_tail
        if size >= wanted_bytes:
            break
    return size


def inflate_ours(data: bytes, wanted_bytes: int) -> int:
    """The same by our own inflate, as the reader calls it."""
    size = 0
    for piece in Inflate([data]):
        size += len(piece)
        if size >= wanted_bytes:
            break
    return size


def write_only(data: bytes, path: Path) -> None:
    """Write the bytes into the page cache."""
    path.write_bytes(data)
