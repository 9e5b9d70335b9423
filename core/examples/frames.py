"""The frames of a TFRecord stream, checked many at a time: records of equal size are one matrix of bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import IntegrityError
from core.examples.framing import FRAME_BYTES, HEADER_BYTES, TRAILER_BYTES, frame_header, masked_crc32c_of_rows

LARGEST_RECORD = 256 * 1024 * 1024
"""Bytes of a record beyond which it is refused unread; the bound is ours, for memory."""

_FIRST_LOOK, _NEXT_LOOK = 64, 4


@dataclass(frozen=True)
class FrameRun:
    """Neighbouring frames of equal size as [n, bytes of one]; ``first`` is the number of the first in its stream."""

    first: int
    frames: NDArray[np.uint8]

    @property
    def records(self) -> NDArray[np.uint8]:
        """What the frames hold, [n, bytes]."""
        return self.frames[:, HEADER_BYTES:-TRAILER_BYTES]


def frame_runs(block: bytes | memoryview, first: int = 0) -> Iterator[FrameRun]:
    """The whole frames of a block whose first frame is number ``first``, all checksums verified.

    Bytes of a frame that is not whole may follow the last one.

    Raises
    ------
    IntegrityError
        ``record_crc``: a checksum does not match. ``record_schema``: a record of more than ``LARGEST_RECORD`` bytes.
        ``where`` is the record, from 0.
    """
    start, number = 0, first
    while (stop := frame_stop(block, start, number)) <= len(block):
        size = stop - start
        frames = np.frombuffer(block, np.uint8, (len(block) - start) // size * size, start).reshape(-1, size)
        run = FrameRun(number, frames[: _alike(frames)])
        _check_data(run)
        yield run
        start, number = start + run.frames.size, number + len(run.frames)


def frame_stop(block: bytes | memoryview, start: int, number: int) -> int:
    """Where the frame that begins at ``start`` ends, or would end if there were more bytes; errors as above."""
    header = block[start : start + HEADER_BYTES]
    if len(header) < HEADER_BYTES:
        return start + HEADER_BYTES
    length = int(struct.unpack_from("<Q", header)[0])
    if header != frame_header(length):
        raise IntegrityError("record_crc", "the checksum of the length does not match", where=f"record {number}")
    if length > LARGEST_RECORD:
        raise IntegrityError("record_schema", f"a record of {length} bytes is refused", where=f"record {number}")
    return start + FRAME_BYTES + length


def wrong_data(number: int) -> IntegrityError:
    """The error of a record whose checksum does not match."""
    return IntegrityError("record_crc", "the checksum of the data does not match", where=f"record {number}")


def cut(number: int) -> IntegrityError:
    """The error of a stream that ends inside a record."""
    return IntegrityError("record_cut", "the stream ends inside a record", where=f"record {number}")


def _alike(frames: NDArray[np.uint8]) -> int:
    """How many rows, from the first on, have its header: the same bytes, so the same length and a sound checksum.

    It looks further and further, so that records of changing sizes cost no more than their number.
    """
    known, step = 1, _FIRST_LOOK
    while known < len(frames):
        same = frames[known : known + step, :HEADER_BYTES] == frames[0, :HEADER_BYTES]
        if not same.all():
            return known + int(same.all(axis=1).argmin())
        known += len(same)
        step *= _NEXT_LOOK
    return known


def _check_data(run: FrameRun) -> None:
    stored = np.ascontiguousarray(run.frames[:, -TRAILER_BYTES:]).view("<u4")[:, 0]
    sound = stored == masked_crc32c_of_rows(run.records)
    if not sound.all():
        raise wrong_data(run.first + int(sound.argmin()))
