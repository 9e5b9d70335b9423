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
from core.examples.deflate import Block
from core.examples.frames import FrameRun, cut, frame_runs, frame_stop, wrong_data
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
    batch, taken = _parse_frames(schema, block, {}, 0, in_place=False)
    if taken < len(block):
        raise cut(batch.records)
    return batch


class BatchReader:
    """:func:`parse_batch` of streams of one schema, one after the other, some records at a time.

    The memory is used again and again: the columns of a batch hold until the next one is asked for. Floats and byte
    strings are left where they stand among the stream's bytes, at any address.
    """

    def __init__(self, schema: Schema, bytes_at_once: int = 1024 * 1024) -> None:
        self._schema = schema
        self._bytes_at_once = bytes_at_once
        self._known: Known = {}
        self._room = np.empty(bytes_at_once, np.uint8)

    def batches(self, stream: Iterable[Block]) -> Iterator[ParsedBatch]:
        """The batches of a stream in pieces of any size; errors as :func:`parse_batch`."""
        have, need, number = 0, self._bytes_at_once, 0
        for piece in stream:
            have = self._put(have, piece)
            if have < need:
                continue
            batch, taken = self._parse(have, number)
            if batch.records:
                yield batch
            number += batch.records
            self._room[: have - taken] = self._room[taken:have]
            have -= taken
            need = max(self._bytes_at_once, frame_stop(self._room[:have].data, 0, number))
        batch, taken = self._parse(have, number)
        if taken < have:
            raise cut(number + batch.records)
        if batch.records:
            yield batch

    def _put(self, have: int, piece: Block) -> int:
        """Append a piece to the ``have`` bytes that are there; returns how many there are then."""
        stop = have + len(piece)
        if stop > len(self._room):
            larger = np.empty(max(stop, 2 * len(self._room)), np.uint8)
            larger[:have] = self._room[:have]
            self._room = larger
        self._room[have:stop] = np.frombuffer(piece, np.uint8)
        return stop

    def _parse(self, have: int, number: int) -> tuple[ParsedBatch, int]:
        return _parse_frames(self._schema, self._room[:have].data, self._known, number, in_place=True)


def _parse_frames(schema: Schema, block: Block, known: Known, number: int, in_place: bool) -> tuple[ParsedBatch, int]:
    """The block's whole frames, of which the first is record ``number`` of its stream, and the bytes they fill.

    With ``in_place``, columns may be views of the block.
    """
    runs = list(frame_runs(block, number))
    count = sum(len(run.frames) for run in runs)
    taken = sum(run.frames.size for run in runs)
    if in_place and len(runs) == 1:
        structure, agreeing = _structure_of(schema, runs[0].records, known, number)
        if agreeing == count:
            return ParsedBatch(count, _columns_in_place(schema, runs[0], structure)), taken
    columns = {field.name: _empty_column(field, count) for field in schema.fields}
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
    return ParsedBatch(count, columns), taken


def _columns_in_place(schema: Schema, run: FrameRun, structure: Structure) -> Columns:
    """The columns of records of one layout: what stands together in each record is not copied."""
    columns: dict[str, NDArray[Any]] = {}
    for field, spans in zip(schema.fields, structure.values, strict=True):
        if field.kind is not Kind.INT64 and field.size and len(spans) == 1:
            start, stop = spans[0]
            values = run.records[:, start:stop].view(column_dtype(field))
            columns[field.name] = values.reshape(len(values), *row_shape(field))
            continue
        if field.kind is Kind.INT64 and field.size == 1 and len(spans) == 1:
            start, stop = spans[0]
            numbers = wire.decode_single_varints(run.records[:, start:stop])
            if numbers is not None:
                columns[field.name] = numbers.reshape(len(numbers), *row_shape(field))
                continue
        columns[field.name] = _empty_column(field, len(run.frames))
        if field.kind is Kind.INT64:
            varints = _Varints(field, columns[field.name], run.first)
            varints.add(run.records, spans)
            varints.decode()
        else:
            _copy(run.records, spans, columns[field.name])
    return columns


def _empty_column(field: Field, records: int) -> NDArray[Any]:
    return np.empty((records, *row_shape(field)), column_dtype(field))


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
        self._parts: list[NDArray[np.uint8]] = []
        self._waiting = 0

    def add(self, rows: NDArray[np.uint8], spans: tuple[Span, ...]) -> None:
        """Take the next records, which have this field's varints in ``spans``; they stay there until decoding."""
        size = sum(stop - start for start, stop in spans)
        step = max(1, _BYTES_AT_ONCE // (size + 1))
        for first in range(0, len(rows), step):
            some = rows[first : first + step]
            parts = [some[:, start:stop] for start, stop in spans]
            self._parts.append(parts[0] if len(parts) == 1 else np.concatenate([some[:, :0], *parts], axis=1))
            self._waiting += self._parts[-1].size
            if self._waiting > _BYTES_AT_ONCE:
                self.decode()

    def decode(self) -> None:
        """Write what was gathered to the column."""
        if not self._parts:
            return
        if self._field.size == 1 and all(part.shape[1] == self._parts[0].shape[1] for part in self._parts):
            alike = wire.decode_single_varints(np.concatenate(self._parts))
            if alike is not None:
                self._write(alike)
                return
        encoded = np.concatenate([part.reshape(-1) for part in self._parts])
        sizes = np.repeat([part.shape[1] for part in self._parts], [len(part) for part in self._parts])
        fault = wire.varint_fault(encoded, sizes, self._field.size)
        if fault is not None:
            record, what = fault
            where = f"record {self._number + self._decoded + record}"
            raise IntegrityError("record_schema", f"{self._field.name!r}: {what}", where=where)
        self._write(wire.decode_varints(encoded))

    def _write(self, values: NDArray[np.int64]) -> None:
        records = sum(map(len, self._parts))
        target = self._column[self._decoded : self._decoded + records]
        target[...] = values.reshape(target.shape)
        self._decoded += records
        self._clear()
