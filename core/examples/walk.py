"""One serialised ``tf.train.Example``, read strictly, byte by byte.

The outcome is a :class:`Structure`: where every value stands, and which bytes tell so. Records that agree with it in
those bytes have their values in the same places, which is how :mod:`core.examples.parse` reads thousands at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import IntegrityError
from core.examples import wire
from core.examples.columns import row_shape
from core.schema import Field, Kind, Schema

_FIXED_WIDTH = {1: 8, 5: 4}
_SHORTEST_STRETCH = 8
"""Where single numbers stand between their tags, thousands of bytes tell the layout, each alone."""
_FIRST_LOOK, _NEXT_LOOK = 64, 4
Span = tuple[int, int]
"""Start and stop of bytes within a record."""


@dataclass(frozen=True)
class Structure:
    """The layout of a record of ``size`` bytes.

    Another record of that size has this layout if the bytes of its ``stretches``, on end, equal ``text``, and its
    single bytes at ``positions``, under ``mask``, equal ``expected``. ``values`` are, for each field of the schema in
    its order, the bytes that hold its values.
    """

    size: int
    stretches: tuple[Span, ...]
    text: NDArray[np.uint8]
    positions: NDArray[np.intp]
    mask: NDArray[np.uint8]
    expected: NDArray[np.uint8]
    values: tuple[tuple[Span, ...], ...]

    def agreeing(self, rows: NDArray[np.uint8]) -> int:
        """How many of ``rows`` [n, size], from the first on, have this layout."""
        known, step = 0, _FIRST_LOOK
        while known < len(rows):
            part = rows[known : known + step]
            agree = self._compare(part)
            if not agree.all():
                return known + int(agree.all(axis=1).argmin())
            known += len(part)
            step *= _NEXT_LOOK
        return known

    def _compare(self, rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Byte by byte, [n, bytes that tell the layout]; what stands together is copied so, which is much faster."""
        text = np.concatenate([rows[:, :0], *(rows[:, start:stop] for start, stop in self.stretches)], axis=1)
        agree: NDArray[np.bool_] = text == self.text
        if len(self.positions):
            singles = (rows[:, self.positions] & self.mask) == self.expected
            agree = np.concatenate([agree, singles], axis=1)
        return agree


def walk(schema: Schema, data: bytes) -> Structure:
    """The layout of one serialised Example.

    Map entries in any order and numbers outside packed lists are valid; unknown and repeated parts are not.

    Raises
    ------
    IntegrityError
        ``record_schema``: malformed protobuf, a key missing, repeated or not in the schema, values of another kind or
        number.
    """
    fields = {field.name.encode(): field for field in schema.fields}
    found: dict[str, tuple[Span, ...]] = {}
    for tag, start, stop in _parts(data, 0, len(data)):
        _expect(tag, wire.FIRST_TAG)
        for entry_tag, entry_start, entry_stop in _parts(data, start, stop):
            _expect(entry_tag, wire.FIRST_TAG)
            name, feature = _entry(data, entry_start, entry_stop)
            field = fields.get(name)
            if field is None:
                raise _refused(f"key {name[:64]!r} is not in the schema")
            if field.name in found:
                raise _refused(f"key {field.name!r} stands there twice")
            found[field.name] = _feature(field, data, *feature)
    missing = [field.name for field in schema.fields if field.name not in found]
    if missing:
        raise _refused(f"keys are missing: {missing}")
    return _structure(schema, data, tuple(found[field.name] for field in schema.fields))


def _structure(schema: Schema, data: bytes, values: tuple[tuple[Span, ...], ...]) -> Structure:
    mask = np.full(len(data), 0xFF, np.uint8)
    for field, spans in zip(schema.fields, values, strict=True):
        # Varints in one span are counted where they are decoded; in several, each span must end where it ends here.
        of_values = 0x80 if field.kind is Kind.INT64 and len(spans) > 1 else 0
        for start, stop in spans:
            mask[start:stop] = of_values
    content = np.frombuffer(data, np.uint8)
    stretches = _stretches(mask == 0xFF)
    text = np.concatenate([content[:0], *(content[start:stop] for start, stop in stretches)])
    for start, stop in stretches:
        mask[start:stop] = 0
    positions = np.flatnonzero(mask)
    mask = mask[positions]
    return Structure(len(data), stretches, text, positions, mask, content[positions] & mask, values)


