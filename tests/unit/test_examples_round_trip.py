"""Whatever is packed is parsed again: any schema, any values. Also home to the strategies that draw them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import BugError
from core.examples import wire
from core.examples.columns import column_dtype, row_shape
from core.examples.pack import pack_examples
from core.examples.parse import iterate_records, parse_batch
from core.schema import Field, Kind, Role, Schema

SHAPES = [(), (1,), (3,), (2, 3), (0,), (40,), (70, 2)]
INTEGERS = np.array([0, 1, -1, 127, 128, 16383, 16384, 2**31, 2**32, 2**63 - 1, -(2**63)], np.int64)
FLOATS = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 3.4028235e38, 1 / 3], np.float32)
ORDER = Field(name="order", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    names = draw(st.sets(st.text(st.characters(codec="utf-8"), max_size=12), max_size=4)) - {"order"}
    fields = [ORDER]
    for name in sorted(names):
        kind = draw(st.sampled_from(Kind))
        length = draw(st.sampled_from([0, 1, 5, 127, 128, 300])) if kind is Kind.BYTES else None
        shape = draw(st.sampled_from(SHAPES))
        fields.append(Field(name=name, kind=kind, shape=shape, role=Role.INPUT, bytes_length=length))
    fields.sort(key=lambda field: field.name)
    return Schema(fields=tuple(fields), case_field=None, group_field=None, order_field="order")


def column(field: Field, count: int, generator: np.random.Generator) -> NDArray[np.generic]:
    shape = (count, *row_shape(field))
    if field.kind is Kind.BYTES:
        return generator.integers(0, 256, shape, np.uint8)
    special = generator.random(shape) < generator.choice([0.0, 0.5, 1.0])
    if field.kind is Kind.FLOAT:
        scaled = (generator.standard_normal(shape) * 10.0 ** generator.integers(-30, 30)).astype(np.float32)
        return np.where(special, generator.choice(FLOATS, shape), scaled)
    bits = generator.integers(0, 64, shape if generator.random() < 0.5 else None)
    drawn = generator.integers(-(2**63), 2**63, shape, np.int64) >> bits
    return np.where(special, generator.choice(INTEGERS, shape), drawn)


@st.composite
def tables(draw: st.DrawFn, largest: int = 40) -> tuple[Schema, dict[str, NDArray[np.generic]]]:
    schema = draw(schemas())
    count = draw(st.integers(0, largest))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return schema, {field.name: column(field, count, generator) for field in schema.fields}


def same(found: NDArray[np.generic], expected: NDArray[np.generic]) -> bool:
    """Equal to the last bit, not-a-numbers and signs of zero included."""
    alike = found.dtype == expected.dtype and found.shape == expected.shape
    return alike and found.tobytes() == expected.tobytes()


@given(table=tables())
@settings(deadline=None, max_examples=150)
def test_parse_gives_back_what_was_packed(table: tuple[Schema, dict[str, NDArray[np.generic]]]) -> None:
    schema, columns = table
    packed = pack_examples(schema, columns)
    batch = parse_batch(schema, packed.data)
    assert packed.records == batch.records == len(columns["order"])
    assert set(batch.columns) == set(columns)
    assert all(same(batch.columns[name], columns[name]) for name in columns)


@given(table=tables(12), size=st.integers(1, 400))
@settings(deadline=None, max_examples=50)
def test_records_do_not_depend_on_the_pieces(table: tuple[Schema, dict[str, NDArray[np.generic]]], size: int) -> None:
    schema, columns = table
    data = pack_examples(schema, columns).data
    records = list(iterate_records(data[start : start + size] for start in range(0, len(data), size)))
    assert records == list(iterate_records([data]))
    assert len(records) == len(columns["order"])


@given(table=tables(12))
@settings(deadline=None, max_examples=50)
def test_packed_records_do_not_depend_on_their_neighbours(
    table: tuple[Schema, dict[str, NDArray[np.generic]]],
) -> None:
    schema, columns = table
    alone = [
        pack_examples(schema, {name: rows[index : index + 1] for name, rows in columns.items()}).data
        for index in range(len(columns["order"]))
    ]
    assert pack_examples(schema, columns).data == b"".join(alone)


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_varints(values: list[int]) -> None:
    array = np.array(values, np.int64)
    lengths = wire.varint_lengths(array)
    encoded = wire.encode_varints(array, lengths)
    assert encoded.tobytes() == b"".join(wire.encode_varint(value % 2**64) for value in values)
    assert np.array_equal(wire.decode_varints(encoded), array)
    for length in np.unique(lengths).tolist():
        alike = array[lengths == length]
        expected = [wire.encode_varint(value % 2**64) for value in alike.tolist()]
        assert wire.encode_single_varints(alike, length).tobytes() == b"".join(expected)


SIMPLE = Schema(
    fields=(
        Field(name="image", kind=Kind.BYTES, shape=(), role=Role.INPUT, bytes_length=4),
        ORDER,
        Field(name="signal", kind=Kind.FLOAT, shape=(3, 2), role=Role.INPUT),
    ),
    case_field=None,
    group_field=None,
    order_field="order",
)


def simple_columns(count: int = 2) -> dict[str, NDArray[np.generic]]:
    generator = np.random.default_rng(7)
    return {field.name: column(field, count, generator) for field in SIMPLE.fields}


def test_columns_may_be_views() -> None:
    columns = simple_columns(8)
    spaced = {name: np.repeat(rows, 2, axis=0)[::2] for name, rows in columns.items()}
    spaced["signal"] = np.asfortranarray(spaced["signal"])
    assert pack_examples(SIMPLE, spaced) == pack_examples(SIMPLE, columns)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("signal", np.zeros((2, 3, 2))),
        ("signal", np.zeros((2, 3, 2), ">f4")),
        ("signal", np.zeros((2, 6), np.float32)),
        ("signal", np.zeros((2, 2, 3), np.float32)),
        ("signal", np.zeros((3, 3, 2), np.float32)),
        ("signal", np.float32(1)),
        ("order", np.zeros((2, 1), np.int32)),
        ("order", np.zeros((2, 1), np.uint64)),
        ("order", np.zeros(2, np.int64)),
        ("image", np.zeros((2, 5), np.uint8)),
        ("image", np.zeros((2, 4), np.int8)),
        ("other", np.zeros((2, 1), np.int64)),
    ],
)
def test_columns_that_do_not_fit_are_a_bug(name: str, rows: NDArray[np.generic]) -> None:
    with pytest.raises(BugError) as caught:
        pack_examples(SIMPLE, {**simple_columns(), name: rows})
    assert caught.value.code == "schema_mismatch"


def test_a_missing_column_is_a_bug() -> None:
    columns = simple_columns()
    del columns["image"]
    with pytest.raises(BugError, match="image"):
        pack_examples(SIMPLE, columns)


def test_byte_strings_need_a_length() -> None:
    image = Field(name="image", kind=Kind.BYTES, shape=(), role=Role.INPUT)
    schema = Schema(fields=(image, ORDER), case_field=None, group_field=None, order_field="order")
    assert column_dtype(image) == np.uint8
    with pytest.raises(BugError, match="bytes_length"):
        pack_examples(schema, {"image": np.zeros((1, 4), np.uint8), "order": np.zeros((1, 1), np.int64)})


def test_no_rows_no_bytes() -> None:
    packed = pack_examples(SIMPLE, simple_columns(0))
    assert (packed.data, packed.records) == (b"", 0)
    assert parse_batch(SIMPLE, b"").columns["signal"].shape == (0, 3, 2)
