"""The recording writer, byte by byte."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from core.recording.model import Header
from core.recording.writer import (
    Format,
    GzipWriter,
    Layout,
    NumericTrack,
    TrackDeclaration,
    TrackKind,
    WaveTrack,
    device_packet,
    encode,
    header_bytes,
    interleave,
    numeric_packets,
    packed_wave,
    packet,
    text_packets,
    track_packet,
    wave_seconds,
    write_records,
)


@pytest.mark.parametrize("length", [10, 26, 27, 40])
def test_header_is_as_long_as_it_says(length: int) -> None:
    data = header_bytes(Header(3, length, -540, 12.5, 99.0, True))
    assert data[:4] == b"VITA"
    assert struct.unpack_from("<IH", data, 4) == (3, length)
    assert len(data) == 10 + length
    assert struct.unpack_from("<h", data, 10) == (-540,)
    if length >= 26:
        assert struct.unpack_from("<dd", data, 20) == (12.5, 99.0)
    if length >= 27:
        assert data[36] == 1


def test_device_packet_with_and_without_port() -> None:
    body = struct.pack("<II3sI1s", 3, 3, b"BIS", 1, b"B")
    assert device_packet(3, "BIS", "B") == struct.pack("<BI", 9, 16) + body
    assert device_packet(3, "BIS", "B", "").endswith(b"B\0\0\0\0")


@pytest.mark.parametrize(("fields", "size"), [(0, 6), (1, 11), (4, 23), (9, 48), (12, 68)])
def test_track_tail_may_stop_anywhere(fields: int, size: int) -> None:
    data = track_packet(TrackDeclaration(7, "HR", "%", tail_fields=fields))
    assert struct.unpack_from("<BI", data) == (0, len(data) - 5)
    assert len(data) - 5 == size + 4


def test_numeric_record_bytes() -> None:
    track = TrackDeclaration(258, "HR", format=Format.I16)
    rows = numeric_packets(track, np.array([1.5]), np.array([-2], np.int16)).rows
    assert rows.tobytes() == struct.pack("<BIHdHh", 1, 14, 10, 1.5, 258, -2)


def test_text_record_bytes() -> None:
    rows = text_packets(TrackDeclaration(1, "EVENT", kind=TrackKind.TEXT), 2.0, "Größe").rows
    body = struct.pack("<HdHII", 10, 2.0, 1, 0, 7) + "Größe".encode()
    assert rows.tobytes() == packet(1, body)


@pytest.mark.parametrize("stored", [kind for kind in Format if kind.sentinel is not None])
def test_integers_never_become_the_sentinel_by_accident(stored: Format) -> None:
    track = TrackDeclaration(1, "X", format=stored, gain=0.5, offset=3.0)
    raw = encode(track, np.array([np.nan, 1e12, -1e12, 4.0]))
    assert raw[0] == stored.sentinel
    assert stored.sentinel not in raw[1:].tolist()
    assert raw[3] * 0.5 + 3.0 == 4.0


def test_encode_keeps_missing_floats() -> None:
    raw = encode(TrackDeclaration(1, "X"), np.array([np.nan, 2.5]))
    assert np.isnan(raw[0])
    assert raw[1] == 2.5
    assert raw.dtype == np.dtype("<f4")


def _wave(seconds: int, rate: int = 100) -> WaveTrack:
    declaration = TrackDeclaration(9, "ECG", kind=TrackKind.WAVE, format=Format.I16, rate_hz=rate)
    return WaveTrack(
        declaration, 0.5, seconds, lambda first, last: np.arange(first * rate, last * rate).astype(np.int16)
    )


def test_interleave_sorts_by_time_and_keeps_the_order_of_equals() -> None:
    first = numeric_packets(TrackDeclaration(1, "A"), np.array([0.0, 2.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    second = numeric_packets(
        TrackDeclaration(2, "B", format=Format.U8), np.array([1.0, 2.0]), np.array([4, 5], np.uint8)
    )
    wave = wave_seconds(_wave(2), 0, 2)
    data = interleave([first, second, wave])
    seen = []
    position = 0
    while position < len(data):
        length, _, time, track = struct.unpack_from("<IHdH", data, position + 1)
        seen.append((time, track, length))
        position += 5 + length
    assert seen == [(0.0, 1, 16), (0.5, 9, 216), (1.0, 2, 13), (1.5, 9, 216), (2.0, 1, 16), (2.0, 1, 16), (2.0, 2, 13)]
    assert interleave([]) == b""


def test_packed_wave_is_one_record_over_a_megabyte() -> None:
    data = b"".join(packed_wave(_wave(7000)))
    kind, length = struct.unpack_from("<BI", data)
    assert (kind, length) == (1, len(data) - 5)
    assert length > 1_000_000
    assert struct.unpack_from("<I", data, 17) == (700_000,)
    samples = np.frombuffer(data, "<i2", offset=21)
    assert (samples == np.arange(700_000).astype(np.int16)).all()


@pytest.mark.parametrize("layout", Layout)
def test_every_layout_writes_every_record_once(layout: Layout) -> None:
    times = np.arange(0.0, 1500.0, 0.7)
    numeric = NumericTrack(TrackDeclaration(1, "A"), times, np.zeros(times.size, np.float32))
    texts = [text_packets(TrackDeclaration(3, "T", kind=TrackKind.TEXT), 700.0, "x")]
    pieces: list[bytes] = []
    write_records(pieces.append, layout, [numeric], [_wave(1300)], texts)
    data, position, counts, seen = b"".join(pieces), 0, {1: 0, 3: 0, 9: 0}, []
    while position < len(data):
        length, _, time, track = struct.unpack_from("<IHdH", data, position + 1)
        counts[track] += 1
        seen.append(time)
        position += 5 + length
    assert counts == {1: times.size, 3: 1, 9: 1 if layout is Layout.PACKED else 1300}
    assert (seen == sorted(seen)) is (layout is Layout.INTERLEAVED)


def test_gzip_has_no_time_stamp_and_repeats(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with GzipWriter(tmp_path / name) as file:
            file.write(b"abc" * 1000)
            assert file.plain_bytes == 3000
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    assert data[4:8] == bytes(4)
    assert gzip.decompress(data) == b"abc" * 1000


def test_gzip_without_finish_gives_all_up_to_the_cut(tmp_path: Path) -> None:
    file = GzipWriter(tmp_path / "a")
    file.write(b"abc" * 1000)
    file.close(finish=False)
    inflate = zlib.decompressobj(31)
    assert inflate.decompress((tmp_path / "a").read_bytes()) == b"abc" * 1000
    assert not inflate.eof
