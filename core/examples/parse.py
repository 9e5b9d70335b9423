"""TFRecord bytes to columns, strictly: framing, both checksums of each record, and the schema."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import IntegrityError
from core.examples import wire
from core.examples.columns import column_dtype, row_shape
from core.examples.frames import cut, frame_runs, frame_stop, wrong_data
from core.examples.framing import HEADER_BYTES, TRAILER_BYTES, masked_crc32c
from core.examples.walk import Span, Structure, walk
from core.schema import Field, Kind, Schema
from core.workload import Columns

_KNOWN_STRUCTURES = 8
_BYTES_AT_ONCE = 1024 * 1024
Known = dict[int, list[Structure]]
"""Layouts that were met, by the bytes of a record, the latest first."""


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
        while (stop := frame_stop(rest, at, number)) <= len(rest):
            yield _checked(rest, at, stop, number)
            at, number = stop, number + 1
        pieces = [rest[at:]]
        have, need = len(pieces[0]), stop - at
    if have:
        raise cut(number)


def parse_batch(schema: Schema, block: bytes) -> ParsedBatch:
    """Every record of an uncompressed TFRecord stream, such as one case's, as columns.

    Raises
    ------
    IntegrityError
        As :func:`iterate_records`, and ``record_schema`` where a record does not fit the schema or is malformed.
    """
    batch, taken = _parse_frames(schema, block, {}, 0)
    if taken < len(block):
        raise cut(batch.records)
    return batch


def parse_batches(schema: Schema, stream: Iterable[bytes], bytes_at_once: int = 1024 * 1024) -> Iterator[ParsedBatch]:
    """:func:`parse_batch` of a stream in pieces of any size, some records at a time, so that few are in memory."""
    known: Known = {}
    pieces: list[bytes] = []
    have, need, number = 0, bytes_at_once, 0
    for piece in stream:
        pieces.append(piece)
        have += len(piece)
        if have < need:
            continue
        block = b"".join(pieces)
        batch, taken = _parse_frames(schema, block, known, number)
        number += batch.records
        if batch.records:
            yield batch
        pieces, have = [block[taken:]], len(block) - taken
        need = max(bytes_at_once, frame_stop(block, taken, number) - taken)
    block = b"".join(pieces)
    batch, taken = _parse_frames(schema, block, known, number)
    if taken < len(block):
        raise cut(number + batch.records)
    if batch.records:
        yield batch


def _parse_frames(schema: Schema, block: bytes, known: Known, number: int) -> tuple[ParsedBatch, int]:
    """The block's whole frames, of which the first is record ``number`` of its stream, and the bytes they fill."""
    runs = list(frame_runs(block, number))
    count = sum(len(run.frames) for run in runs)
    columns: dict[str, NDArray[Any]] = {
        field.name: np.empty((count, *row_shape(field)), column_dtype(field)) for field in schema.fields
    }
    varints = {
        field.name: _Varints(field, columns[field.name], number) for field in schema.fields if field.kind is Kind.INT64
    }
    for run in runs:
        rows, at = run.records, 0
        while at < len(rows):
            structure, agreeing = _structure_of(schema, rows[at:], known, run.first + at)
            alike, first = rows[at : at + agreeing], run.first + at - number
            for field, spans in zip(schema.fields, structure.values, strict=True):
                if field.name in varints:
                    varints[field.name].add(alike, spans)
                else:
                    _copy(alike, spans, columns[field.name][first : first + agreeing])
            at += agreeing
    for of_field in varints.values():
        of_field.decode()
    return ParsedBatch(count, columns), sum(run.frames.size for run in runs)


def _checked(block: bytes, start: int, stop: int, number: int) -> bytes:
    """The data of one whole frame."""
    data = block[start + HEADER_BYTES : stop - TRAILER_BYTES]
    if masked_crc32c(data) != struct.unpack_from("<I", block, stop - TRAILER_BYTES)[0]:
        raise wrong_data(number)
    return data


def _structure_of(schema: Schema, rows: NDArray[np.uint8], known: Known, number: int) -> tuple[Structure, int]:
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
    """Gathers the bytes of one INT64 field over many records, from record ``number`` on, and decodes them together."""

    def __init__(self, field: Field, column: NDArray[np.int64], number: int) -> None:
        self._field = field
        self._number = number
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
        alike = wire.decode_single_varints(encoded, self._sizes) if self._field.size == 1 else None
        if alike is not None:
            self._write(alike)
            return
        fault = wire.varint_fault(encoded, sizes, self._field.size)
        if fault is not None:
            record, what = fault
            where = f"record {self._number + self._decoded + record}"
            raise IntegrityError("record_schema", f"{self._field.name!r}: {what}", where=where)
        self._write(wire.decode_varints(encoded))

    def _write(self, values: NDArray[np.int64]) -> None:
        target = self._column[self._decoded : self._decoded + len(self._sizes)]
        target[...] = values.reshape(target.shape)
        self._decoded += len(self._sizes)
        self._clear()
