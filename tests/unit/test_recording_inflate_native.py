"""Our own inflate against zlib: the same content, the same ends, the same verdict on what is damaged."""

from __future__ import annotations

import gzip
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from ctypes import CDLL
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.compile import PLAIN
from core.library import LibraryError
from core.recording import inflate_native
from core.recording.gzip_member import PIECE_BYTES, DamagedError, LibraryMember, Member
from core.recording.inflate_native import LIBRARY, Members, NativeMember, Room
from tests.deflate_streams import stream
from tests.recording_bytes import chopped

pytestmark = pytest.mark.skipif(not LIBRARY.path.exists(), reason="nothing could be compiled on this machine")

Make = Callable[[], Member]

HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def native(quick: bool) -> Make:
    library = LIBRARY.load()
    if quick and not library.casemill_is_quick():
        pytest.skip("this processor lacks BMI1 or BMI2")
    return lambda: NativeMember(Room(library, quick=quick))


@pytest.fixture(params=[False, True], ids=["anywhere", "quick"])
def make(request: pytest.FixtureRequest) -> Make:
    return native(request.param)


def outcome(member: Member, data: bytes, size: int) -> tuple[str, bytes]:
    """How it ended, and what came out; of damaged members nothing counts."""
    content = bytearray()
    rest = b""
    try:
        for piece in chopped(data, size):
            if member.ended:
                rest += bytes(piece)
                continue
            for out in member.inflate(memoryview(piece)):
                assert 0 < len(out) <= PIECE_BYTES
                content += out
            if member.ended:
                rest = bytes(member.rest())
    except DamagedError:
        return "damaged", b""
    return f"ended before {rest!r}" if member.ended else "cut", bytes(content)


def zlib_outcome(data: bytes) -> tuple[str, bytes]:
    member = zlib.decompressobj(wbits=31)
    try:
        content = member.decompress(data)
    except zlib.error:
        return "damaged", b""
    return f"ended before {member.unused_data!r}" if member.eof else "cut", content


