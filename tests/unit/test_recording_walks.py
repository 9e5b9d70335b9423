"""The compiled walk and the plain one: the same to the bit; a library that may not be used is not used."""

from __future__ import annotations

import gzip
import itertools
import random
import struct
from ctypes import CDLL
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.compile import PLAIN
from core.errors import ContentError
from core.library import LibraryError
from core.recording import walks
from core.recording.declare import Register
from core.recording.model import Recording
from core.recording.native import LIBRARY, NativeRecords
from core.recording.plain import PlainRecords
from core.recording.vital import read_vital
from tests.recording_bytes import device, header, numeric, packet, record, text, track, wave

T = 1_500_000_000.0
needs_library = pytest.mark.skipif(not LIBRARY.path.exists(), reason="nothing could be compiled on this machine")


def read(content: bytes, plain: bool, wanted: set[str] | None) -> Recording | str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLAIN, "1" if plain else "0")
        assert (LIBRARY.usable() is None) is plain
        try:
            return read_vital([gzip.compress(content, 1, mtime=0)], wanted, may_stop=True)
        except ContentError as error:
            return str(error)


def assert_same(content: bytes, wanted: set[str] | None = None) -> None:
    compiled, plain = read(content, False, wanted), read(content, True, wanted)
    if isinstance(compiled, str) or isinstance(plain, str):
        assert compiled == plain
        return
    assert (compiled.loss, compiled.declarations, compiled.devices) == (plain.loss, plain.declarations, plain.devices)
    assert struct.pack("<d", compiled.earliest) == struct.pack("<d", plain.earliest)
    assert list(compiled.tracks) == list(plain.tracks)
    for name, one in compiled.tracks.items():
        other = plain.tracks[name]
        assert one.units == other.units
        for column in ("times", "values", "unit_of"):
            # By their bytes: the sign of a zero and the payload of a NaN too.
            assert getattr(one, column).tobytes() == getattr(other, column).tobytes(), (name, column)


some_bytes = st.one_of(st.binary(max_size=12), st.sampled_from([b"\xff" * 8, b"\x80" + bytes(7), bytes(7) + b"\x80"]))
times = st.one_of(st.floats(width=64), st.floats(0, 1e6), st.sampled_from([0.0, -0.0, 172_800.0, -172_800.5, 3e5]))
numbers = st.integers(0, 4)
gains = st.one_of(st.floats(width=64), st.sampled_from([1.0, 0.1, -3.0, 1e308]))
declarations = st.builds(
    lambda number, name, kind, code, gain, offset, owner: track(
        number, name, kind=kind, code=code, gain=gain, offset=offset, device_id=owner
    ),
    numbers, st.sampled_from(["HR", "X", "W"]), st.sampled_from([1, 2, 2, 2, 5]), st.integers(0, 9), gains, gains,
    st.integers(0, 2),
)  # fmt: skip
packets = st.one_of(
    declarations,
    st.builds(lambda number, name: device(number, "", name), st.integers(0, 2), st.sampled_from(["A", "B", ""])),
    st.builds(record, numbers, times, some_bytes, info=st.sampled_from([10, 10, 10, 11, 70_000 % 65536, 65535])),
    st.builds(record, numbers, times, some_bytes),
    st.builds(packet, st.integers(0, 255), st.binary(max_size=30)),
    st.builds(lambda kind: packet(kind, bytes(140_000)), st.sampled_from([0, 1, 9, 10, 200])),
)


@needs_library
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(packets, max_size=40), st.sampled_from([None, {"A/HR", "B/X"}, {"A/HR", "HR"}]), st.integers(0, 9))
def test_any_packets_are_read_the_same(parts: list[bytes], wanted: set[str] | None, cut: int) -> None:
    content = header(27, start=T, packed=1) + b"".join(parts)
    assert_same(content[: len(content) - cut], wanted)


intervals = st.sampled_from([1.0, 1.0, 1.0, 0.0, -1.0, 1e-9, 200_000.0, -200_000.0, np.nan, np.inf, -np.inf])
runs = st.tuples(
    numbers,
    st.one_of(st.lists(intervals, max_size=12), st.integers(250, 260).map(lambda count: [1.0] * count)),
    st.sampled_from([b"", b"\1", b"\0\0\x80\x3f", b"\0\0\x80\x7f", b"\xff" * 4, bytes(8), bytes(30)]),
    st.sampled_from([10, 10, 11]),
)


def run_of(number: int, steps: list[float], value: bytes, info: int) -> bytes:
    """Records that differ in their times alone, and in the last byte of some values."""
    at, parts = T, []
    for place, step in enumerate(steps):
        at = at + step if np.isfinite(step) and np.isfinite(at) else step
        last = bytes([place % 3]) if value and place % 5 == 4 else value[-1:]
        parts.append(record(number, at, value[:-1] + last, info=info))
        at = at if np.isfinite(at) else T + place
    return b"".join(parts)


