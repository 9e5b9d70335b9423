"""Packed recordings are read no further than needed, and only where they keep to the packed layout in every point."""

from __future__ import annotations

import gzip
import math
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import ContentError
from core.recording.blocks import BLOCK_BYTES
from core.recording.model import Recording
from core.recording.read import read_recording
from core.workload import Case, Outcome
from core.workloads.registry import build_workload
from core.workloads.vitaldb.inspect import inspect_recording
from core.workloads.vitaldb.profiles import resolve_profiles
from tests.recording_bytes import TEXT, WAVE, chopped, device, header, numeric, packet, record, text, track

pytestmark = pytest.mark.usefixtures("either_walk")

T = 1_500_000_000.0
SECONDS = 8000
RECORD_BYTES = 21
WANTED = {"Solar8000/HR", "Solar8000/PLETH_SPO2"}
HOURS_48 = 48 * 3600.0
NOISE = random.Random(1).randbytes(1_500_000)


@dataclass(frozen=True)
class Packed:
    """A packed recording: what stands before the records, the records, and what follows the wave."""

    start: float = T
    packed: int = 1
    head_bytes: int = 27
    declared: tuple[bytes, ...] = ()
    first: bytes = b""
    stated: int = SECONDS * RECORD_BYTES
    kept: int = SECONDS
    between: bytes = b""
    behind: bytes = b""

    def content(self) -> bytes:
        head = header(self.head_bytes, start=self.start, packed=self.packed)
        tracks = track(1, "HR", record_bytes=self.stated) + track(2, "PLETH_SPO2", record_bytes=SECONDS * RECORD_BYTES)
        tracks += track(3, "ECG", kind=WAVE, code=5, rate=500.0, record_bytes=17 + 4 + len(NOISE))
        tracks += track(4, "EVENT", kind=TEXT)
        rates = b"".join(numeric(1, T + second, 60 + second % 40) for second in range(self.kept))
        saturations = b"".join(numeric(2, T + second, 97) for second in range(SECONDS))
        wave = record(3, T, struct.pack("<I", len(NOISE) // 2) + NOISE)
        parts = (head, device(1, "Solar8000"), tracks, *self.declared, text(4, T + 5, "x"), self.first, rates)
        return b"".join((*parts, self.between, saturations, wave, self.behind))

    def file(self) -> bytes:
        return gzip.compress(self.content(), 1, mtime=0)


def read(data: bytes, wanted: set[str] | None = WANTED, may_stop: bool = True, piece: int = 65_536) -> Recording:
    return read_recording("0001.vital", chopped(data, piece), wanted, may_stop=may_stop)


def assert_same_signals(one: Recording, other: Recording) -> None:
    assert one.t0 == other.t0
    assert list(one.tracks) == list(other.tracks)
    for name, its in one.tracks.items():
        np.testing.assert_array_equal(its.times, other.tracks[name].times)
        np.testing.assert_array_equal(its.values, other.tracks[name].values)
        assert its.units == other.tracks[name].units


def test_the_wanted_tracks_are_the_same_and_the_waves_stay_where_they_are() -> None:
    data = Packed().file()
    stopped, whole = read(data), read(data, may_stop=False)
    assert_same_signals(stopped, whole)
    assert stopped.loss.rest_not_examined
    assert not whole.loss.rest_not_examined
    assert whole.loss.bytes_in == len(data)
    assert stopped.loss.bytes_in < len(data) / 3
    assert (stopped.loss.truncated, stopped.loss.records_kept) == (False, 2 * SECONDS)
    assert whole.loss.records_read == stopped.loss.records_read + 1


@pytest.mark.parametrize("size", [1000, 40_000, 262_144, 10_000_000])
def test_the_place_does_not_depend_on_the_pieces(size: int) -> None:
    data = Packed().file()
    one, other = read(data), read(data, piece=size)
    assert_same_signals(one, other)
    assert replace(one.loss, bytes_in=0) == replace(other.loss, bytes_in=0)
    assert one.loss.bytes_out == 2 * BLOCK_BYTES


def test_who_delivers_the_bytes_is_told_to_stop() -> None:
    delivered: list[int] = []
    closed: list[bool] = []

    def pieces() -> Iterator[bytes]:
        try:
            for piece in chopped(Packed().file(), 10_000):
                delivered.append(len(piece))
                yield piece
        finally:
            closed.append(True)

    one = pieces()
    recording = read_recording("0001.vital", one, WANTED, may_stop=True)
    assert closed == [True]
    assert recording.loss.bytes_in == sum(delivered)


BROKEN: dict[str, Packed] = {
    "not packed": Packed(packed=0),
    "an old header": Packed(head_bytes=26),
    "no start": Packed(start=0.0),
    "a start that is no number": Packed(start=math.nan),
    "a start that is not believed": Packed(start=T - HOURS_48 - 1),
    "more records than declared": Packed(stated=(SECONDS - 1) * RECORD_BYTES),
    "fewer records than declared": Packed(kept=SECONDS - 1),
    "no size declared": Packed(stated=0),
    "a wanted track without its size": Packed(declared=(packet(0, struct.pack("<HBBI", 9, 2, 1, 2) + b"HR"),)),
    "a wanted track declared again under another number": Packed(declared=(track(5, "HR", record_bytes=100),)),
    "a wanted track's number given away": Packed(declared=(track(1, "OTHER", record_bytes=100),)),
    "a declaration behind the first record": Packed(first=track(5, "OTHER", record_bytes=1)),
    "a device behind the first record": Packed(between=device(2, "Primus")),
    "a device that is not there": Packed(declared=(track(5, "OTHER", device_id=9, record_bytes=1),)),
    "a malformed packet": Packed(first=packet(1, b"")),
    "a malformed declaration": Packed(declared=(packet(0, b"\1\2\3"),)),
    "a record of no track": Packed(first=numeric(77, T, 1)),
    "a record without a time": Packed(first=numeric(2, math.nan, 1)),
    "a record of the second day": Packed(first=text(4, T + HOURS_48 + 1, "x")),
    "a record long before the start": Packed(first=text(4, T + SECONDS - 1 - HOURS_48 - 1, "x")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_recording_that_departs_from_the_layout_is_read_to_its_end(name: str) -> None:
    data = BROKEN[name].file()
    wanted = WANTED | {"HR"} if "without its size" in name else WANTED
    one = read(data, wanted)
    assert not one.loss.rest_not_examined
    assert one.loss.bytes_in == len(data)
    assert one.loss == read(data, wanted, may_stop=False).loss


def test_without_a_wanted_track_everything_is_read() -> None:
    assert not read(Packed().file(), {"Primus/CO2"}).loss.rest_not_examined


def test_what_stands_just_within_the_bounds_does_not_keep_from_stopping() -> None:
    assert read(Packed(start=T - HOURS_48 + SECONDS).file()).loss.rest_not_examined
    assert read(Packed(first=text(4, T + SECONDS - 1 - HOURS_48, "x")).file()).loss.rest_not_examined
    assert read(Packed(declared=(track(5, "BARE", kind=WAVE), packet(10, b"raw"))).file()).loss.rest_not_examined


def test_damage_behind_the_stop_is_not_seen_and_before_it_is() -> None:
    data = Packed().file()
    flipped = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
    stopped = read(flipped)
    assert_same_signals(stopped, read(data))
    assert stopped.loss.rest_not_examined
    with pytest.raises(ContentError, match="damaged"):
        read(flipped, may_stop=False)
    cut = data[: len(data) // 2]
    assert (read(cut).loss.rest_not_examined, read(cut).loss.truncated) == (True, False)
    assert read(cut, may_stop=False).loss.truncated
    early = data[:20_000]
    assert (read(early).loss.rest_not_examined, read(early).loss.truncated) == (False, True)


@pytest.mark.parametrize(
    ("behind", "counted"),
    [
        (numeric(1, T + SECONDS, 99), lambda recording: len(recording.tracks["Solar8000/HR"].times)),
        (track(6, "HR", unit="furlong"), lambda recording: len(recording.tracks["Solar8000/HR"].units)),
        (text(4, T - HOURS_48, "x"), lambda recording: -len(recording.tracks["Solar8000/HR"].times)),
    ],
)  # fmt: skip
def test_what_a_recording_hides_behind_its_waves_is_not_seen(
    behind: bytes, counted: Callable[[Recording], int]
) -> None:
    """The price, as docs/reading-recordings.md states it: only a file that breaks its own word pays it."""
    data = Packed(behind=behind).file()
    assert counted(read(data)) < counted(read(data, may_stop=False))


class CountingSource:
    """A source of one file that counts what it hands over."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.handed = 0

    def list_objects(self) -> list[tuple[str, int]]:
        return [("0001.vital", len(self.data))]

    def read(self, key: str, piece_bytes: int = 65_536) -> Iterator[bytes]:
        for piece in chopped(self.data, piece_bytes):
            self.handed += len(piece)
            yield piece


def test_runs_stop_and_inspect_reads_everything(tmp_path: Path) -> None:
    data = Packed().file()
    source = CountingSource(data)
    case = Case("0001", 1, "1", 1, "0001.vital", len(data), 1)
    result = build_workload("vitaldb", {}).process(case, source)
    assert result.outcome is Outcome.DONE
    assert source.handed < len(data) / 3
    assert result.figures["loss"]["rest_not_examined"]
    (tmp_path / "0001.vital").write_bytes(data)
    loss = inspect_recording(str(tmp_path / "0001.vital"), resolve_profiles("auto"))["loss"]
    assert (loss["rest_not_examined"], loss["bytes_in"]) == (False, len(data))
