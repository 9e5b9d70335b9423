"""Long packets, cuts, files that are no recordings, and the bounds (spec/vitaldb, the recording format)."""

from __future__ import annotations

import gzip
import math
import struct

import pytest

from core.recording import collect, records, vital
from core.recording.vital import read_vital
from tests.recording_bytes import WAVE, chopped, device, header, numeric, packed, packet, record, track, track_body
from tests.recording_helpers import HR, SOLAR, T, fails, read, rows

pytestmark = pytest.mark.usefixtures("either_walk")


@pytest.mark.parametrize("extra", [65_000, 65_600, 65_601, 262_139, 262_144, 1_000_001, 3_000_000])
def test_a_packet_of_any_length_is_one_packet(extra: int) -> None:
    long = [
        record(8, T, struct.pack("<I", extra // 2) + bytes(extra)),
        record(7, T + 1, struct.pack("<f", 81) + bytes(extra)),
        packet(0, track_body(9, "LONG") + bytes(extra)),
        packet(77, bytes(extra)),
    ]
    for one in long:
        parts = (SOLAR, HR, track(8, "W", kind=WAVE), numeric(7, T, 80), one, numeric(7, T + 2, 82))
        recording = read(*parts)
        values = [80.0, 81.0, 82.0] if one is long[1] else [80.0, 82.0]
        assert [value for _, value in rows(recording)] == values
        assert sum(recording.loss.packets.values()) == 6
        assert recording.loss.records_read == (3 if one in long[:2] else 2)
        assert ("Solar8000/LONG" in recording.tracks) == (one is long[2])
        cut = read_vital([gzip.compress((header() + b"".join(parts))[: -len(parts[-1]) - 1], mtime=0)], None)
        assert cut.loss.truncated
        assert (sum(cut.loss.packets.values()), rows(cut)) == (4, [(T, 80.0)])


def test_a_length_beyond_the_file_is_a_cut() -> None:
    for kind in (0, 1, 9, 10, 99):
        recording = read(SOLAR, HR, numeric(7, T, 80), packet(kind, b"abc", length=0xFFFFFFFF), numeric(7, T + 1, 81))
        assert recording.loss.truncated
        assert rows(recording) == [(T, 80.0)]


PARTS = header(27, start=T) + SOLAR + HR + numeric(7, T, 80) + numeric(7, T + 1, 81)


@pytest.mark.parametrize("end", range(len(PARTS)))
def test_a_cut_at_every_byte(end: int) -> None:
    data = gzip.compress(PARTS[:end], mtime=0)
    first = len(PARTS) - len(numeric(7, T, 80))
    if end < len(header(27)):
        fails(data, "begin with VITA" if end < 4 else "inside its header")
    elif end in (37, 37 + len(SOLAR), 37 + len(SOLAR) + len(HR)):
        assert read_vital([data], None).loss.records_read == 0
    elif end < first:
        fails(data, "before its first record")
    else:
        recording = read_vital([data], None)
        assert rows(recording) == [(T, 80.0)]
        assert recording.loss.truncated == (end > first)


def test_a_gzip_cut_keeps_what_came_before() -> None:
    data = packed(SOLAR, HR, *(numeric(7, T + second, second % 90) for second in range(5000)))
    whole = rows(read_vital([data], None))
    kept = []
    for end in range(len(data) - 1, 600, -997):
        recording = read_vital([data[:end]], None)
        assert recording.loss.truncated
        assert rows(recording) == whole[: len(recording.tracks["Solar8000/HR"].times)]
        kept.append(recording.loss.records_kept)
    assert kept[0] == 5000
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] < 500


def test_a_complete_file_without_records_is_no_error() -> None:
    for recording in (read(), read(SOLAR, HR), read(SOLAR, HR, numeric(9, T, 1), numeric(7, math.nan, 1))):
        assert math.isnan(recording.earliest)
        assert (recording.loss.seconds, recording.loss.records_read, recording.loss.truncated) == (0.0, 0, False)


def test_a_cut_file_with_useless_records_only_is_unreadable() -> None:
    fails(packed(SOLAR, HR, numeric(9, T, 1), numeric(7, math.nan, 1), b"\1"), "before its first record")


def test_what_is_no_recording() -> None:
    fails(b"", "empty")
    fails(b"VITA" + bytes(50), "not a gzip")
    fails(gzip.compress(b"VITB" + bytes(50), mtime=0), "begin with VITA")
    fails(gzip.compress(b"", mtime=0), "begin with VITA")
    damaged = bytearray(packed(SOLAR, HR, numeric(7, T, 80)))
    damaged[-6] ^= 1
    fails(bytes(damaged), "none are used")


def test_trailing_bytes_are_reported() -> None:
    data = packed(SOLAR, HR, numeric(7, T, 80))
    assert read_vital([data + bytes(512)], None).loss.trailing_bytes == 0
    assert read_vital([data + b"<html>"], None).loss.trailing_bytes == 6
    half = len(PARTS) // 2
    members = gzip.compress(PARTS[:half], mtime=0) + gzip.compress(PARTS[half:], mtime=0)
    assert rows(read_vital([members], None)) == [(T, 80.0), (T + 1, 81.0)]


def test_only_wanted_tracks_come_back_and_wanting_changes_nothing_else() -> None:
    parts = (SOLAR, HR, track(8, "SPO2"), numeric(8, T - 5, 97), numeric(7, T, 80), numeric(8, T + 5, 98))
    some, every = read(*parts, wanted={"Solar8000/HR", "Solar8000/NONE"}), read(*parts)
    assert set(some.tracks) == {"Solar8000/HR"}
    assert (some.earliest, some.declarations, some.loss.seconds) == (every.earliest, every.declarations, 10.0)
    assert (some.loss.records_read, some.loss.records_kept, some.loss.records_unwanted) == (3, 1, 2)


def test_bytes_in_and_out() -> None:
    data = packed(SOLAR, HR, numeric(7, T, 80))
    loss = read_vital(chopped(data, 5), None).loss
    assert (loss.bytes_in, loss.bytes_out) == (len(data), len(gzip.decompress(data)))


def test_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    fails(packed(SOLAR, HR, packet(1, b"") * 100_001), "malformed")
    fails(packed(packet(9, b"") * 100_001), "declares more")
    monkeypatch.setattr(records, "MAXIMUM_MALFORMED", 10)
    assert read(packet(0, b"") * 10).loss.malformed_packets == 10
    fails(packed(packet(0, b"") * 11), "malformed")
    fails(packed(SOLAR, HR * 100_001), "declares more")
    fails(packed(*(device(number, "x" * 1024, "y" * 1024) for number in range(9000))), "declares more")
    monkeypatch.setattr(vital, "PACKETS_FLOOR", 1000)
    fails(packed(SOLAR, packet(99, b"") * 100_000), "far more than its size")
    monkeypatch.setattr(collect, "MAXIMUM_RECORDS", 10)
    assert read(SOLAR, HR, numeric(7, T, 1) * 10).loss.records_kept == 10
    fails(packed(SOLAR, HR, numeric(7, T, 1) * 11), "too many records")


def test_more_units_than_a_track_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.recording.attribute.MAXIMUM_UNITS", 3)
    assert len(read(SOLAR, *(track(7, "HR", unit=str(unit)) for unit in range(3))).tracks["Solar8000/HR"].units) == 3
    fails(packed(SOLAR, *(track(7, "HR", unit=str(unit)) for unit in range(4))), "units")
