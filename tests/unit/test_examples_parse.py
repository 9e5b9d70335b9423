"""Strict reading: every cut and every flipped bit has its code, and so has every misfit with the schema."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import IntegrityError
from core.examples import frames, parse
from core.examples.framing import FRAME_BYTES, HEADER_BYTES, frame_header, masked_crc32c
from core.examples.pack import pack_examples
from core.examples.parse import BatchReader, ParsedBatch, iterate_records, parse_batch
from core.schema import Field, Kind, Role, Schema

SCHEMA = Schema(
    fields=(
        Field(name="floats", kind=Kind.FLOAT, shape=(2,), role=Role.INPUT),
        Field(name="numbers", kind=Kind.INT64, shape=(2,), role=Role.INPUT),
        Field(name="order", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
        Field(name="text", kind=Kind.BYTES, shape=(2,), role=Role.INPUT, bytes_length=3),
    ),
    case_field=None,
    group_field=None,
    order_field="order",
)
COLUMNS: dict[str, NDArray[np.generic]] = {
    "floats": np.arange(12, dtype=np.float32).reshape(6, 2),
    "numbers": np.array([[1, 2], [3, 4], [-1, 300], [300, -1], [5, 6], [7, 8]]),
    "order": np.arange(6).reshape(6, 1),
    "text": np.arange(36, dtype=np.uint8).reshape(6, 2, 3),
}
DATA = pack_examples(SCHEMA, COLUMNS).data


def frame(record: bytes) -> bytes:
    return frame_header(len(record)) + record + struct.pack("<I", masked_crc32c(record))


RECORDS = list(iterate_records([DATA]))
ENDS = np.cumsum([len(record) + FRAME_BYTES for record in RECORDS]).tolist()


def part(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def entry(key: bytes, feature: bytes) -> bytes:
    return part(0x0A, part(0x0A, key), part(0x12, feature))


FLOATS = entry(b"floats", part(0x12, part(0x0A, bytes(8))))
NUMBERS = entry(b"numbers", part(0x1A, part(0x0A, b"\x01\x02")))
ORDER = entry(b"order", part(0x1A, part(0x0A, b"\x05")))
TEXT = entry(b"text", part(0x0A, part(0x0A, b"abc"), part(0x0A, b"def")))


def example(floats: bytes = FLOATS, numbers: bytes = NUMBERS, order: bytes = ORDER, text: bytes = TEXT) -> bytes:
    return part(0x0A, floats, numbers, order, text)


def code_of(block: bytes) -> tuple[str, str]:
    """Code and place of the error, the same for both ways of reading where framing is concerned."""
    with pytest.raises(IntegrityError) as caught:
        parse_batch(SCHEMA, block)
    if caught.value.code != "record_schema":
        with pytest.raises(IntegrityError) as streamed:
            list(iterate_records(block[start : start + 7] for start in range(0, len(block), 7)))
        assert (streamed.value.code, streamed.value.where) == (caught.value.code, caught.value.where)
    return caught.value.code, caught.value.where


def test_the_hand_made_example_is_read() -> None:
    columns = parse_batch(SCHEMA, frame(example())).columns
    assert columns["numbers"].tolist() == [[1, 2]]
    assert columns["text"].tobytes() == b"abcdef"


def test_every_cut_is_found() -> None:
    for stop in set(range(1, len(DATA))) - set(ENDS):
        whole = sum(end <= stop for end in ENDS)
        assert code_of(DATA[:stop]) == ("record_cut", f"record {whole}")


def test_a_cut_between_records_is_for_the_count_to_find() -> None:
    assert parse_batch(SCHEMA, DATA[: ENDS[1]]).records == 2


@given(position=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
@settings(max_examples=300)
def test_every_flipped_bit_is_found(position: int, bit: int) -> None:
    damaged = bytearray(DATA)
    damaged[position] ^= 1 << bit
    number = sum(end <= position for end in ENDS)
    assert code_of(bytes(damaged)) == ("record_crc", f"record {number}")


def test_a_record_beyond_the_bound_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    header = frame_header(2**62)
    with pytest.raises(IntegrityError) as caught:
        next(iterate_records([header, b"x"]))
    assert caught.value.code == "record_schema"
    monkeypatch.setattr(frames, "LARGEST_RECORD", len(RECORDS[0]) - 1)
    assert code_of(DATA) == ("record_schema", "record 0")


MISFITS = {
    "no bytes": b"",
    "no features": part(0x0A),
    "missing key": part(0x0A, FLOATS, NUMBERS, ORDER),
    "extra key": part(0x0A, FLOATS, NUMBERS, ORDER, TEXT, entry(b"zoo", part(0x1A, part(0x0A, b"\x05")))),
    "key not text": part(0x0A, FLOATS, NUMBERS, ORDER, TEXT, entry(b"\xff", part(0x1A))),
    "repeated key": part(0x0A, FLOATS, NUMBERS, ORDER, TEXT, ORDER),
    "two keys in an entry": example(order=part(0x0A, part(0x0A, b"x"), ORDER[2:])),
    "no key": example(order=part(0x0A, part(0x12, part(0x1A, part(0x0A, b"\x05"))))),
    "no feature": example(order=part(0x0A, part(0x0A, b"order"))),
    "empty feature": example(order=entry(b"order", b"")),
    "two lists": example(order=entry(b"order", part(0x1A, part(0x0A, b"\x05")) + part(0x1A, part(0x0A, b"\x05")))),
    "wrong kind": example(order=entry(b"order", part(0x12, part(0x0A, bytes(4))))),
    "bytes for floats": example(floats=entry(b"floats", part(0x0A, part(0x0A, bytes(8))))),
    "unknown list": example(order=entry(b"order", part(0x22, part(0x0A, b"\x05")))),
    "too few floats": example(floats=entry(b"floats", part(0x12, part(0x0A, bytes(4))))),
    "too many floats": example(floats=entry(b"floats", part(0x12, part(0x0A, bytes(12))))),
    "half a float": example(floats=entry(b"floats", part(0x12, part(0x0A, bytes(7))))),
    "doubles": example(floats=entry(b"floats", part(0x12, b"\x09" + bytes(8)))),
    "too few numbers": example(numbers=entry(b"numbers", part(0x1A, part(0x0A, b"\x05")))),
    "too many numbers": example(numbers=entry(b"numbers", part(0x1A, part(0x0A, b"\x05\x05\x05")))),
    "varint without end": example(order=entry(b"order", part(0x1A, part(0x0A, b"\x85")))),
    "second varint without end": example(numbers=entry(b"numbers", part(0x1A, part(0x0A, b"\x05\x05\x85")))),
    "varint of 11 bytes": example(order=entry(b"order", part(0x1A, part(0x0A, b"\x80" * 10 + b"\x01")))),
    "varint of 65 bits": example(order=entry(b"order", part(0x1A, part(0x0A, b"\x80" * 9 + b"\x02")))),
    "single varint of 65 bits": example(order=entry(b"order", part(0x1A, b"\x08" + b"\x80" * 9 + b"\x02"))),
    "varint across lists": example(order=entry(b"order", part(0x1A, part(0x0A, b"\x85"), part(0x0A, b"\x01")))),
    "too many single numbers": example(order=entry(b"order", part(0x1A, b"\x08\x01\x08\x01"))),
    "fixed number": example(order=entry(b"order", part(0x1A, b"\x09" + bytes(8)))),
    "too few strings": example(text=entry(b"text", part(0x0A, part(0x0A, b"abc")))),
    "short string": example(text=entry(b"text", part(0x0A, part(0x0A, b"abc"), part(0x0A, b"de")))),
    "string as number": example(text=entry(b"text", part(0x0A, part(0x0A, b"abc"), b"\x08\x01"))),
    "unknown field": example() + b"\x10\x01",
    "unknown field of features": part(0x0A, FLOATS, NUMBERS, ORDER, TEXT, b"\x12\x00"),
    "unknown field of an entry": example(order=part(0x0A, ORDER[2:], b"\x18\x01")),
    "group": b"\x0b" + example() + b"\x0c",
    "wire type 7": b"\x0f" + example(),
    "length beyond the end": example()[:1] + bytes([example()[1] + 1]) + example()[2:],
    "cut within": example()[:-1],
    "tag without content": example() + b"\x0a",
    "tag without end": example() + b"\x8a",
    "length of 65 bits": b"\x0a" + b"\xff" * 9 + b"\x7f",
    "length of 64 bits": b"\x0a" + b"\xff" * 9 + b"\x01",
}


@pytest.mark.parametrize("record", MISFITS.values(), ids=MISFITS.keys())
def test_misfits_are_refused(record: bytes) -> None:
    assert code_of(frame(record)) == ("record_schema", "record 0")


@pytest.mark.parametrize("record", MISFITS.values(), ids=MISFITS.keys())
def test_misfits_are_refused_among_good_records(record: bytes) -> None:
    good = frame(example())
    assert code_of(DATA + good * 20 + frame(record) + good) == ("record_schema", "record 26")


@given(position=st.integers(0, len(example()) - 1), flip=st.integers(1, 255))
@settings(max_examples=300)
def test_a_record_is_read_alike_alone_and_among_others(position: int, flip: int) -> None:
    """The checksum fits, the content was changed: the quick comparison must not let through what walking refuses."""
    record = bytearray(example())
    record[position] ^= flip
    block = frame(bytes(record))
    try:
        alone = parse_batch(SCHEMA, block).columns
    except IntegrityError:
        assert code_of(block) == ("record_schema", "record 0")
        assert code_of(frame(example()) * 9 + block) == ("record_schema", "record 9")
        return
    among = parse_batch(SCHEMA, frame(example()) * 9 + block).columns
    assert all(among[name][9:].tobytes() == alone[name].tobytes() for name in alone)


def test_a_tenth_byte_is_compared_where_layouts_are_reused() -> None:
    record = example(order=entry(b"order", part(0x1A, part(0x0A, b"\xff" * 9 + b"\x01"))))
    assert parse_batch(SCHEMA, frame(record) * 2).columns["order"].tolist() == [[-1], [-1]]
    overflow = record.replace(b"\xff\x01", b"\xff\x03")
    assert code_of(frame(record) + frame(overflow)) == ("record_schema", "record 1")


def test_lists_in_parts_are_read_and_compared() -> None:
    def in_parts(first: bytes, second: bytes) -> bytes:
        numbers = entry(b"numbers", part(0x1A, part(0x0A, first), part(0x0A, second)))
        return frame(example(numbers=numbers, floats=entry(b"floats", part(0x12, part(0x0A, bytes(8)), part(0x0A)))))

    sound = in_parts(b"\x85\x01", b"\x07")
    assert parse_batch(SCHEMA, sound * 2).columns["numbers"].tolist() == [[133, 7]] * 2
    assert code_of(sound + in_parts(b"\x05\x85", b"\x07")) == ("record_schema", "record 1")
    assert code_of(sound + in_parts(b"\x05\x01", b"\x87")) == ("record_schema", "record 1")


@pytest.mark.parametrize("bytes_at_once", [1, 1000, 1 << 20])
def test_many_layouts_of_one_size_keep_their_order(bytes_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "_BYTES_AT_ONCE", bytes_at_once)
    generator = np.random.default_rng(5)
    count = 3000
    columns: dict[str, NDArray[np.generic]] = {
        "floats": generator.random((count, 2), np.float32),
        "numbers": generator.choice([1, 200, 20_000, -7], (count, 2)),
        "order": generator.choice([3, 300, 70_000], (count, 1)),
        "text": generator.integers(0, 256, (count, 2, 3), np.uint8),
    }
    batch = parse_batch(SCHEMA, pack_examples(SCHEMA, columns).data)
    assert all(np.array_equal(batch.columns[name], columns[name]) for name in columns)
    damaged = pack_examples(SCHEMA, columns).data + frame(MISFITS["varint of 65 bits"])
    assert code_of(damaged) == ("record_schema", f"record {count}")


def test_features_may_come_in_two_parts() -> None:
    record = part(0x0A, TEXT, FLOATS) + part(0x0A, ORDER, NUMBERS)
    columns = parse_batch(SCHEMA, frame(record)).columns
    assert (columns["order"].tolist(), columns["numbers"].tolist()) == ([[5]], [[1, 2]])


@pytest.mark.parametrize("bytes_at_once", [1, 100, 1 << 20])
@pytest.mark.parametrize("piece", [1, 7, 500])
def test_batches_of_a_stream_add_up_to_the_whole(piece: int, bytes_at_once: int) -> None:
    block = DATA * 5 + frame(example()) * 3
    whole = parse_batch(SCHEMA, block)
    reader = BatchReader(SCHEMA, bytes_at_once)
    for _ in range(2):
        batches = kept(reader.batches(in_pieces(block, piece)))
        assert sum(batch.records for batch in batches) == whole.records
        for name, column in whole.columns.items():
            found = np.concatenate([batch.columns[name] for batch in batches])
            assert (found.dtype, found.tobytes()) == (column.dtype, column.tobytes())


def test_a_reader_goes_on_after_a_stream_at_fault() -> None:
    reader = BatchReader(SCHEMA, 100)
    with pytest.raises(IntegrityError):
        kept(reader.batches(in_pieces(DATA + frame(MISFITS["too few strings"]), 50)))
    assert sum(batch.records for batch in kept(reader.batches([frame(example()) * 3]))) == 3


def test_values_that_stand_together_are_not_copied() -> None:
    block = frame(example()) * 3
    (batch,) = BatchReader(SCHEMA).batches([block])
    whole = parse_batch(SCHEMA, block)
    assert not batch.columns["floats"].flags.owndata
    assert whole.columns["floats"].flags.owndata
    assert all(np.array_equal(batch.columns[name], column) for name, column in whole.columns.items())


def test_batches_come_before_the_stream_ends() -> None:
    def stream() -> Iterator[bytes]:
        yield DATA
        raise AssertionError("the second piece is not needed for the first batch")

    assert next(BatchReader(SCHEMA, 1).batches(stream())).records == len(RECORDS)


@pytest.mark.parametrize(("block", "code", "number"), [
    (DATA + frame(MISFITS["too few strings"]), "record_schema", len(RECORDS)),
    (DATA + frame(MISFITS["varint of 65 bits"]), "record_schema", len(RECORDS)),
    (DATA + frame(example())[:-1], "record_cut", len(RECORDS)),
    (DATA + frame(example()) + frame(example())[:-1] + b"?", "record_crc", len(RECORDS) + 1),
    (DATA + b"?" * HEADER_BYTES, "record_crc", len(RECORDS)),
])  # fmt: skip
@pytest.mark.parametrize("bytes_at_once", [1, 100, 1 << 20])
def test_faults_of_a_stream_name_their_record(block: bytes, code: str, number: int, bytes_at_once: int) -> None:
    with pytest.raises(IntegrityError) as caught:
        kept(BatchReader(SCHEMA, bytes_at_once).batches(in_pieces(block, 50)))
    assert (caught.value.code, caught.value.where) == (code, f"record {number}")


def kept(batches: Iterable[ParsedBatch]) -> list[ParsedBatch]:
    """Batches whose columns outlive the next one."""
    return [
        ParsedBatch(batch.records, {name: column.copy() for name, column in batch.columns.items()}) for batch in batches
    ]


def in_pieces(block: bytes, size: int) -> Iterator[bytes]:
    return (block[start : start + size] for start in range(0, len(block), size))


def test_the_header_is_where_it_is_said_to_be() -> None:
    assert DATA[HEADER_BYTES : HEADER_BYTES + len(RECORDS[0])] == RECORDS[0]
