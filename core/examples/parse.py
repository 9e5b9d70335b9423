"""TFRecord bytes to columns, strictly: framing, both checksums of each record, and the schema."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import IntegrityError
from core.examples import wire
from core.examples.columns import column_dtype, row_shape
from core.examples.framing import FRAME_BYTES, HEADER_BYTES, TRAILER_BYTES, frame_header, masked_crc32c
from core.examples.walk import Span, Structure, walk
from core.schema import Field, Kind, Schema
from core.workload import Columns

LARGEST_RECORD = 256 * 1024 * 1024
"""Bytes of a record beyond which it is refused unread; the bound is ours, for memory."""

_KNOWN_STRUCTURES = 8
_BYTES_AT_ONCE = 1024 * 1024


@dataclass(frozen=True)
class ParsedBatch:
    """The records of one block as columns, shaped as in :class:`core.workload.CaseResult`."""

    records: int
    columns: Columns


def iterate_records(stream: Iterable[bytes]) -> Iterator[bytes]:
    """The records of an uncompressed TFRecord stream that comes in pieces of any size.

    Raises
    ------
    IntegrityError
        ``record_cut``: the stream ends inside a record. ``record_crc``: a checksum does not match.
        ``record_schema``: a record of more than ``LARGEST_RECORD`` bytes. ``where`` is the record, from 0.
    """
    rest, number = b"", 0
    pieces: list[bytes] = []
    have, need = 0, HEADER_BYTES
    for piece in stream:
        pieces.append(piece)
        have += len(piece)
        if have < need:
            continue
        rest = b"".join(pieces)
        at = 0
        while (stop := _frame_stop(rest, at, number)) <= len(rest):
            yield _checked(rest, at, stop, number)
            at, number = stop, number + 1
        pieces = [rest[at:]]
        have, need = len(pieces[0]), stop - at
    if have:
        raise _cut(number)


def parse_batch(schema: Schema, block: bytes) -> ParsedBatch:
    """Every record of an uncompressed TFRecord stream, such as one case's, as columns.

    Raises
    ------
    IntegrityError
        As :func:`iterate_records`, and ``record_schema`` where a record does not fit the schema or is malformed.
    """
    bounds = _bounds(block)
    columns: dict[str, NDArray[Any]] = {
        field.name: np.empty((len(bounds) - 1, *row_shape(field)), column_dtype(field)) for field in schema.fields
    }
    varints = {field.name: _Varints(field, columns[field.name]) for field in schema.fields if field.kind is Kind.INT64}
    known: dict[int, list[Structure]] = {}
    for first, last in _equal_runs(bounds):
        frame_bytes = bounds[first + 1] - bounds[first]
        matrix = np.frombuffer(block, np.uint8, (last - first) * frame_bytes, bounds[first])
        rows = matrix.reshape(last - first, frame_bytes)[:, HEADER_BYTES:-TRAILER_BYTES]
        at = 0
        while at < len(rows):
            structure, agreeing = _structure_of(schema, rows[at:], known, first + at)
            alike = rows[at : at + agreeing]
            for field, spans in zip(schema.fields, structure.values, strict=True):
                if field.name in varints:
                    varints[field.name].add(alike, spans)
                else:
                    _copy(alike, spans, columns[field.name][first + at : first + at + agreeing])
            at += agreeing
    for of_field in varints.values():
        of_field.decode()
    return ParsedBatch(len(bounds) - 1, columns)


def _bounds(block: bytes) -> list[int]:
    """Where each frame starts, and the end of the last one, all checksums verified."""
    bounds = [0]
    while bounds[-1] < len(block):
        start, number = bounds[-1], len(bounds) - 1
        stop = _frame_stop(block, start, number)
        if stop > len(block):
            raise _cut(number)
        _checked(block, start, stop, number)
        bounds.append(stop)
    return bounds


def _frame_stop(block: bytes, start: int, number: int) -> int:
    """Where the frame ends, or would end if there were more bytes."""
    header = block[start : start + HEADER_BYTES]
    if len(header) < HEADER_BYTES:
        return start + HEADER_BYTES
    length = int(struct.unpack_from("<Q", header)[0])
    if header != frame_header(length):
        raise IntegrityError("record_crc", "the checksum of the length does not match", where=f"record {number}")
    if length > LARGEST_RECORD:
        raise IntegrityError("record_schema", f"a record of {length} bytes is refused", where=f"record {number}")
    return start + FRAME_BYTES + length


def _checked(block: bytes, start: int, stop: int, number: int) -> bytes:
    """The data of one whole frame."""
    data = block[start + HEADER_BYTES : stop - TRAILER_BYTES]
    if masked_crc32c(data) != struct.unpack_from("<I", block, stop - TRAILER_BYTES)[0]:
        raise IntegrityError("record_crc", "the checksum of the data does not match", where=f"record {number}")
    return data


def _cut(number: int) -> IntegrityError:
    return IntegrityError("record_cut", "the stream ends inside a record", where=f"record {number}")


def _equal_runs(bounds: list[int]) -> Iterator[tuple[int, int]]:
    """First and last + 1 of each stretch of records of equal size, in order."""
    sizes = np.diff(bounds)
    if len(sizes):
        yield from pairwise([0, *(np.flatnonzero(np.diff(sizes)) + 1).tolist(), len(sizes)])


def _structure_of(
    schema: Schema, rows: NDArray[np.uint8], known: dict[int, list[Structure]], number: int
) -> tuple[Structure, int]:
    """The layout of the first of ``rows``, and how many rows share it before one that does not."""
    recent = known.setdefault(rows.shape[1], [])
    for structure in recent:
        agreeing = structure.agreeing(rows)
        if agreeing:
            return structure, agreeing
    try:
        structure = walk(schema, rows[0].tobytes())
    except IntegrityError as error:
        raise IntegrityError(error.code, error.what, where=f"record {number}") from error
    recent.insert(0, structure)
    del recent[_KNOWN_STRUCTURES:]
    return structure, structure.agreeing(rows)


def _copy(rows: NDArray[np.uint8], spans: tuple[Span, ...], target: NDArray[Any]) -> None:
    """Copy floats or byte strings from ``rows`` to ``target``, record by record the same bytes."""
    if target.size == 0:
        return
    stored = target.reshape(len(rows), -1).view(np.uint8)
    taken = 0
    for start, stop in spans:
        stored[:, taken : taken + stop - start] = rows[:, start:stop]
        taken += stop - start


class _Varints:
    """Gathers the bytes of one INT64 field over many records, and decodes them together."""

    def __init__(self, field: Field, column: NDArray[np.int64]) -> None:
        self._field = field
        self._column = column
        self._decoded = 0
        self._clear()

    def _clear(self) -> None:
        self._parts: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
        self._sizes: list[int] = []
        self._waiting = 0

    def add(self, rows: NDArray[np.uint8], spans: tuple[Span, ...]) -> None:
        """Take the next records, which have this field's varints in ``spans``."""
        size = sum(stop - start for start, stop in spans)
        step = max(1, _BYTES_AT_ONCE // (size + 1))
        for first in range(0, len(rows), step):
            some = rows[first : first + step]
            encoded = np.concatenate([some[:, :0], *(some[:, start:stop] for start, stop in spans)], axis=1)
            self._parts.append(encoded.reshape(-1))
            self._sizes += [size] * len(some)
            self._waiting += encoded.size
            if self._waiting > _BYTES_AT_ONCE:
                self.decode()

    def decode(self) -> None:
        """Write what was gathered to the column."""
        encoded, sizes = np.concatenate(self._parts), np.array(self._sizes, np.intp)
        fault = wire.varint_fault(encoded, sizes, self._field.size)
        if fault is not None:
            record, what = fault
            where = f"record {self._decoded + record}"
            raise IntegrityError("record_schema", f"{self._field.name!r}: {what}", where=where)
        target = self._column[self._decoded : self._decoded + len(sizes)]
        target[...] = wire.decode_varints(encoded).reshape(target.shape)
        self._decoded += len(sizes)
        self._clear()