def samples(seed: int) -> Iterator[bytes]:
    """Content of many kinds: noise of any width, runs, near and far repeats, and what recordings look like."""
    chance = random.Random(seed)
    yield b""
    yield b"a"
    yield bytes(100_000)
    yield chance.randbytes(70_000)
    for period in (*range(1, 20), 63, 258, 259, 32_767, 32_768, 32_769):
        yield (chance.randbytes(period) * (70_000 // period + 1))[:70_000]
    for width in (1, 2, 3, 5, 7):
        yield bytes(chance.randrange(1 << width) for _ in range(40_000))
    wave = [int(2000 * chance.gauss(0, 1)) for _ in range(500)]
    yield b"".join(struct.pack("<BIHdH", 1, 1012, 10, 1e9 + at, 3) + struct.pack("<500h", *wave) for at in range(90))
    some = [chance.randbytes(chance.randrange(1, 300)) for _ in range(60)]
    yield b"".join(chance.choice(some) for _ in range(3000))


def compressed(content: bytes, level: int, strategy: int, window: int, flush_at: int = 0) -> bytes:
    deflating = zlib.compressobj(level, zlib.DEFLATED, 16 + window, 9 if window > 9 else 1, strategy)
    first = deflating.compress(content[:flush_at]) + (deflating.flush(zlib.Z_FULL_FLUSH) if flush_at else b"")
    return first + deflating.compress(content[flush_at:]) + deflating.flush()


STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_whatever_zlib_makes_comes_back(make: Make, level: int, strategy: int) -> None:
    for number, content in enumerate(samples(level)):
        member = compressed(content, level, strategy, 15 if number % 3 else 9, number * 100 % (len(content) + 1))
        for size in (61, 10**9):
            assert outcome(make(), member + b"more", size) == ("ended before b'more'", content)


def test_every_cut_and_every_size_of_piece(make: Make) -> None:
    content = random.Random(3).randbytes(300) * 3 + bytes(900) + b"end" * 50
    member = compressed(content, 6, zlib.Z_DEFAULT_STRATEGY, 15, 400)
    for end in range(len(member) + 1):
        assert outcome(make(), member[:end], 10**9) == zlib_outcome(member[:end])
    for size in range(1, len(member) + 1):
        assert outcome(make(), member, size) == ("ended before b''", content)


def test_recordings_of_other_programs_come_back(make: Make) -> None:
    for number, content in enumerate(samples(8)):
        member = bytearray(gzip.compress(content, 6, mtime=0))
        member[3] = 2 | 4 | 8 | 16
        header = bytes(member[:10]) + b"\x05\0extra" + b"name" * number + b"\0" + b"\0"
        whole = header + struct.pack("<H", zlib.crc32(header) & 0xFFFF) + member[10:]
        for size in (1, 3, 10**9) if len(content) < 2 else (1000,):
            assert outcome(make(), whole, size) == zlib_outcome(whole) == ("ended before b''", content)


@pytest.mark.parametrize(
    ("at", "value"), [(2, 7), (3, 0x20), (3, 0x80), (-1, 1), (-5, 1)], ids=["method", "flag", "flag 7", "length", "crc"]
)
def test_what_surrounds_the_content_is_checked(make: Make, at: int, value: int) -> None:
    member = bytearray(gzip.compress(b"content", mtime=0))
    member[at] ^= value
    assert outcome(make(), bytes(member), 5) == zlib_outcome(bytes(member)) == ("damaged", b"")


def bits(*fields: tuple[int, int]) -> bytes:
    """Values and their widths, the lowest bit first, as a member's content."""
    number = width = 0
    for value, size in fields:
        number |= value << width
        width += size
    return HEADER + number.to_bytes((width + 7) // 8, "little")


BAD = {
    "block of no kind": bits((1, 1), (3, 2), (0, 29)),
    "stored length and its complement": bits((1, 1), (0, 2), (0, 5), (5, 16), (5, 16), (0, 40)),
    "287 literals": bits((1, 1), (2, 2), (30, 5), (0, 5), (15, 4), (0, 200)),
    "31 distances": bits((1, 1), (2, 2), (0, 5), (30, 5), (15, 4), (0, 200)),
    "no code lengths": bits((1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (0, 400)),
    "too many codes": bits((1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (0x249, 12), (0, 200)),
    "repeats nothing": bits((1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3), (0, 6), (1, 3), (1, 1), (0, 400)),
    "fixed, beyond the window": bits((1, 1), (1, 2), (0x40, 7), (0, 5), (0, 40)),
    "fixed, distance 30": bits((1, 1), (1, 2), (0x0C, 8), (0x40, 7), (0xF, 5), (0, 40)),
    "fixed, length 286": bits((1, 1), (1, 2), (0x63, 8), (0, 40)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_deflate_does_not_allow(make: Make, name: str) -> None:
    assert zlib_outcome(BAD[name])[0] == "damaged"
    for size in (1, 10**9):
        assert outcome(make(), BAD[name], size) == ("damaged", b"")


def unusual(seed: int) -> tuple[bytes, bytes]:
    """Content, and a member of it that no compressor would write."""
    deflated, content = stream(seed)
    return content, HEADER + deflated + struct.pack("<II", zlib.crc32(content), len(content))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), size=st.sampled_from((1, 40, 10**9)))
def test_streams_of_any_codes_come_back(seed: int, size: int) -> None:
    content, member = unusual(seed)
    expected = ("ended before b'more'", content)
    assert zlib_outcome(member + b"more") == expected
    for quick in (False, True) if LIBRARY.load().casemill_is_quick() else (False,):
        assert outcome(native(quick)(), member + b"more", size) == expected


@settings(max_examples=150, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1 << 20))
def test_damage_is_judged_as_zlib_does(data: st.DataObject, seed: int) -> None:
    chance = random.Random(seed)
    content = b"".join(chance.choice((chance.randbytes(5), bytes(9), b"abc", b"\x10\x27")) for _ in range(800))
    member = bytearray(compressed(content, chance.choice((1, 6, 9)), chance.choice(STRATEGIES), 15))
    if chance.random() < 0.4:
        member = bytearray(unusual(seed)[1])
    for _ in range(data.draw(st.integers(0, 3))):
        member[data.draw(st.integers(10, len(member) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    whole = bytes(member[: data.draw(st.integers(1, len(member)))])
    expected = zlib_outcome(whole)
    size = data.draw(st.sampled_from((1, 17, 500, 10**9)))
    for quick in (False, True) if LIBRARY.load().casemill_is_quick() else (False,):
        assert outcome(native(quick)(), whole, size) == expected
    if expected[0].startswith("ended"):  # isal sees some damage only where the next byte is missing
        assert outcome(LibraryMember(), whole, size) == expected


def test_one_room_serves_many_members() -> None:
    library = LIBRARY.load()
    room = Room(library, quick=bool(library.casemill_is_quick()))
    for content in samples(5):
        # The one before left bits, history and codes behind; a repeat beyond the beginning must not find them.
        member = NativeMember(room)
        assert outcome(member, gzip.compress(content, 6, mtime=0)[:-9], 10**9)[0] == "cut"
        assert outcome(NativeMember(room), BAD["fixed, beyond the window"], 10**9)[0] == "damaged"
        assert outcome(NativeMember(room), gzip.compress(content, 6, mtime=0), 999)[1] == content


def test_what_cannot_be_loaded_is_left_to_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(library: CDLL) -> None:
        raise LibraryError("it is not for this machine")

    assert isinstance(Members().next(), NativeMember)
    monkeypatch.setattr(inflate_native, "LIBRARY", replace(LIBRARY, prepare=refuse))
    assert isinstance(Members().next(), LibraryMember)


def test_what_is_forbidden_is_left_to_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLAIN, "1")
    assert isinstance(Members().next(), LibraryMember)


def test_a_machine_of_another_byte_order_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "byteorder", "big")
    with pytest.raises(LibraryError, match="lowest byte first"):
        LIBRARY.load()


def test_a_library_that_was_compiled_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate_native, "crc32", lambda *given: 0)
    with pytest.raises(LibraryError, match="does not inflate"):
        LIBRARY.load()
