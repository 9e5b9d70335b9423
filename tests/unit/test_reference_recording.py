"""The slow reader on recordings of a few packets."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import pytest

from tests.reference import tiny_vital as tiny
from tests.reference.slow_recording import SlowSample, SlowUnreadableError, inflate, read

HR = tiny.device(1, "Solar8000") + tiny.track(7, "HR", "/min")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0001.vital"


@pytest.mark.parametrize(
    ("head", "start"),
    [(tiny.header(), None), (tiny.header(1000.0), 1000.0), (tiny.header(1000.0, packed=True), 1000.0)],
)
def test_every_generation_of_the_header(path: Path, head: bytes, start: float | None) -> None:
    recording = read(tiny.write(path, head, HR, tiny.record(7, 1005.0, 80.0)))
    assert recording.start == start
    assert recording.earliest == 1005.0
    assert recording.t0 == (1005.0 if start is None else 1000.0)
    assert recording.tracks == {"Solar8000/HR": [SlowSample(1005.0, 80.0, "/min")]}
    assert not recording.truncated


@pytest.mark.parametrize("start", [math.nan, math.inf, 0.0, -5.0])
def test_a_start_that_is_no_time_is_not_used(path: Path, start: float) -> None:
    assert read(tiny.write(path, tiny.header(start), HR, tiny.record(7, 1005.0, 80.0))).t0 == 1005.0


def test_a_start_over_48_hours_before_the_first_record_is_not_believed(path: Path) -> None:
    # 48 h = 172,800 s
    near = read(tiny.write(path, tiny.header(10.0), HR, tiny.record(7, 172_810.0, 80.0)))
    far = read(tiny.write(path, tiny.header(10.0), HR, tiny.record(7, 172_811.0, 80.0)))
    assert (near.t0, far.t0) == (10.0, 172_811.0)


@pytest.mark.parametrize(
    ("value_format", "sentinel"), [(3, -128), (4, 255), (5, -32768), (6, 65535), (7, -(2**31)), (8, 2**32 - 1)]
)
def test_integers_are_scaled_and_have_sentinels(path: Path, value_format: int, sentinel: int) -> None:
    declared = tiny.device(1, "D") + tiny.track(7, "X", value_format=value_format, gain=0.5, offset=3.0)
    records = tiny.record(7, 1.0, 40, value_format) + tiny.record(7, 2.0, sentinel, value_format)
    values = [sample.value for sample in read(tiny.write(path, tiny.header(), declared, records)).tracks["D/X"]]
    assert values == [23.0, None]  # 40 * 0.5 + 3


def test_floats_are_not_scaled_and_not_finite_is_missing(path: Path) -> None:
    declared = tiny.device(1, "D") + tiny.track(7, "X", value_format=1, gain=0.5, offset=3.0)
    records = b"".join(tiny.record(7, 1.0, value, 1) for value in (40.0, math.nan, math.inf))
    recording = read(tiny.write(path, tiny.header(), declared, records))
    assert [sample.value for sample in recording.tracks["D/X"]] == [40.0, None, None]


def test_a_track_declared_without_any_tail(path: Path) -> None:
    bare = tiny.packet(0, struct.pack("<HBB", 7, 2, 5) + tiny.text("X"))
    recording = read(tiny.write(path, tiny.header(), bare, tiny.record(7, 1.0, 40, 5)))
    assert recording.tracks == {"X": [SlowSample(1.0, 40.0, "")]}


def test_a_device_without_a_name_has_its_types(path: Path) -> None:
    devices = (
        tiny.device(1, "Primus")
        + tiny.device(2, "Primus", "Second")
        + tiny.packet(9, struct.pack("<I", 3) + tiny.text("Bare"))
    )
    assert read(tiny.write(path, tiny.header(), devices)).devices == ["Primus", "Second", "Bare"]


def test_a_record_carries_the_declaration_in_force_and_a_track_goes_on(path: Path) -> None:
    recording = read(
        tiny.write(
            path,
            tiny.header(),
            HR + tiny.record(7, 1.0, 80.0),
            tiny.track(7, "HR", "bpm", value_format=4, gain=2.0) + tiny.record(7, 2.0, 45, 4),
            tiny.track(9, "HR", "1/min") + tiny.record(9, 3.0, 70.0),
        )
    )
    assert recording.tracks["Solar8000/HR"] == [
        SlowSample(1.0, 80.0, "/min"),
        SlowSample(2.0, 90.0, "bpm"),
        SlowSample(3.0, 70.0, "1/min"),
    ]
    assert [declaration.unit for declaration in recording.declarations] == ["/min", "bpm", "1/min"]


def test_samples_are_sorted_stably(path: Path) -> None:
    times_and_values = [(5.0, 1.0), (3.0, 2.0), (5.0, 3.0), (3.0, 4.0)]
    records = b"".join(tiny.record(7, time, value) for time, value in times_and_values)
    samples = read(tiny.write(path, tiny.header(), HR, records)).tracks["Solar8000/HR"]
    assert [(sample.time, sample.value) for sample in samples] == [(3.0, 2.0), (3.0, 4.0), (5.0, 1.0), (5.0, 3.0)]


def test_the_earliest_record_may_be_a_wave_of_more_than_a_megabyte(path: Path) -> None:
    ecg = tiny.track(8, "ECG", kind=tiny.WAVE, value_format=1)
    records = tiny.record(7, 60.0, 80.0) + tiny.wave(8, 50.0, [0.0] * 300_000) + tiny.record(7, 62.0, 81.0)
    recording = read(tiny.write(path, tiny.header(), HR, ecg, records))
    assert (recording.earliest, recording.records, len(recording.tracks["Solar8000/HR"])) == (50.0, 3, 2)


def test_records_over_48_hours_after_the_earliest_are_dropped(path: Path) -> None:
    # The earliest, at 10, stands last in the file; 10 + 172,800 is just kept.
    records = b"".join(tiny.record(7, time, 80.0) for time in (172_810.0, 172_810.5, 10.0))
    recording = read(tiny.write(path, tiny.header(), HR, records))
    assert [sample.time for sample in recording.tracks["Solar8000/HR"]] == [10.0, 172_810.0]
    assert recording.late == 1


def test_what_cannot_be_a_record_is_skipped_and_counted(path: Path) -> None:
    recording = read(
        tiny.write(
            path,
            tiny.header(),
            tiny.record(7, 1.0, 60.0),  # not declared yet
            HR,
            tiny.record(7, math.nan, 61.0) + tiny.record(7, -math.inf, 62.0),
            tiny.packet(1, b"\x0a\x00"),
            tiny.packet(1, struct.pack("<HdH", 10, 0.5, 7) + b"\x00"),  # its value is cut
            tiny.packet(6, b"\x05") + tiny.packet(10, b"raw") + tiny.packet(77, b"?"),
            tiny.record(7, 2.0, 80.0),
        )
    )
    assert recording.tracks["Solar8000/HR"] == [SlowSample(2.0, 80.0, "/min")]
    assert (recording.undeclared, recording.bad_time, recording.malformed) == (1, 2, 2)
    assert (recording.records, recording.earliest, recording.truncated) == (1, 2.0, False)


@pytest.mark.parametrize("cut", [1, 4, 5, 10])
def test_a_file_cut_inside_a_packet_keeps_what_stands_before(path: Path, cut: int) -> None:
    last = tiny.record(7, 2.0, 81.0)
    recording = read(tiny.write(path, tiny.header(), HR, tiny.record(7, 1.0, 80.0), last[:cut]))
    assert [sample.time for sample in recording.tracks["Solar8000/HR"]] == [1.0]
    assert recording.truncated


def test_a_length_that_lies_is_a_cut(path: Path) -> None:
    lie = struct.pack("<BI", 1, 0xFFFFFFFF)
    recording = read(tiny.write(path, tiny.header(), HR, tiny.record(7, 1.0, 80.0), lie, tiny.record(7, 2.0, 81.0)))
    assert recording.truncated
    assert recording.records == 1


def test_a_cut_gzip_stream_keeps_what_inflates(path: Path) -> None:
    plain = bytes((index * index * 7919 >> 3) & 0xFF for index in range(400_000))
    whole = gzip.compress(plain, 6, mtime=0)
    kept, cut = inflate(whole[: len(whole) // 2])
    assert cut
    assert 0 < len(kept) < len(plain)
    assert plain.startswith(kept)
    assert inflate(whole) == (plain, False)
    assert inflate(whole[:-8]) == (plain, True)  # only the trailer is gone


def test_damage_counts_as_a_cut() -> None:
    plain = bytes(range(256)) * 10
    whole = gzip.compress(plain, mtime=0)
    wrong_check = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    assert inflate(wrong_check) == (plain, True)


def test_members_are_joined_and_padding_is_no_loss() -> None:
    assert inflate(gzip.compress(b"ab", mtime=0) + gzip.compress(b"cd", mtime=0) + b"\x00" * 5) == (b"abcd", False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"VITA",
        gzip.compress(b"NOPE" + tiny.header()[4:], mtime=0),
        gzip.compress(tiny.header()[:15], mtime=0),
        gzip.compress(tiny.header() + HR, mtime=0)[:-9],
        gzip.compress(tiny.header() + HR + tiny.record(7, 1.0, 80.0)[:-1], mtime=0),
    ],
)
def test_unreadable(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(SlowUnreadableError):
        read(path)


def test_a_whole_file_without_records_is_readable(path: Path) -> None:
    recording = read(tiny.write(path, tiny.header(1000.0), HR))
    assert (recording.records, recording.earliest, recording.t0, recording.truncated) == (0, None, None, False)


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "0001.csv"
    path.write_text(
        "\ufeffTime,Solar8000/HR,BIS/BIS\n0,,\n2,80,\nnan,1,1\n4,,50\n6,inf,nan\n172800.5,90,\n", encoding="utf-8"
    )
    recording = read(path)
    # The row at 0 holds no record, yet it is where the file's clock begins; 172,800.5 is more than 48 h later.
    assert recording.t0 == 0.0
    assert recording.tracks["Solar8000/HR"] == [SlowSample(2.0, 80.0, ""), SlowSample(6.0, None, "")]
    assert recording.tracks["BIS/BIS"] == [SlowSample(4.0, 50.0, "")]
    assert (recording.bad_time, recording.late) == (1, 1)


@pytest.mark.parametrize("content", [b"", b"t,Solar8000/HR\n0,80\n", b"Time\n\xff\xfe\n"])
def test_csv_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "0001.csv"
    path.write_bytes(content)
    with pytest.raises(SlowUnreadableError):
        read(path)
