"""Recordings made to hurt, and one as large as real ones: bounded time, bounded memory, each in its own process."""

from __future__ import annotations

import gzip
import json
import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from core.recording.read import read_recording
from tests.recording_bytes import device, header, numeric, packet, record, track, wave

ROOT = Path(__file__).parents[2]
T = 1_500_000_000.0
HEAD = header() + device(1, "Solar8000") + track(7, "HR") + numeric(7, T, 80)
GIGABYTE = 10**9

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("either_walk")]

_MEASURE = """
import json, sys, time
from core.errors import ContentError
from core.recording.read import read_recording
from tests.functional.test_recording_hostile import CASES

def peak_mib():
    # ru_maxrss would start from the peak of the process that started this one.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024

read_recording("warm.vital", CASES["plain"](), None)
before, began = peak_mib(), time.process_time()
try:
    loss = read_recording("hostile.vital", CASES[sys.argv[1]](), None).loss
    result = {"records": loss.records_read, "truncated": loss.truncated}
except ContentError as error:
    result = {"code": error.code, "what": error.what}
result["seconds"] = time.process_time() - began
result["grown_mib"] = peak_mib() - before
print(json.dumps(result))
"""


def streamed(parts: Iterator[bytes], level: int = 1) -> Iterator[bytes]:
    """One gzip member from a generator, never whole in memory."""
    compressor = zlib.compressobj(level, wbits=31)
    for part in parts:
        if piece := compressor.compress(part):
            yield piece
    yield compressor.flush()