def _stretches(wanted: NDArray[np.bool_]) -> tuple[Span, ...]:
    """Where at least ``_SHORTEST_STRETCH`` bytes are wanted on end."""
    edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False)).reshape(-1, 2)
    return tuple((start, stop) for start, stop in edges.tolist() if stop - start >= _SHORTEST_STRETCH)


def _entry(data: bytes, start: int, stop: int) -> tuple[bytes, Span]:
    """Key and Feature of one map entry."""
    keys: list[bytes] = []
    features: list[Span] = []
    for tag, part_start, part_stop in _parts(data, start, stop):
        if tag == wire.FIRST_TAG:
            keys.append(data[part_start:part_stop])
        else:
            _expect(tag, wire.SECOND_TAG)
            features.append((part_start, part_stop))
    if len(keys) != 1 or len(features) != 1:
        raise _refused(f"a map entry has {len(keys)} keys and {len(features)} features")
    return keys[0], features[0]


def _feature(field: Field, data: bytes, start: int, stop: int) -> tuple[Span, ...]:
    """Where the field's values stand; varints are left to be counted where they are decoded."""
    lists = list(_parts(data, start, stop))
    if len(lists) != 1 or lists[0][0] != wire.LIST_TAGS[field.kind]:
        raise _refused(f"{field.name!r} does not hold one {field.kind.value} list")
    spans = tuple(_value_spans(field, data, lists[0][1], lists[0][2]))
    if field.kind is not Kind.INT64:
        count = len(spans) if field.kind is Kind.BYTES else sum(last - first for first, last in spans) // 4
        if count != field.size:
            raise _refused(f"{field.name!r} has {count} values, not {field.size}")
    return spans


def _value_spans(field: Field, data: bytes, start: int, stop: int) -> Iterator[Span]:
    """The bytes of the values: packed lists, single numbers, or byte strings."""
    for tag, first, last in _parts(data, start, stop):
        if field.kind is Kind.BYTES:
            _expect(tag, wire.FIRST_TAG)
            if last - first != row_shape(field)[-1]:
                raise _refused(f"{field.name!r} has {last - first} bytes, not {field.bytes_length}")
        elif field.kind is Kind.FLOAT and tag != wire.FLOAT_TAG:
            _expect(tag, wire.FIRST_TAG)
            if (last - first) % 4:
                raise _refused(f"{field.name!r} ends inside a float")
        elif field.kind is Kind.INT64 and tag != wire.VARINT_TAG:
            _expect(tag, wire.FIRST_TAG)
            if first < last and data[last - 1] >= 0x80:
                raise _refused(f"{field.name!r} ends inside a varint")
        yield first, last


def _parts(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """The fields of one message as (tag, start, stop) of their content."""
    while start < stop:
        tag, start = _varint(data, start, stop)
        kind = tag & 7
        if kind == 2:
            length, start = _varint(data, start, stop)
            end = start + length
        elif kind == 0:
            _, end = _varint(data, start, stop)
        elif kind in _FIXED_WIDTH:
            end = start + _FIXED_WIDTH[kind]
        else:
            raise _refused(f"malformed: wire type {kind}")
        if end > stop:
            raise _refused("malformed: a part is longer than what holds it")
        yield tag, start, end
        start = end


def _varint(data: bytes, start: int, stop: int) -> tuple[int, int]:
    """A number and the position after it."""
    value = 0
    for index in range(start, min(stop, start + wire.LONGEST_VARINT)):
        value |= (data[index] & 0x7F) << (7 * (index - start))
        if data[index] < 0x80:
            if value >> 64:
                raise _refused("malformed: a varint has more than 64 bits")
            return value, index + 1
    raise _refused("malformed: a varint does not end")


def _expect(tag: int, expected: int) -> None:
    if tag != expected:
        raise _refused(f"malformed: field {tag >> 3} of wire type {tag & 7} has no place here")


def _refused(what: str) -> IntegrityError:
    return IntegrityError("record_schema", what)
