"""Columns to TFRecord bytes, the same bytes that TensorFlow's own writer would give for the same examples.

Records whose fields take equally many bytes differ in their values only. Such a run is laid out as matrices of
bytes, some records at a time: the structure is copied from a template, values are copied field by field, by the library
of ``pack.c`` where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import BugError
from core.examples import pack_native, wire
from core.examples.columns import column_dtype, row_shape
from core.examples.framing import HEADER_BYTES, TRAILER_BYTES, frame_header, masked_crc32c_of_rows
from core.examples.pack_native import Part
from core.schema import Field, Kind, Schema
from core.workload import Columns

BLOCK_BYTES = 1024 * 1024
"""Of a block of records, one at least: few enough to stay in a processor's caches until they are hashed and compressed,
and enough that what is done once a block does not count."""


@dataclass(frozen=True)
class PackedExamples:
    """A framed TFRecord stream and the number of records in it."""

    data: bytes
    records: int


def pack_examples(schema: Schema, columns: Columns) -> PackedExamples:
    """Serialise one example per row of ``columns``, in order, as :func:`pack_blocks`, at once."""
    data = b"".join(pack_blocks(schema, columns))
    return PackedExamples(data, len(columns[schema.order_field]))


def pack_blocks(schema: Schema, columns: Columns) -> Iterator[memoryview]:
    """Serialise one example per row of ``columns``, in order, as blocks of whole frames.

    Columns are as in :class:`core.workload.CaseResult`: FLOAT float32 [n, *shape], INT64 int64 [n, *shape],
    BYTES uint8 [n, *shape, bytes_length]. Keys are sorted and numbers packed, as in TensorFlow's deterministic
    serialisation (protobuf's upb deviates where one key begins another: it writes the longer one first).

    Raises
    ------
    BugError
        ``schema_mismatch``: a column is missing, not in the schema, or of another dtype or shape.
    """
    _check(schema, columns)
    encoded = [_encoded(field, columns[field.name]) for field in schema.fields]
    frames: dict[tuple[int, ...], _Sketch] = {}
    for start, stop in _runs(encoded, len(columns[schema.order_field])):
        key = tuple(field_bytes.size(start) for field_bytes in encoded)
        if key not in frames:
            frames[key] = _frame(schema.fields, key)
        rows = [field_bytes.rows(start, stop) for field_bytes in encoded]
        lay_out = _laying(frames[key], rows, stop - start)
        step = max(1, BLOCK_BYTES // len(frames[key].data))
        for first in range(0, stop - start, step):
            block = lay_out(first, min(first + step, stop - start))
            checksums = masked_crc32c_of_rows(block[:, HEADER_BYTES:-TRAILER_BYTES])
            block[:, -TRAILER_BYTES:] = checksums.astype("<u4").view(np.uint8).reshape(-1, TRAILER_BYTES)
            yield block.reshape(-1).data
            del block, checksums  # the next block then has the same place in memory, which is in the caches


class _FieldBytes(Protocol):
    """The encoded values of one field."""

    def size(self, record: int) -> int:
        """Bytes of a record."""
        ...

    def changes(self) -> NDArray[np.intp]:
        """The records of another size than the one before, ascending."""
        ...

    def rows(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Records of equal size as [stop - start, bytes]."""
        ...


@dataclass(frozen=True)
class _Plain(_FieldBytes):
    """Values that are written as they stand in memory; overlapping windows [n, *shape] are not copied."""

    column: NDArray[Any]
    width: int

    def size(self, record: int) -> int:
        return self.width * self.column.itemsize

    def changes(self) -> NDArray[np.intp]:
        return np.empty(0, np.intp)

    def rows(self, start: int, stop: int) -> NDArray[np.uint8]:
        rows = self.column[start:stop].reshape(stop - start, self.width)
        if rows.strides[-1] != rows.itemsize:
            rows = np.ascontiguousarray(rows)
        return rows.view(np.uint8)


@dataclass(frozen=True)
class _Varints(_FieldBytes):
    """Varints, records on end; record k is ``data[bounds[k]:bounds[k + 1]]``."""

    data: NDArray[np.uint8]
    bounds: NDArray[np.intp]

    def size(self, record: int) -> int:
        return int(self.bounds[record + 1] - self.bounds[record])

    def changes(self) -> NDArray[np.intp]:
        sizes = np.diff(self.bounds)
        return np.flatnonzero(sizes[1:] != sizes[:-1]) + 1

    def rows(self, start: int, stop: int) -> NDArray[np.uint8]:
        first, last = self.bounds[start], self.bounds[stop]
        return self.data[first:last].reshape(stop - start, (last - first) // (stop - start))


@dataclass(frozen=True)
class _SingleVarints(_FieldBytes):
    """One varint a record, ``lengths`` [n] bytes each."""

    values: NDArray[np.int64]
    lengths: NDArray[np.uint8]

    def size(self, record: int) -> int:
        return int(self.lengths[record])

    def changes(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.lengths[1:] != self.lengths[:-1]) + 1

    def rows(self, start: int, stop: int) -> NDArray[np.uint8]:
        return wire.encode_single_varints(self.values[start:stop], self.size(start))


def _check(schema: Schema, columns: Columns) -> None:
    """Raise unless all columns fit the schema and have equally many rows."""
    expected = {field.name for field in schema.fields}
    if set(columns) != expected:
        missing, extra = sorted(expected - set(columns)), sorted(set(columns) - expected)
        raise BugError("schema_mismatch", f"columns missing: {missing}, not in the schema: {extra}")
    counts = set()
    for field in schema.fields:
        column = columns[field.name]
        dtype, shape = column_dtype(field), row_shape(field)
        if column.dtype != dtype or column.ndim == 0 or column.shape[1:] != shape:
            found = f"{column.dtype} {column.shape}"
            raise BugError("schema_mismatch", f"{found} is not {dtype} [n, *{shape}]", where=field.name)
        counts.add(len(column))
    if len(counts) != 1:
        raise BugError("schema_mismatch", f"columns differ in length: {sorted(counts)}")


def _encoded(field: Field, column: NDArray[Any]) -> _FieldBytes:
    width = math.prod(row_shape(field))
    if field.kind is not Kind.INT64:
        return _Plain(column, width)
    values = np.ascontiguousarray(column).reshape(-1)
    if width == 1 and len(values) and (values == values[0]).all():  # such as the case's number: encoded once for all
        one = wire.encode_varint(int(values[0]) % 2**64)
        return _Plain(np.ndarray((len(values), len(one)), np.uint8, one, strides=(0, 1)), len(one))
    lengths = wire.varint_lengths(values)
    if width == 1:
        return _SingleVarints(values, lengths)
    ends = np.cumsum(lengths, dtype=np.intp)
    bounds = np.concatenate([[0], ends])[np.arange(len(column) + 1) * width]
    return _Varints(wire.encode_varints(values, lengths), bounds)


def _runs(encoded: list[_FieldBytes], count: int) -> Iterator[tuple[int, int]]:
    """Bounds of the longest stretches of records whose fields have the same sizes, in order."""
    if count:
        changes = {change for field_bytes in encoded for change in field_bytes.changes().tolist()}
        yield from pairwise([0, *sorted(changes), count])


def _laying(frame: _Sketch, fields: list[NDArray[np.uint8]], count: int) -> Callable[[int, int], NDArray[np.uint8]]:
    """What lays out the frames ``first`` to ``last`` of a run, [last - first, bytes of one], checksums left open."""
    template = np.ndarray((count, len(frame.data)), np.uint8, frame.data, strides=(0, 1))
    library = pack_native.LIBRARY.usable()
    if library is not None:
        return pack_native.Laying(library, (template, *fields), frame.parts).records
    sources = (template, *fields)
    return partial(_side_by_side, [sources[part.source][:, part.start : part.stop] for part in frame.parts])


def _side_by_side(parts: list[NDArray[np.uint8]], first: int, last: int) -> NDArray[np.uint8]:
    out = np.empty((last - first, sum(part.shape[1] for part in parts)), np.uint8)
    return np.concatenate([part[first:last] for part in parts], axis=1, out=out)


@dataclass(frozen=True)
class _Sketch:
    """Encoded bytes with zeros where values go, and for each field the (start, stop) of those holes."""

    data: bytes
    holes: tuple[tuple[tuple[int, int], ...], ...] = ()

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """What a record is made of, in order: bytes of these (source 0) and of the fields (sources from 1 on)."""
        parts, after = [], 0
        for source, field_holes in enumerate(self.holes, 1):
            taken = 0
            for start, stop in field_holes:
                parts += [Part(0, after, start), Part(source, taken, taken + stop - start)]
                taken, after = taken + stop - start, stop
        return (*parts, Part(0, after, len(self.data)))

    def after(self, prefix: bytes) -> _Sketch:
        shift = len(prefix)
        return _Sketch(
            prefix + self.data, tuple(tuple((a + shift, b + shift) for a, b in field) for field in self.holes)
        )

    def within(self, tag: int) -> _Sketch:
        return self.after(bytes([tag]) + wire.encode_varint(len(self.data)))


def _joined(parts: Iterable[_Sketch]) -> _Sketch:
    data = b""
    holes: list[tuple[tuple[int, int], ...]] = []
    for part in parts:
        holes.extend(part.after(data).holes)
        data += part.data
    return _Sketch(data, tuple(holes))


@lru_cache(maxsize=64)
def _frame(fields: tuple[Field, ...], sizes: tuple[int, ...]) -> _Sketch:
    """One framed record, its values and the checksum of its data left open; the same for case after case."""
    entries = []
    for field, size in zip(fields, sizes, strict=True):
        body = _list_body(field, size)
        feature = body.within(wire.LIST_TAGS[field.kind]).within(wire.SECOND_TAG)
        key = _Sketch(field.name.encode()).within(wire.FIRST_TAG)
        entries.append(feature.after(key.data).within(wire.FIRST_TAG))
    example = _joined(entries).within(wire.FIRST_TAG)
    frame = example.after(frame_header(len(example.data)))
    return _Sketch(frame.data + bytes(TRAILER_BYTES), frame.holes)


def _list_body(field: Field, size: int) -> _Sketch:
    """The value list of one field: byte strings one by one, numbers packed, nothing at all for no values."""
    if field.kind is Kind.BYTES:
        length = row_shape(field)[-1]
        prefix = bytes([wire.FIRST_TAG]) + wire.encode_varint(length)
        step = len(prefix) + length
        holes = tuple((start + len(prefix), start + step) for start in range(0, field.size * step, step))
        return _Sketch((prefix + bytes(length)) * field.size, (holes,))
    if size == 0:
        return _Sketch(b"", ((),))
    return _Sketch(bytes(size), (((0, size),),)).within(wire.FIRST_TAG)
