"""Random recordings against a record-by-record model of the format, however their bytes arrive."""

from __future__ import annotations

import dataclasses
import gzip
import math
import struct
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.recording.model import MAXIMUM_SPAN_S, Recording
from core.recording.vital import read_vital
from tests.recording_bytes import CODES, chopped, device, header, packet, record, track

pytestmark = pytest.mark.usefixtures("either_walk")

SENTINELS = {3: -128, 4: 255, 5: -32768, 6: 65535, 7: -(2**31), 8: 2**32 - 1}
RANGES = {3: (-128, 127), 4: (0, 255), 5: (-32768, 32767), 6: (0, 65535), 7: (-(2**31), 2**31 - 1), 8: (0, 2**32 - 1)}


@dataclass(frozen=True)
class Declare:
    number: int
    device: int
    name: str
    kind: int
    code: int
    unit: str
    gain: float
    offset: float


@dataclass(frozen=True)
class Record:
    number: int
    time: float
    raw: bytes


@dataclass(frozen=True)
class Device:
    number: int
    name: str


def same(one: Recording, other: Recording) -> None:
    for field in dataclasses.fields(Recording):
        if field.name == "tracks":
            continue
        np.testing.assert_equal(getattr(one, field.name), getattr(other, field.name))
    assert list(one.tracks) == list(other.tracks)
    for name, track_ in one.tracks.items():
        assert track_.units == other.tracks[name].units
        for column in ("times", "values", "unit_of"):
            np.testing.assert_array_equal(getattr(track_, column), getattr(other.tracks[name], column))


def model(events: list[Declare | Record | Device]) -> tuple[dict[str, list[tuple[float, float, str]]], float]:
    """Every numeric track's samples as (time, value, unit), sorted, and the earliest record."""
    devices: dict[int, str] = {}
    declared: list[tuple[Declare, list[str]]] = []
    in_force: dict[int, int] = {}
    records: list[tuple[int, Record]] = []
    for event in events:
        if isinstance(event, Device):
            devices[event.number] = event.name
            for one, name in declared:
                if not name and one.device == event.number:
                    name.append(f"{event.name}/{one.name}")
        elif isinstance(event, Declare):
            known = [f"{devices[event.device]}/{event.name}"] if event.device in devices else []
            in_force[event.number] = len(declared)
            declared.append((event, known))
        elif event.number in in_force and math.isfinite(event.time):
            records.append((in_force[event.number], event))
    earliest = min((one.time for _, one in records), default=math.nan)
    tracks: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for one, name in declared:
        if one.kind == 2:
            tracks[name[0] if name else one.name] += []
    for index, one_record in records:
        one, name = declared[index]
        if one.kind == 2 and one_record.time - earliest <= MAXIMUM_SPAN_S:
            tracks[name[0] if name else one.name].append((one_record.time, value_of(one, one_record.raw), one.unit))
    return {name: sorted(samples, key=lambda sample: sample[0]) for name, samples in tracks.items()}, earliest


def value_of(one: Declare, raw: bytes) -> float:
    (value,) = struct.unpack_from(CODES[one.code], raw)
    if one.code > 2:
        value = math.nan if value == SENTINELS[one.code] else value * one.gain + one.offset
    return value if math.isfinite(value) else math.nan


def to_bytes(event: Declare | Record | Device) -> bytes:
    if isinstance(event, Device):
        return device(event.number, "", event.name)
    if isinstance(event, Record):
        return record(event.number, event.time, event.raw)
    return track(
        event.number, event.name, kind=event.kind, code=event.code, unit=event.unit, gain=event.gain,
        offset=event.offset, device_id=event.device,
    )  # fmt: skip


numbers = st.integers(0, 3)
times = st.one_of(
    st.integers(0, 20).map(float), st.floats(0, 1e6), st.sampled_from([math.nan, math.inf, -1e9, 172_800.0, 172_801.0])
)
extremes = st.sampled_from([struct.pack(CODES[code], end).ljust(8, b"\0") for code in RANGES for end in RANGES[code]])
events = st.one_of(
    st.builds(
        Declare, numbers, numbers, st.sampled_from(["HR", "SPO2"]), st.sampled_from([1, 2, 2, 2, 5]), st.integers(1, 8),
        st.sampled_from(["", "%", "mmHg"]), st.sampled_from([1.0, 0.1, -3.0]), st.sampled_from([0.0, 40.0]),
    ),
    st.builds(Device, numbers, st.sampled_from(["A", "B"])),
    st.builds(Record, numbers, times, st.binary(min_size=8, max_size=9)),
    st.builds(Record, numbers, times, extremes),
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    events=st.lists(events, max_size=60),
    size=st.integers(1, 400),
    members=st.integers(1, 4),
    filler=st.sampled_from([0, 0, 70_000]),
)
def test_round_trip(events: list[Declare | Record | Device], size: int, members: int, filler: int) -> None:
    content = header() + b"".join(to_bytes(event) + (packet(10, bytes(filler)) if filler else b"") for event in events)
    step = len(content) // members + 1
    data = b"".join(gzip.compress(content[at : at + step], 1, mtime=0) for at in range(0, len(content), step))
    recording = read_vital([data], None)
    tracks, earliest = model(events)
    np.testing.assert_equal(recording.earliest, earliest)
    assert set(recording.tracks) == set(tracks)
    for name, samples in tracks.items():
        got = recording.tracks[name]
        assert got.times.tolist() == [time for time, _, _ in samples]
        np.testing.assert_array_equal(got.values, [value for _, value, _ in samples])
        assert [got.units[unit] for unit in got.unit_of] == [unit for _, _, unit in samples]
    same(recording, read_vital(chopped(data, size), None))
    for name in tracks:
        alone = read_vital(chopped(data, size), {name})
        assert alone.earliest == recording.earliest or math.isnan(earliest)
        np.testing.assert_array_equal(alone.tracks[name].values, recording.tracks[name].values)
        np.testing.assert_array_equal(alone.tracks[name].times, recording.tracks[name].times)
        assert alone.loss.records_read == recording.loss.records_read
        assert alone.loss.seconds == recording.loss.seconds
