"""Facts and traps of the ``.vital`` format, one by one (spec/vitaldb, the recording format and its fine print)."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from core.recording.model import Declaration
from tests.recording_bytes import (
    CODES,
    TEXT,
    WAVE,
    device,
    header,
    numeric,
    packet,
    record,
    text,
    track,
    track_body,
    wave,
)
from tests.recording_helpers import HR, SOLAR, T, read, rows

pytestmark = pytest.mark.usefixtures("either_walk")


@pytest.mark.parametrize(
    ("length", "start", "is_packed"), [(10, None, None), (26, T, None), (27, T, True), (60, T, True)]
)
def test_header_generations(length: int, start: float | None, is_packed: bool | None) -> None:
    recording = read(SOLAR, HR, numeric(7, T + 5, 80), head=header(length, start=T, end=T + 9, packed=1))
    assert recording.header is not None
    assert (recording.header.start, recording.header.packed) == (start, is_packed)
    assert recording.header.end == (None if start is None else T + 9)
    assert (recording.header.version, recording.header.length, recording.header.timezone_bias_minutes) == (
        3,
        length,
        -540,
    )
    assert rows(recording) == [(T + 5, 80.0)]
    assert recording.t0 == (T if start else T + 5)
    assert recording.loss.seconds == (5.0 if start else 0.0)


def test_a_short_header_and_another_version_are_skipped_by_length() -> None:
    recording = read(SOLAR, HR, numeric(7, T, 80), head=header(0, version=9))
    assert recording.header is not None
    assert (recording.header.version, recording.header.timezone_bias_minutes) == (9, 0)
    assert rows(recording) == [(T, 80.0)]


@pytest.mark.parametrize(
    ("code", "raw", "value"),
    [
        (1, 1.5, 1.5),
        (2, 1.1, 1.1),
        (3, -127, -127 * 0.5 + 10),
        (4, 254, 137.0),
        (5, -32767, -32767 * 0.5 + 10),
        (6, 65534, 65534 * 0.5 + 10),
        (7, -(2**31) + 1, (-(2**31) + 1) * 0.5 + 10),
        (8, 2**32 - 2, (2**32 - 2) * 0.5 + 10),
        (3, -128, math.nan),
        (4, 255, math.nan),
        (5, -32768, math.nan),
        (6, 65535, math.nan),
        (7, -(2**31), math.nan),
        (8, 2**32 - 1, math.nan),
        (1, math.inf, math.nan),
        (2, math.nan, math.nan),
        (2, -math.inf, math.nan),
    ],
)
def test_formats_gain_offset_and_sentinels(code: int, raw: float, value: float) -> None:
    recording = read(SOLAR, track(7, "HR", code=code, gain=0.5, offset=10.0), numeric(7, T, raw, code))
    np.testing.assert_array_equal(recording.tracks["Solar8000/HR"].values, [value])
    assert recording.loss.records_kept == 1


def test_a_gain_that_is_no_number_makes_missing_values() -> None:
    recording = read(SOLAR, track(7, "HR", code=5, gain=math.nan), numeric(7, T, 3, 5))
    assert np.isnan(recording.tracks["Solar8000/HR"].values).all()


FULL = track_body(7, "HR", code=5, unit="bpm", rate=0.5, gain=2.0, offset=1.0)
NAME_END = 4 + 4 + 2
UNIT_END = NAME_END + 4 + 3


@pytest.mark.parametrize("end", range(NAME_END, len(FULL) + 1))
def test_any_tail_of_a_declaration_may_be_missing(end: int) -> None:
    if NAME_END + 4 <= end < UNIT_END:
        assert read(SOLAR, packet(0, FULL[:end])).loss.malformed_packets == 1
        return
    recording = read(SOLAR, packet(0, FULL[:end]), numeric(7, T, 100, 5))
    tail = end - UNIT_END
    name = "Solar8000/HR" if tail >= 37 else "HR"
    gain, offset = (2.0 if tail >= 24 else 1.0), (1.0 if tail >= 32 else 0.0)
    assert rows(recording, name) == [(T, 100 * gain + offset)]
    assert recording.tracks[name].units == ("bpm" if end >= UNIT_END else "",)
    rate = 0.5 if tail >= 16 else 0.0
    assert recording.declarations == (
        Declaration(name, "numeric", "i16", "bpm" if end >= UNIT_END else "", rate, records=1),
    )


@pytest.mark.parametrize("end", range(NAME_END))
def test_a_declaration_without_its_name_is_malformed(end: int) -> None:
    recording = read(SOLAR, packet(0, FULL[:end]), numeric(7, T, 100, 5))
    assert (recording.loss.malformed_packets, recording.loss.records_undeclared) == (1, 1)
    assert not recording.tracks


def test_long_strings_and_unknown_formats_are_malformed_and_credit_nothing_to_the_track_before() -> None:
    for bad in (track(7, "x" * 1025), track(7, "x", unit="u" * 1025), track(7, "x", code=9)):
        recording = read(SOLAR, HR, numeric(7, T, 1), bad, numeric(7, T + 1, 2))
        assert rows(recording) == [(T, 1.0)]
        assert (recording.loss.malformed_packets, recording.loss.records_undeclared) == (1, 1)
    assert not read(SOLAR, track(7, "x" * 1024, unit="u" * 1024)).loss.malformed_packets


def test_names_in_another_code_page_do_not_cost_the_track() -> None:
    recording = read(SOLAR, track(7, "HR", unit="m"), track(8, b"T\xb0"), numeric(8, T, 1))
    assert rows(recording, "Solar8000/T�") == [(T, 1.0)]


def test_a_track_declared_again_goes_on_with_its_new_format_and_unit() -> None:
    recording = read(
        SOLAR,
        HR,
        numeric(7, T, 80),
        track(7, "HR", code=5, gain=0.1, unit="bpm"),
        numeric(7, T + 2, 810, 5),
        track(9, "HR", unit="/min"),
        numeric(9, T + 4, 82),
        numeric(7, T + 6, 830, 5),
    )
    assert rows(recording) == [(T, 80.0), (T + 2, 81.0), (T + 4, 82.0), (T + 6, 83.0)]
    track_ = recording.tracks["Solar8000/HR"]
    assert track_.units == ("/min", "bpm")
    assert track_.unit_of.tolist() == [0, 1, 0, 1]
    assert recording.loss.tracks_redeclared == 2
    assert recording.declarations == (Declaration("Solar8000/HR", "numeric", "f32", "/min", 0.0, 4),)


def test_a_number_that_is_given_to_another_track_takes_no_values_along() -> None:
    recording = read(
        SOLAR, HR, numeric(7, T, 80), track(7, "SPO2", unit="%"), numeric(7, T + 1, 99), HR, numeric(7, T + 2, 81)
    )
    assert rows(recording) == [(T, 80.0), (T + 2, 81.0)]
    assert rows(recording, "Solar8000/SPO2") == [(T + 1, 99.0)]


def test_inspect_sees_the_latest_declaration() -> None:
    recording = read(SOLAR, track(7, "HR", unit="a"), track(7, "HR", unit="b"), track(7, "HR", unit="a"))
    assert [declaration.unit for declaration in recording.declarations] == ["a"]
    assert recording.tracks["Solar8000/HR"].units == ("a", "b")
    assert len(recording.tracks["Solar8000/HR"].times) == 0


def test_device_names() -> None:
    recording = read(
        device(1, "Typ"),
        device(2, "Typ2", "Name"),
        device(3, "Typ3", None),
        device(0, "Zero"),
        *(track(number, "X", device_id=number) for number in (1, 2, 3, 0, 99)),
    )
    assert list(recording.tracks) == ["Typ/X", "Name/X", "Typ3/X", "Zero/X", "X"]
    assert recording.devices == ("Typ", "Name", "Typ3", "Zero")


def test_a_device_that_comes_late_still_names_its_tracks() -> None:
    parts = (
        HR,
        numeric(7, T, 80),
        track(8, "XX"),
        numeric(8, T, 1),
        SOLAR,
        numeric(7, T + 1, 81),
        HR,
        numeric(7, T + 2, 82),
    )
    for wanted in ({"Solar8000/HR"}, {"Solar8000/HR", "Other/XX"}, None):
        recording = read(*parts, wanted=wanted)
        assert rows(recording) == [(T, 80.0), (T + 1, 81.0), (T + 2, 82.0)]
        assert set(recording.tracks) == {"Solar8000/HR"} | (set() if wanted else {"Solar8000/XX"})
        assert recording.loss.records_unwanted == (1 if wanted else 0)
        assert recording.loss.tracks_redeclared == 1
    bare = read(HR, numeric(7, T, 80), wanted={"HR"})
    assert rows(bare, "HR") == [(T, 80.0)]
    assert read(HR, numeric(7, T, 80), wanted={"Solar8000/HR"}).loss.records_unwanted == 1


def test_a_device_renamed_keeps_the_tracks_it_had() -> None:
    recording = read(
        SOLAR, HR, numeric(7, T, 80), device(1, "x", "Primus"), numeric(7, T + 1, 81), HR, numeric(7, T + 2, 9)
    )
    assert rows(recording) == [(T, 80.0), (T + 1, 81.0)]
    assert rows(recording, "Primus/HR") == [(T + 2, 9.0)]


def test_waves_and_text_are_never_values() -> None:
    recording = read(
        SOLAR,
        track(7, "HR", kind=WAVE, code=5, rate=500.0),
        wave(7, T),
        track(8, "HR", kind=TEXT),
        text(8, T + 1, "80"),
        track(9, "HR", kind=3),
        record(9, T + 2, b""),
        HR,
        numeric(7, T + 3, 80),
        wanted={"Solar8000/HR"},
    )
    assert rows(recording) == [(T + 3, 80.0)]
    assert recording.tracks["Solar8000/HR"].units == ("/min",)
    assert (recording.loss.records_read, recording.loss.records_unwanted) == (4, 3)
    assert recording.earliest == T
    assert not read(SOLAR, track(7, "HR", kind=WAVE), wave(7, T)).tracks
    kinds = read(SOLAR, track(1, "A", kind=WAVE, code=5, rate=500.0), track(2, "B", kind=TEXT), track(3, "C", kind=3))
    assert [(one.kind, one.format) for one in kinds.declarations] == [
        ("wave", "i16"),
        ("text", "text"),
        ("unknown", "f32"),
    ]


def test_the_value_stands_behind_the_information_block() -> None:
    recording = read(
        SOLAR, HR, record(7, T, struct.pack("<f", 80), info=18), record(7, T + 1, struct.pack("<f", 81), info=65535)
    )
    assert rows(recording) == [(T, 80.0), (T + 1, 81.0)]


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_record_too_short_for_its_value_is_malformed(code: int) -> None:
    size = struct.calcsize(CODES[code])
    short = [
        record(7, T - 9, bytes(size - 1)),
        packet(1, b""),
        packet(1, bytes(11)),
        packet(1, struct.pack("<HdH", 9, T, 7) + bytes(9)),
        packet(1, struct.pack("<HdH", 11, T, 7)),
        packet(1, struct.pack("<HdH", 65535, T, 7) + bytes(100)),
    ]
    for wanted in (None, {"other"}):
        loss = (recording := read(SOLAR, track(7, "HR", code=code), *short, numeric(7, T, 1, code), wanted=wanted)).loss
        assert (loss.malformed_packets, loss.records_read) == (len(short), 1)
        assert recording.earliest == T


def test_skipped_records_are_counted_by_reason() -> None:
    loss = read(
        SOLAR,
        HR,
        numeric(7, T, 1),
        numeric(7, math.nan, 1),
        numeric(7, math.inf, 1),
        numeric(6, T, 1),
        numeric(6, math.nan, 1),
        packet(6, b"\5\0\0"),
        packet(6, b""),
        packet(10, bytes(20)),
        packet(3, bytes(7)),
        packet(255, b""),
    ).loss
    assert loss.packets == {"device": 1, "track": 1, "record": 5, "command": 2, "raw": 1, "unknown": 2}
    assert (loss.records_read, loss.records_kept, loss.records_bad_time, loss.records_undeclared) == (1, 1, 2, 2)


def test_order_duplicates_and_gaps() -> None:
    times = [5.0, 1.0, 1.0, 3.0, 2.0, 3.0, 3.0]
    other = [numeric(8, T + 100, 0), numeric(8, T + 50, 0)]
    recording = read(
        SOLAR, HR, track(8, "B"), *(numeric(7, T + time, value) for value, time in enumerate(times)), *other
    )
    assert rows(recording) == [
        (T + 1, 1.0),
        (T + 1, 2.0),
        (T + 2, 4.0),
        (T + 3, 3.0),
        (T + 3, 5.0),
        (T + 3, 6.0),
        (T + 5, 0.0),
    ]
    assert (recording.loss.duplicate_times, recording.loss.backward_times) == (2, 3)
    assert recording.loss.largest_gap_s == 50.0
    assert recording.loss.seconds == 99.0


@pytest.mark.parametrize(
    ("other", "gap"), [([0, 1, 9, 20], 11.0), ([0, 10, 15, 20], 8.0), ([0, 9, 10, 20], 10.0), ([0, 1, 20], 11.0)]
)
def test_a_gap_is_one_of_all_tracks_together(other: list[float], gap: float) -> None:
    """Also where a track repeats the times of another, or almost does."""
    one = [numeric(7, T + time, 1) for time in (0, 1, 9, 20)]
    recording = read(SOLAR, HR, track(8, "B"), *one, *(numeric(8, T + time, 1) for time in other))
    assert recording.loss.largest_gap_s == gap


def test_one_moment_in_two_tracks_is_no_gap() -> None:
    assert read(SOLAR, HR, track(8, "B"), numeric(7, T, 1), numeric(8, T, 1)).loss.largest_gap_s == 0.0


def test_late_records_are_dropped_by_the_earliest_of_the_whole_file() -> None:
    span = 48 * 3600.0
    recording = read(
        SOLAR,
        HR,
        track(8, "W", kind=WAVE),
        numeric(7, T + span + 1, 1),
        numeric(7, T + span, 2),
        numeric(7, T + span + 0.5, 3),
        numeric(7, 9e8 + T, 4),
        wave(8, T),
        wave(8, T + span * 3),
        wanted={"Solar8000/HR"},
    )
    assert rows(recording) == [(T + span, 2.0)]
    loss = recording.loss
    assert (loss.records_read, loss.records_kept, loss.records_late, loss.records_unwanted) == (6, 1, 3, 2)
    assert (recording.earliest, loss.seconds) == (T, span)


def test_times_at_the_ends_of_the_number_range() -> None:
    recording = read(SOLAR, HR, numeric(7, 1.7e308, 1), numeric(7, -1.7e308, 2))
    assert rows(recording) == [(-1.7e308, 2.0)]
    assert recording.loss.records_late == 1


def test_the_earliest_record_counts_over_all_blocks() -> None:
    filler = packet(10, bytes(300_000))
    recording = read(SOLAR, HR, numeric(7, T + 200_000, 1), filler, numeric(7, T, 2), filler, numeric(7, T + 60, 3))
    assert rows(recording) == [(T, 2.0), (T + 60, 3.0)]
    assert (recording.loss.records_late, recording.loss.seconds) == (1, 172_800.0)
