"""TensorFlow is the oracle: the same bytes, and the same records from joined members. Importing it takes seconds."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.examples.members import compress_member
from core.examples.pack import pack_examples
from core.examples.parse import iterate_records, parse_batch
from core.schema import Field, Kind, Schema
from tests.unit.test_examples_round_trip import same, tables

pytestmark = pytest.mark.slow
tf: Any = pytest.importorskip("tensorflow")
Table = tuple[Schema, dict[str, NDArray[Any]]]


def feature(field: Field, row: NDArray[Any]) -> Any:
    if field.kind is Kind.FLOAT:
        return tf.train.Feature(float_list=tf.train.FloatList(value=row.reshape(-1)))
    if field.kind is Kind.INT64:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=row.reshape(-1)))
    strings = [text.tobytes() for text in row.reshape(field.size, field.bytes_length)]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=strings))


def examples(schema: Schema, columns: dict[str, NDArray[Any]]) -> list[Any]:
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={field.name: feature(field, columns[field.name][index]) for field in schema.fields}
            )
        )
        for index in range(len(columns["order"]))
    ]


def written(records: list[bytes]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                writer.write(record)
        return path.read_bytes()


def without_prefixes(table: Table) -> bool:
    names = [field.name for field in table[0].fields]
    return not any(one != other and one.startswith(other) for one in names for other in names)


@given(table=tables(12).filter(without_prefixes))
@settings(deadline=None, max_examples=150)
def test_bytes_are_those_of_tensorflow(table: Table) -> None:
    schema, columns = table
    expected = written([example.SerializeToString(deterministic=True) for example in examples(schema, columns)])
    assert pack_examples(schema, columns).data == expected


def test_a_key_stands_before_those_that_it_begins() -> None:
    """Sorted as text; protobuf's upb puts the longer key first, its other implementations do as we do."""
    fields = [{"name": name, "kind": "int64", "shape": (), "role": "input"} for name in ("", "order", "order_2")]
    schema = Schema.model_validate({"fields": fields, "case_field": None, "group_field": None, "order_field": "order"})
    columns = {name: np.array([1, 2]) for name in ("", "order", "order_2")}
    records = list(iterate_records([pack_examples(schema, columns).data]))
    assert [tf.train.Example.FromString(record) for record in records] == examples(schema, columns)
    assert 0 <= records[0].index(b"order") < records[0].index(b"order_2")
    assert parse_batch(schema, written([example.SerializeToString() for example in examples(schema, columns)])).records


def unpacked(example: Any, order: list[str]) -> bytes:
    """The same example by hand: keys in the given order, values before keys, no packed list."""
    wanted = b""
    for name in order:
        of_name = example.features.feature[name]
        kind = of_name.WhichOneof("kind")
        if kind == "bytes_list":
            values = of_name.bytes_list.SerializeToString()
            tag = 0x0A
        elif kind == "float_list":
            values = b"".join(b"\x0d" + np.float32(value).tobytes() for value in of_name.float_list.value)
            tag = 0x12
        else:
            values = b"".join(b"\x08" + varint(value % 2**64) for value in of_name.int64_list.value)
            tag = 0x1A
        entry = part(0x12, part(tag, values)) + part(0x0A, name.encode())
        wanted += part(0x0A, entry)
    return part(0x0A, wanted)


def part(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    encoded = b""
    while value > 127:
        encoded += bytes([value % 128 + 128])
        value //= 128
    return encoded + bytes([value])


@given(table=tables(10), choices=st.data())
@settings(deadline=None, max_examples=80)
def test_other_spellings_of_the_same_examples_are_read(table: Table, choices: st.DataObject) -> None:
    schema, columns = table
    names = [field.name for field in schema.fields]
    records = []
    for example in examples(schema, columns):
        record = example.SerializeToString(deterministic=True)
        if choices.draw(st.booleans()):
            record = unpacked(example, choices.draw(st.permutations(names)))
            assert tf.train.Example.FromString(record).SerializeToString(
                deterministic=True
            ) == example.SerializeToString(deterministic=True)
        records.append(record)
    batch = parse_batch(schema, written(records))
    assert batch.records == len(records)
    assert all(same(batch.columns[name], columns[name]) for name in names)


@given(table=tables(12), bounds=st.lists(st.integers(0, 12), max_size=4))
@settings(deadline=None, max_examples=100)
def test_joined_members_are_read_by_tensorflow(table: Table, bounds: list[int]) -> None:
    schema, columns = table
    count = len(columns["order"])
    stored = b""
    for start, stop in pairwise([0, *sorted(min(bound, count) for bound in bounds), count]):
        case = {name: rows[start:stop] for name, rows in columns.items()}
        stored += compress_member(pack_examples(schema, case).data)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("empty", "shard", "nothing")]
        for path, content in zip(paths, (b"", stored, compress_member(b"")), strict=True):
            Path(path).write_bytes(content)
        records = list(tf.data.TFRecordDataset(paths, compression_type="GZIP").as_numpy_iterator())
    assert records == list(iterate_records([pack_examples(schema, columns).data]))
    assert len(records) == count
