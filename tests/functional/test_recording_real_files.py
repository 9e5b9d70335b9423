"""Three real recordings (tests/data/vital), read completely and held against two other readings of them."""

from __future__ import annotations

import gzip
import struct
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import vitaldb

from core.recording.read import read_recording
from tests.recording_bytes import CODES, chopped

pytestmark = pytest.mark.usefixtures("either_walk")

FOLDER = Path(__file__).parent.parent / "data" / "vital"
FILES = sorted(FOLDER.glob("*.vital"))


def slow_reading(path: Path) -> tuple[Counter[int], dict[str, list[tuple[float, float]]], list[float]]:
    """Packets by type, numeric samples by name, and the times of all records, struct by struct."""
    data = gzip.decompress(path.read_bytes())
    at = 10 + struct.unpack_from("<H", data, 8)[0]
    packets: Counter[int] = Counter()
    names: dict[int, tuple[str, int, int]] = {}
    devices: dict[int, str] = {}
    samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
    times = []
    while at < len(data):
        kind, length = struct.unpack_from("<BI", data, at)
        body = data[at + 5 : at + 5 + length]
        packets[kind] += 1
        at += 5 + length
        if kind == 9:
            strings, place = [], 4
            while place < len(body):
                size = struct.unpack_from("<I", body, place)[0]
                strings.append(body[place + 4 : place + 4 + size].decode())
                place += 4 + size
            devices[struct.unpack_from("<I", body)[0]] = strings[1] or strings[0]
        elif kind == 0:
            number, what, code = struct.unpack_from("<HBB", body)
            size = struct.unpack_from("<I", body, 4)[0]
            name = body[8 : 8 + size].decode()
            unit_size = struct.unpack_from("<I", body, 8 + size)[0]
            owner = struct.unpack_from("<I", body, 8 + size + 4 + unit_size + 33)[0]
            names[number] = (f"{devices[owner]}/{name}" if owner in devices else name, what, code)
        elif kind == 1:
            info, time, number = struct.unpack_from("<HdH", body)
            name, what, code = names[number]
            times.append(time)
            if what == 2:
                samples[name].append((time, struct.unpack_from(CODES[code], body, 2 + info)[0]))
    return packets, samples, times


def test_the_files_are_there_with_their_licence() -> None:
    assert len(FILES) == 3
    assert "MIT License" in (FOLDER / "LICENSE").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_against_a_slow_reading(path: Path) -> None:
    packets, samples, times = slow_reading(path)
    recording = read_recording(path.name, chopped(path.read_bytes(), 4096), None)
    loss = recording.loss
    names = {"device": 9, "track": 0, "record": 1, "command": 6, "raw": 10}
    assert loss.packets == {name: packets[kind] for name, kind in names.items()} | {"unknown": 0}
    assert loss.records_read == len(times) == packets[1]
    assert loss.records_kept == sum(map(len, samples.values())) == loss.records_read - loss.records_unwanted
    assert recording.earliest == recording.t0 == min(times)
    assert loss.seconds == max(times) - min(times)
    assert (loss.truncated, loss.trailing_bytes, loss.malformed_packets, loss.records_undeclared) == (False, 0, 0, 0)
    assert set(samples) <= set(recording.tracks)
    for name, track in recording.tracks.items():
        expected = sorted(samples[name], key=lambda sample: sample[0])
        assert list(zip(track.times.tolist(), track.values.tolist(), strict=True)) == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_against_the_usual_reader(path: Path) -> None:
    recording = read_recording(path.name, [path.read_bytes()], None)
    usual = vitaldb.VitalFile(str(path))
    assert set(recording.devices) == {name for name in usual.devs if name}
    assert {one.name for one in recording.declarations} == set(usual.trks)
    assert recording.t0 == usual.dtstart
    numeric = {name: track for name, track in usual.trks.items() if track.type == 2}
    assert set(recording.tracks) == set(numeric)
    for name, track in numeric.items():
        assert recording.tracks[name].units == (track.unit,)
        np.testing.assert_array_equal(recording.tracks[name].times, [record["dt"] for record in track.recs])
        np.testing.assert_array_equal(recording.tracks[name].values, [record["val"] for record in track.recs])
    for one in recording.declarations:
        assert one.records == len(usual.trks[one.name].recs)
        assert one.rate_hz == usual.trks[one.name].srate


def test_figures_of_the_longest_file() -> None:
    recording = read_recording("x.vital", [(FOLDER / "test_intelliue_demo2.vital").read_bytes()], {"Intellivue/HR"})
    assert recording.devices == ("Intellivue",)
    assert recording.header is not None
    assert (recording.header.version, recording.header.length, recording.header.timezone_bias_minutes) == (3, 10, -120)
    assert recording.tracks["Intellivue/HR"].units == ("/min",)
    loss = recording.loss
    assert (loss.bytes_in, loss.bytes_out, loss.records_read) == (100_988, 486_412, 6_184)
    assert 218 < loss.seconds < 219
