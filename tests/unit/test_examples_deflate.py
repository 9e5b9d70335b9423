"""Our own deflate: what others inflate is what went in; it is used where records repeat one another."""

from __future__ import annotations

import gzip
import random
import subprocess
import tracemalloc
import weakref
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from core.compile import PLAIN, compile_commands, system_compiler
from core.examples import deflate, members
from core.examples.deflate import LIBRARY, deflate_member
from core.examples.framing import frame_header
from core.examples.members import Compression, compress_blocks, compress_records, decompress_member
from core.examples.overlap import Overlap, find_overlap
from core.examples.pack import pack_blocks
from core.library import LibraryError
from core.run.shard import OpenShard
from core.schema import Field, Kind, Role, Schema

needs_library = pytest.mark.skipif(not LIBRARY.path.exists(), reason="nothing could be compiled on this machine")
needs_compiler = pytest.mark.skipif(not system_compiler(), reason="there is no compiler")

WINDOW, STEP, ROW = 300, 30, 16
SCHEMA = Schema(
    fields=(
        Field(name="case_id", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
        Field(name="x", kind=Kind.FLOAT, shape=(WINDOW, ROW), role=Role.INPUT),
    ),
    case_field=None,
    group_field=None,
    order_field="case_id",
)


def ours(blocks: list[bytes], overlap: Overlap = Overlap()) -> bytes:  # noqa: B008
    library = LIBRARY.usable()
    assert library is not None
    member = deflate_member(library, blocks, overlap, zlib.crc32)
    assert member is not None
    return member


def assert_inflates(blocks: list[bytes], overlap: Overlap = Overlap()) -> bytes:  # noqa: B008
    member = ours(blocks, overlap)
    content = b"".join(blocks)
    assert gzip.decompress(member) == content
    assert isal_zlib.decompress(member, 31) == content
    assert decompress_member(member) == content
    assert member[:8] == b"\x1f\x8b\x08\0\0\0\0\0"
    return member


def frame(data: bytes) -> bytes:
    return frame_header(len(data)) + data + bytes(4)


def windows(values: np.ndarray, step: int = STEP) -> dict[str, np.ndarray]:
    views = np.lib.stride_tricks.sliding_window_view(values, WINDOW, axis=0)[::step].transpose(0, 2, 1)
    return {"case_id": np.full((len(views), 1), 3), "x": views}


def noise(seconds: int) -> np.ndarray:
    return np.random.default_rng(1).random((seconds, ROW), dtype=np.float32)


few_values = st.lists(st.sampled_from([b"\0", b"ab", b"abcd", b"\xff" * 9, bytes(300), b"xyz" * 200]), max_size=60)
contents = st.one_of(
    st.binary(max_size=500),
    few_values.map(b"".join),
    st.builds(lambda seed, size: random.Random(seed).randbytes(size), st.integers(0, 9), st.integers(0, 70_000)),
    st.builds(lambda part, count: part * count, st.binary(min_size=1, max_size=40), st.integers(1, 2000)),
)
records = st.builds(lambda parts, count: b"".join(map(frame, parts)) * count, st.lists(contents, max_size=3),
                    st.integers(1, 5))  # fmt: skip
hints = st.builds(
    Overlap,
    st.lists(st.sampled_from([1, 3, 64, 100, 5000, 32_768, 40_000, -7]), max_size=4).map(tuple),
    st.lists(st.sampled_from([1, 2, 4, 64, 20_000]), max_size=4).map(tuple),
)


@needs_library
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.one_of(contents, records), max_size=5), hints)
def test_any_blocks_and_any_hints(blocks: list[bytes], overlap: Overlap) -> None:
    assert_inflates(blocks, overlap)


@needs_library
@given(st.lists(st.binary(max_size=3), max_size=40))
def test_tiny_and_empty_blocks(blocks: list[bytes]) -> None:
    assert len(assert_inflates(blocks, Overlap(rows=(1,)))) <= 18 + 3 + len(b"".join(blocks)) * 9 // 8


