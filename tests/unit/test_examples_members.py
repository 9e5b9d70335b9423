"""Gzip members: joined, cut, damaged; with isal and with the standard library."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from core.errors import IntegrityError
from core.examples import members
from core.examples.members import Compression, compress_member, decompress_member, decompress_members


@pytest.fixture(params=[isal_zlib, zlib], ids=["isal", "zlib"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_zlib", request.param)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_members_join_by_byte_copy(level: int) -> None:
    parts = [b"first" * 1000, random.Random(1).randbytes(70_000), b"x"]
    joined = b"".join(compress_member(part, level) for part in parts)
    assert gzip.decompress(joined) == b"".join(parts)
    assert decompress_member(joined) == b"".join(parts)


def test_a_member_has_no_time_and_no_name() -> None:
    member = compress_member(b"data" * 100)
    assert member[:8] == b"\x1f\x8b\x08\0\0\0\0\0"
    assert member == compress_member(b"data" * 100)


def test_no_data_no_member() -> None:
    assert compress_member(b"") == b""
    assert decompress_member(b"") == b""


def test_uncompressed_data_is_its_own_member() -> None:
    assert compress_member(b"data", compression=Compression.NONE) == b"data"
    assert decompress_member(b"data", Compression.NONE) == b"data"
    assert (Compression.NONE.suffix, Compression.GZIP.suffix) == (".tfrecord", ".tfrecord.gz")


@pytest.mark.parametrize("level", [-1, 0, 4])
def test_levels_out_of_range_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match="level"):
        compress_member(b"data", level)


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_pieces_of_any_size(size: int) -> None:
    data = random.Random(2).randbytes(5_000) + bytes(50_000)
    stream = compress_member(data) + compress_member(b"more")
    assert b"".join(decompress_members(cut(stream, size))) == data + b"more"


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_pieces_that_come_out_are_bounded(limit: int) -> None:
    data = random.Random(3).randbytes(300) + bytes(3_000)
    pieces = list(decompress_members(cut(compress_member(data) * 2, 37), largest=limit))
    assert b"".join(pieces) == data * 2
    assert max(map(len, pieces)) <= limit


def test_a_small_member_does_not_become_one_huge_piece() -> None:
    member = compress_member(bytes(64 << 20))
    assert len(member) < 1 << 20
    assert max(map(len, decompress_members([member]))) == 4 << 20


def test_every_cut_is_found() -> None:
    stream = compress_member(b"first" * 50) + compress_member(b"second" * 50)
    whole = {0, len(compress_member(b"first" * 50)), len(stream)}
    for stop in set(range(len(stream))) - whole:
        with pytest.raises(IntegrityError) as caught:
            decompress_member(stream[:stop])
        assert caught.value.code == "member_cut"


def test_every_flipped_bit_of_content_is_found() -> None:
    data = random.Random(4).randbytes(60)
    member = compress_member(data)
    for position in range(10, len(member)):
        damaged = bytearray(member)
        damaged[position] ^= 4
        with pytest.raises(IntegrityError) as caught:
            decompress_member(bytes(damaged))
        assert caught.value.code in ("member_damaged", "member_cut")


def test_what_follows_a_member_must_be_a_member() -> None:
    with pytest.raises(IntegrityError) as caught:
        decompress_member(compress_member(b"data") + b"this is not gzip")
    assert caught.value.code == "member_damaged"


@given(parts=st.lists(st.binary(max_size=200), max_size=4), size=st.integers(1, 50))
def test_round_trip(parts: list[bytes], size: int) -> None:
    stream = b"".join(compress_member(part) for part in parts)
    assert b"".join(decompress_members(cut(stream, size))) == b"".join(parts)
