"""Inflating: members, cuts, damage, padding, bounds."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from isal import isal_zlib

from core.compile import PLAIN
from core.errors import ContentError
from core.recording import gzip_member, inflate
from core.recording.inflate import PIECE_BYTES, Inflate
from tests.recording_bytes import chopped

_random = random.Random(7)
CONTENT = bytes(_random.randrange(64) for _ in range(60_000)) + bytes(600_000)
MEMBER = gzip.compress(CONTENT, 6, mtime=0)


def drain(pieces: Iterator[bytes] | list[bytes]) -> tuple[bytes, Inflate]:
    stream = Inflate(pieces)
    out = [bytes(piece) for piece in stream]
    assert all(0 < len(piece) <= PIECE_BYTES for piece in out)
    return b"".join(out), stream


@pytest.mark.parametrize("size", [1, 2, 7, 1000, 10**9])
def test_members_follow_each_other_however_they_are_cut(size: int) -> None:
    data = MEMBER + gzip.compress(b"second", mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"end", mtime=0)
    content, stream = drain(chopped(data, size))
    assert content == CONTENT + b"secondend"
    assert (stream.bytes_in, stream.bytes_out) == (len(data), len(content))
    assert not stream.truncated
    assert stream.trailing_bytes == 0


@pytest.mark.parametrize("size", [1, 3, 10**9])
@pytest.mark.parametrize(
    ("tail", "trailing", "truncated"),
    [
        (b"", 0, False),
        (bytes(1000), 0, False),
        (bytes(10) + gzip.compress(b"", mtime=0), 0, False),
        (b"junk", 4, False),
        (bytes(10) + b"x" + bytes(5), 6, False),
        (b"\x1f", 0, True),
        (b"\x1fx", 2, False),
        (b"\x1f\x8b", 0, True),
        (b"junk" + MEMBER, 4 + len(MEMBER), False),
    ],
)
def test_what_follows_the_last_member(tail: bytes, trailing: int, truncated: bool, size: int) -> None:
    content, stream = drain(chopped(MEMBER + tail, size))
    assert content == CONTENT
    assert (stream.trailing_bytes, stream.truncated) == (trailing, truncated)


def test_every_cut_is_seen_and_what_came_before_is_kept() -> None:
    member = gzip.compress(CONTENT[:2000], 6, mtime=0)
    lengths = []
    for end in range(1, len(member)):
        content, stream = drain([member[:end]])
        assert stream.truncated
        assert CONTENT[:2000].startswith(content)
        lengths.append(len(content))
    assert lengths == sorted(lengths)
    assert lengths[-1] == 2000


@pytest.mark.parametrize("at", [-8, -4, 40, len(MEMBER) // 2])
def test_damage_is_an_error(at: int) -> None:
    damaged = bytearray(MEMBER)
    damaged[at] ^= 0x10
    with pytest.raises(ContentError, match="damaged") as caught:
        drain([bytes(damaged)])
    assert caught.value.code == "unreadable"


def test_damage_in_a_later_member_spoils_the_file() -> None:
    with pytest.raises(ContentError, match="damaged"):
        drain([MEMBER, MEMBER[:-8], b"\0\0\0\0", MEMBER[-4:]])


@pytest.mark.parametrize(
    ("data", "what"), [(b"", "empty"), (b"\0", "not a gzip"), (b"VITA", "not a gzip"), (b"\x1fy", "not a gzip")]
)
def test_what_is_no_gzip(data: bytes, what: str) -> None:
    with pytest.raises(ContentError, match=what):
        drain([data])


def test_faults_of_the_storage_pass_through() -> None:
    def broken() -> Iterator[bytes]:
        yield MEMBER[:100]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        drain(broken())


@pytest.mark.parametrize("library", [zlib, isal_zlib], ids=["zlib", "isal"])
def test_another_library_serves_where_ours_is_missing(monkeypatch: pytest.MonkeyPatch, library: Any) -> None:
    monkeypatch.setenv(PLAIN, "1")
    monkeypatch.setattr(gzip_member, "_inflater", lambda: library.decompressobj(wbits=31))
    content, stream = drain(chopped(MEMBER + MEMBER + b"tail", 999))
    assert content == CONTENT + CONTENT
    assert stream.trailing_bytes == 4
    with pytest.raises(ContentError, match="damaged"):
        drain([MEMBER[:-8] + bytes(8)])


def test_flat_waves_pass_and_a_bomb_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "INFLATED_FLOOR", 1 << 20)
    flat = gzip.compress(bytes(1 << 20), mtime=0)
    assert len(drain([flat])[0]) == 1 << 20
    with pytest.raises(ContentError, match="inflates to more"):
        drain([flat, flat])
    monkeypatch.setattr(inflate, "INFLATED_CEILING", 1 << 19)
    with pytest.raises(ContentError, match="524,288"):
        drain([flat])


def test_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "MAXIMUM_MEMBERS", 3)
    small = gzip.compress(b"a", mtime=0)
    assert drain([small * 3])[0] == b"aaa"
    with pytest.raises(ContentError, match="members"):
        drain([small * 4])