@needs_library
@pytest.mark.parametrize("length", [*range(1, 12), *range(254, 270), 512, 516, 517, 518, 519, 1032, 100_003])
@pytest.mark.parametrize("distance", [1, 2, 4, 5, 64, 1025, 32_767, 32_768, 32_769])
def test_matches_of_every_length_at_the_ends_of_distances(length: int, distance: int) -> None:
    part = random.Random(2).randbytes(distance)
    whole = (part * (length // distance + 2))[: distance + length] + b"end"
    assert_inflates([whole], Overlap(rows=(distance,)))
    assert_inflates([whole[:distance], whole[distance:]], Overlap(rows=(distance,)))


@needs_library
def test_codes_that_would_be_too_long_are_shortened() -> None:
    # Fibonacci's numbers as counts make the deepest Huffman tree: 22 bits where 15 are allowed.
    counts = [1, 1]
    while len(counts) < 23:
        counts.append(counts[-1] + counts[-2])
    content = bytearray(b"".join(bytes([value]) * count for value, count in enumerate(counts)))
    random.Random(3).shuffle(content)
    assert len(assert_inflates([bytes(content)])) < len(content) / 2


@needs_library
def test_noise_grows_by_no_more_than_an_eighth() -> None:
    content = random.Random(4).randbytes(1_000_000)
    assert len(assert_inflates([content], Overlap(rows=(1, 64)))) < len(content) * 9 // 8
    # One code for every byte: none is better than eight bits.
    assert len(assert_inflates([content])) < len(content) * 1.01


@needs_library
@pytest.mark.parametrize("values", [noise(9000), np.cumsum(noise(9000) - 0.5, 0)], ids=["noise", "walks"])
def test_windows_that_overlap_become_smaller_than_at_level_3(values: np.ndarray) -> None:
    columns = windows(values.astype(np.float32))
    blocks = [bytes(block) for block in pack_blocks(SCHEMA, columns)]
    member = compress_records(blocks, find_overlap(columns))
    assert member == ours(blocks, find_overlap(columns))
    assert gzip.decompress(member) == b"".join(blocks)
    assert len(member) < len(compress_blocks(blocks))


@needs_library
def test_windows_in_which_nothing_changes_nearly_vanish() -> None:
    columns = windows(np.ones((9000, ROW), np.float32))
    blocks = [bytes(block) for block in pack_blocks(SCHEMA, columns)]
    assert len(assert_inflates(blocks, find_overlap(columns))) < len(b"".join(blocks)) / 100


@needs_library
def test_a_stream_of_many_blocks_keeps_no_more_than_it_needs() -> None:
    columns = windows(noise(9000))
    deflating = deflate.Deflating(LIBRARY.load())
    for block in pack_blocks(SCHEMA, columns):
        deflating.add(block, find_overlap(columns))
        assert deflating._kept <= deflate.FARTHEST
    assert deflating.matched > 0.85 * len(columns["x"]) * columns["x"][0].nbytes
    assert zlib.decompress(b"".join(deflating.finish()), -15) == b"".join(pack_blocks(SCHEMA, columns))


@needs_library
def test_no_block_is_held_while_the_next_one_is_made() -> None:
    shard = OpenShard(Compression.GZIP)
    held = []

    def blocks() -> Iterator[memoryview]:
        for number in range(4):
            made = np.full(50_000, number, np.uint8)
            last = weakref.ref(made)
            pending = [made.data]
            del made
            yield pending.pop()
            held.append(last() is not None)

    assert deflate_member(LIBRARY.load(), shard._hashed(blocks()), Overlap(), zlib.crc32)
    assert held == [False] * 4


@needs_library
def test_blocks_are_laid_out_one_where_the_other_stood() -> None:
    blocks = pack_blocks(SCHEMA, windows(noise(9000)))
    tracemalloc.start()
    try:
        largest = max(len(next(blocks)) for _ in range(3))
        assert tracemalloc.get_traced_memory()[1] < 1.9 * largest
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("blocks", [[], [b""], [b"", b"x"], [frame(b"one")], [frame(b"one") * 3], [b"no frames" * 99],
                                    [random.Random(5).randbytes(90_000)]], ids=range(7))  # fmt: skip
def test_whatever_comes_as_records_comes_back(blocks: list[bytes]) -> None:
    assert decompress_member(compress_records(blocks, Overlap((8,), (4,)))) == b"".join(blocks)
    assert compress_records(blocks, Overlap(), Compression.NONE) == b"".join(blocks)


def test_windows_that_do_not_overlap_are_left_to_isal() -> None:
    columns = windows(noise(9000), step=WINDOW)
    blocks = [bytes(block) for block in pack_blocks(SCHEMA, columns)]
    assert find_overlap(columns) == Overlap()
    assert compress_records(blocks, Overlap()) == compress_blocks(blocks)


NOWHERE = replace(LIBRARY, source=Path("none.c"))


@pytest.mark.parametrize("hide", [lambda patch: patch.setenv(PLAIN, "1"),
                                  lambda patch: patch.setattr(members, "LIBRARY", NOWHERE)],
                         ids=["forbidden", "not there"])  # fmt: skip
def test_without_the_library_isal_does_it(
    hide: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch)
    columns = windows(noise(2000))
    blocks = [bytes(block) for block in pack_blocks(SCHEMA, columns)]
    assert compress_records(blocks, find_overlap(columns)) == compress_blocks(blocks)


def test_overlap_is_found_in_views_and_nowhere_else() -> None:
    columns = windows(noise(900))
    assert find_overlap(columns) == Overlap((STEP * ROW * 4,), (ROW * 4,))
    assert find_overlap({name: column.copy() for name, column in columns.items()}) == Overlap()
    assert find_overlap({"x": np.broadcast_to(np.float32(1), (5, 300, 16)), "y": np.zeros(4), "z": np.zeros((0, 2))}) \
        == Overlap()  # fmt: skip
    assert Overlap((1920,), (64,)).distances(19_000) == (64, 17_080, 19_000)
    assert Overlap((1920,), ()).distances(1000) == (1000,)


@needs_library
def test_a_block_for_which_there_is_no_room_is_not_written() -> None:
    deflating = deflate.Deflating(LIBRARY.load())
    deflating.add(random.Random(6).randbytes(5000), Overlap())
    deflating._deflate.out_room = 4000
    deflating._out[:] = 7
    with pytest.raises(RuntimeError, match="more room"):
        deflating.finish()
    assert (deflating._out == 7).all()


@needs_library
def test_windows_with_rows_of_two_lengths() -> None:
    walks = np.cumsum((noise(9000) * 1.02).astype(np.int64), 0).astype(np.float32)  # most values equal the one above
    other = SCHEMA.fields[1].model_copy(update={"name": "y", "shape": (WINDOW, 3)})
    schema = SCHEMA.model_copy(update={"fields": (*SCHEMA.fields, other)})
    columns = {**windows(walks), "y": windows(walks[:, :3].copy())["x"]}
    blocks = [bytes(block) for block in pack_blocks(schema, columns)]
    member = assert_inflates(blocks, find_overlap(columns))
    assert member == compress_records(blocks, find_overlap(columns))
    assert len(member) < len(compress_blocks(blocks))


@needs_compiler
def test_without_vectors_the_bytes_are_the_same(tmp_path: Path) -> None:
    target = tmp_path / "libdeflate.so"
    for command in compile_commands(LIBRARY.source, target):
        subprocess.run([*command, "-U__SSE2__"], check=True)
        elsewhere = LIBRARY.load(target)
        for values in (noise(2000), (np.cumsum(noise(2000) - 0.5, 0) * 4).round(), np.ones((2000, ROW))):
            columns = windows(values.astype(np.float32))
            blocks = [bytes(block) for block in pack_blocks(SCHEMA, columns)]
            overlap = find_overlap(columns)
            assert deflate_member(elsewhere, blocks, overlap, zlib.crc32) == ours(blocks, overlap)


@needs_library
def test_values_that_come_back_are_found() -> None:
    # Each second takes one of nine rows: few equal the row above, nearly all equal one of the thirty before.
    columns = windows(noise(9)[np.random.default_rng(2).integers(0, 9, 9000)])
    blocks = [bytes(block) for block in pack_blocks(SCHEMA, columns)]
    assert len(assert_inflates(blocks, find_overlap(columns))) < len(columns["x"]) * STEP * 8


def test_a_library_that_was_compiled_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = deflate.deflate_member
    monkeypatch.setattr(deflate, "deflate_member", lambda *given: real(*given)[:-9] + bytes(9))
    with pytest.raises(LibraryError, match="does not inflate"):
        LIBRARY.load()