@needs_library
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(declarations, min_size=1, max_size=6), st.lists(runs, max_size=6), st.lists(declarations, max_size=1),
    st.sampled_from([None, {"A/HR", "B/X"}]), st.integers(0, 30),
)  # fmt: skip
def test_any_runs_of_records_that_are_alike(
    declared: list[bytes],
    parts: list[tuple[int, list[float], bytes, int]],
    late: list[bytes],
    wanted: set[str] | None,
    cut: int,
) -> None:
    content = header(27, start=T, packed=1) + device(1, "A") + device(2, "B") + b"".join(declared)
    content += b"".join([*(run_of(*part) for part in parts), *late, *(run_of(*part) for part in parts[::-1])])
    assert_same(content[: len(content) - cut], wanted)


@needs_library
@pytest.mark.parametrize("bytes_more", [1, 256])
def test_records_of_one_length_with_other_information_blocks(bytes_more: int) -> None:
    value = struct.pack("<f", 7.0)
    one = record(1, T, value + bytes(bytes_more))
    other = record(1, T + 1, value, info=10 + bytes_more)
    assert len(one) == len(other)
    content = header() + device(1, "A") + track(1, "X") + one + other + other + one
    assert_same(content)
    recording = read(content, False, None)
    assert isinstance(recording, Recording)
    assert recording.tracks["A/X"].values.tolist() == [7.0] * 4


@needs_library
@pytest.mark.parametrize("code", range(1, 9))
def test_a_track_on_end_is_read_the_same_across_blocks(code: int) -> None:
    rng = random.Random(code)
    body = [device(1, "A"), track(1, "X", code=code, gain=0.3, offset=-7.0), track(2, "Y", code=code)]
    for number in (1, 2, 1):
        body += [record(number, T + place // 3, rng.randbytes(8)) for place in range(15_000)]
    assert_same(header() + b"".join(body))
    assert_same(header() + b"".join(body), {"A/Y"})


@needs_library
def test_noise_is_read_the_same() -> None:
    rng = random.Random(1)
    body = [device(1, "A"), *(track(code, f"X{code}", code=code, gain=0.3, offset=-7.0) for code in range(1, 9))]
    for code in range(1, 9):
        body += [record(code, T + rng.random() * 9, rng.randbytes(8)) for _ in range(4000)]
    rng.shuffle(body)
    assert_same(header() + b"".join(body))
    assert_same(header() + b"".join(body[9:] + body[:9]), {"A/X1", "A/X5"})


@needs_library
def test_values_at_the_ends_of_their_formats_are_read_the_same() -> None:
    doubles = [0.0, -0.0, 5e-324, -1.7e308, np.inf, -np.inf, np.nan]
    raw = [struct.pack("<d", value) for value in doubles] + [b"\1\0\0\0\0\0\xf0\x7f", b"\1\0\xa0\xff\0\0\0\0"]
    raw += [struct.pack("<f", value) + bytes(4) for value in (1e-45, -0.0, 3.4e38, np.nan)] + [b"\xff" * 8, b"\x7f" * 8]
    for code in range(1, 9):
        one = [device(1, "A"), track(1, "X", code=code, gain=1e300, offset=-1e300)]
        assert_same(header() + b"".join(one + [record(1, T + place, value) for place, value in enumerate(raw)]))


@needs_library
@pytest.mark.parametrize("count", [2, 3, 17])
def test_two_zeros_are_one_time(count: int) -> None:
    """Numpy's smallest of 0.0 and -0.0 is either; the examples above met that or not, as their constants came."""
    for first in itertools.product([0.0, -0.0], repeat=3):
        times = (first * count)[:count]
        content = header() + device(1, "A") + track(1, "HR") + b"".join(numeric(1, time, 80) for time in times)
        assert_same(content)
        recording = read(content, False, None)
        assert isinstance(recording, Recording)
        assert struct.pack("<d", recording.earliest) == bytes(8)


@needs_library
def test_a_device_that_shows_its_tracks_to_be_unwanted_late_in_a_block() -> None:
    parts = [track(1, "HR"), numeric(1, T, 1), device(1, "B"), numeric(1, T + 1, 2), wave(2, T), text(3, T, "x")]
    for end in range(len(parts) + 1):
        assert_same(header() + b"".join(parts[:end]), {"A/HR"})


@needs_library
def test_the_compiled_walk_is_taken_unless_it_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for forbidden, kind in (("0", NativeRecords), ("1", PlainRecords)):
        monkeypatch.setenv(PLAIN, forbidden)
        assert type(walks.new_records(Register(None), bytearray(64))) is kind


def test_recordings_are_read_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(library: CDLL) -> None:
        raise LibraryError("it is not for this machine")

    monkeypatch.setattr(walks, "LIBRARY", replace(LIBRARY, prepare=refuse))
    monkeypatch.delattr(walks, "NativeRecords")
    content = header() + device(1, "A") + track(1, "HR") + numeric(1, T, 80)
    assert read_vital([gzip.compress(content)], None).tracks["A/HR"].values.tolist() == [80.0]