def zeros(size: int) -> Iterator[bytes]:
    """Gzip members of zeros, ten megabytes each: about ten kilobytes compressed."""
    member = gzip.compress(bytes(10_000_000), mtime=0)
    for _ in range(size // 10_000_000):
        yield member


def plain() -> Iterator[bytes]:
    yield gzip.compress(HEAD, mtime=0)


def four_gigabyte_length() -> Iterator[bytes]:
    noise = random.Random(1).randbytes(1 << 20)
    yield from streamed(iter([HEAD, packet(1, noise, length=0xFFFFFFFF), *[noise] * 1000]), level=0)


def four_gigabyte_string() -> Iterator[bytes]:
    body = struct.pack("<HBBI", 8, 2, 1, 0xFFFFFFFF)
    yield from streamed(iter([HEAD, packet(0, body), numeric(7, T + 1, 81)]))


def gigabyte_string() -> Iterator[bytes]:
    body = struct.pack("<HBBI", 8, 2, 1, GIGABYTE)
    yield from streamed(
        iter([HEAD, packet(0, body, length=8 + GIGABYTE), *[bytes(10**7)] * 100, numeric(7, T + 1, 81)])
    )


def nine_figure_time() -> Iterator[bytes]:
    yield gzip.compress(HEAD + numeric(7, T + 999_999_999.0, 1) + numeric(7, T + 10, 81), mtime=0)


def million_tracks() -> Iterator[bytes]:
    yield from streamed(chain([HEAD], (track(number % 65536, f"TRACK{number}") for number in range(1_000_000))))


def million_long_tracks() -> Iterator[bytes]:
    tracks = (track(number % 65536, f"{number:01024}", unit="u" * 1024) for number in range(100_000))
    yield from streamed(chain([HEAD], tracks))


def million_devices() -> Iterator[bytes]:
    yield from streamed(chain([HEAD], (device(number, f"D{number}") for number in range(1_000_000))))


def redeclared_between_records() -> Iterator[bytes]:
    both = track(7, "HR") + numeric(7, T, 80)
    yield from streamed(iter([HEAD, *[both * 1000] * 90]))


def bomb_of_malformed_packets() -> Iterator[bytes]:
    yield gzip.compress(HEAD, mtime=0)
    yield from zeros(10 * GIGABYTE)


def bomb_inside_one_packet() -> Iterator[bytes]:
    yield gzip.compress(HEAD + packet(10, b"", length=0xFFFFFFFF), mtime=0)
    yield from zeros(10 * GIGABYTE)


def bomb_of_unknown_packets() -> Iterator[bytes]:
    yield gzip.compress(HEAD, mtime=0)
    member = gzip.compress(packet(255, b"") * 2_000_000, mtime=0)
    for _ in range(1000):
        yield member


def bomb_of_records() -> Iterator[bytes]:
    yield gzip.compress(HEAD, mtime=0)
    member = gzip.compress(numeric(7, T + 1, 1) * 500_000, mtime=0)
    for _ in range(400):
        yield member


def gigabyte_wave() -> Iterator[bytes]:
    noise = random.Random(2).randbytes(10**6)
    # Stored, not compressed: noise does not shrink, and level 0 takes no time.
    parts = [header(27, packed=1), HEAD[20:], track(8, "ART", kind=1, code=5, rate=500.0)]
    body = struct.pack("<HdHI", 10, T + 5, 8, GIGABYTE // 2)
    parts += [packet(1, body, length=len(body) + GIGABYTE), *[noise] * 1000, numeric(7, T + 9, 81)]
    yield from streamed(iter(parts), level=0)


def flat_gigabyte_wave() -> Iterator[bytes]:
    body = struct.pack("<HdHI", 10, T + 5, 8, GIGABYTE // 2)
    parts = [HEAD, track(8, "ART", kind=1, code=5), packet(1, body, length=len(body) + GIGABYTE)]
    yield from streamed(iter([*parts, *[bytes(10**6)] * 1000, numeric(7, T + 9, 81)]))


def most_records() -> Iterator[bytes]:
    """As many wanted records as are taken at all, of noise, in disorder."""
    rng = random.Random(4)
    parts = [b"".join(numeric(7, T + rng.random() * 1e5, rng.random()) for _ in range(10_000)) for _ in range(10)]
    yield from streamed(chain([HEAD], (parts[number % 10] for number in range(399))), level=0)


def three_hours() -> Iterator[bytes]:
    """As many packets and bytes as a case of three hours: 40 numeric tracks, 8 waves, 77 MB."""
    rng = random.Random(3)
    samples = rng.randbytes(1400)
    parts = [header(), device(1, "Solar8000"), *(track(number, f"N{number}") for number in range(40))]
    parts += [track(100 + number, f"W{number}", kind=1, code=5, rate=500.0) for number in range(5)]
    for second in range(10_800):
        parts += [
            numeric(number, T + second, rng.random()) for number in range(40) if second % 2 == number % 2 or number < 8
        ]
        parts += [record(100 + number, T + second, struct.pack("<I", 700) + samples) for number in range(5)]
    yield gzip.compress(b"".join(parts) + wave(100, T + 10_800), 1, mtime=0)


CASES: dict[str, Callable[[], Iterator[bytes]]] = {
    function.__name__: function
    for function in (
        plain, four_gigabyte_length, four_gigabyte_string, gigabyte_string, nine_figure_time, million_tracks,
        million_long_tracks, million_devices, redeclared_between_records, bomb_of_malformed_packets,
        bomb_inside_one_packet, bomb_of_unknown_packets, bomb_of_records, gigabyte_wave, flat_gigabyte_wave,
        three_hours, most_records,
    )
}  # fmt: skip

READABLE = {
    "plain": (1, False),
    "four_gigabyte_length": (1, True),
    "four_gigabyte_string": (2, False),
    "gigabyte_string": (2, False),
    "nine_figure_time": (3, False),
    "redeclared_between_records": (90_001, False),
    "gigabyte_wave": (3, False),
    "most_records": (3_990_001, False),
    "flat_gigabyte_wave": (3, False),
}


def measure(name: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, name], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    result: dict[str, object] = json.loads(done.stdout)
    sys.stdout.write(f"{name} {result}\n")
    return result


@pytest.mark.parametrize("name", [name for name in CASES if name != "three_hours"])
def test_hostile_recordings_end_in_bounded_time_and_memory(name: str) -> None:
    result = measure(name)
    assert result["seconds"] < 10  # type: ignore[operator]
    assert result["grown_mib"] < 256  # type: ignore[operator]
    if name in READABLE:
        assert (result["records"], result["truncated"]) == READABLE[name]
    else:
        assert result["code"] == "unreadable"


def test_three_hours_are_read_in_seconds() -> None:
    pieces = list(three_hours())
    began = time.process_time()
    recording = read_recording("a.vital", pieces, {"Solar8000/N1", "Solar8000/N30"})
    seconds = time.process_time() - began
    sys.stdout.write(f"{seconds:.2f} s for {recording.loss.packets} in {recording.loss.bytes_out:,} bytes\n")
    assert recording.loss.records_read == 10_800 * 29 + 1
    assert seconds < 10
