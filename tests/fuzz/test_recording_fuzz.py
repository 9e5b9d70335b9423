"""Mutated recordings: only a recording or a ``ContentError`` may come out, soon, and without memory left behind."""

from __future__ import annotations

import gc
import gzip
import io
import random
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ContentError
from core.recording.read import read_recording
from tests.recording_bytes import chopped, device, header, numeric, packet, text, track, wave

pytestmark = pytest.mark.usefixtures("either_walk")

SLOWEST_S = 10.0
FOLDER = Path(__file__).parent.parent / "data" / "vital"
WANTED = {"Solar8000/HR", "Solar8000/X3", "Intellivue/HR", "Intellivue/ABP_MEAN"}


def small() -> bytes:
    parts = [header(27, start=1e9), device(1, "Solar8000"), track(7, "HR", unit="/min"), track(8, "W", kind=1, code=5)]
    parts += [track(10 + code, f"X{code}", code=code, gain=0.5) for code in range(1, 9)]
    for second in range(20):
        parts += [numeric(7, 1e9 + second, 80), wave(8, 1e9 + second), packet(6, b"\5\0\0"), text(9, 1e9, "x")]
        parts += [numeric(10 + code, 1e9 + second, 50, code) for code in range(1, 9)]
    return b"".join(parts)


SMALL = small()
REAL = gzip.decompress((FOLDER / "test_intellivue_demo1.vital").read_bytes())


def outcome(key: str, data: bytes, wanted: set[str] | None, size: int = 65536) -> str:
    began = time.perf_counter()
    try:
        recording = read_recording(key, chopped(data, size), wanted)
    except ContentError as error:
        result = error.code
    else:
        result = "read"
        for one in recording.tracks.values():
            assert len(one.times) == len(one.values) == len(one.unit_of)
            assert np.all(np.diff(one.times) >= 0)
            assert not np.isinf(one.values).any()
            assert not len(one.unit_of) or one.unit_of.max() < len(one.units)
        loss = recording.loss
        assert loss.records_kept == sum(len(one.times) for one in recording.tracks.values())
        assert loss.records_read == loss.records_kept + loss.records_unwanted + loss.records_late
        assert loss.seconds >= 0
        assert loss.bytes_in == len(data)
    assert time.perf_counter() - began < SLOWEST_S
    return result


def mutated(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(out))
        change = rng.randrange(5)
        if change == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            out[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", bytes(4), b"\0\0\x10\0", rng.randbytes(4)])
        elif change == 2:
            del out[at : at + rng.choice([1, 2, 5, 100])]
        elif change == 3:
            out[at:at] = rng.randbytes(rng.choice([1, 4, 50]))
        else:
            out[at:at] = out[at : at + rng.randrange(200)]
        out = out or bytearray(1)
    return bytes(out)


def test_mutated_packets() -> None:
    rng = random.Random(1)
    seen: dict[str, int] = {}
    for number in range(1600):
        content = SMALL if number % 4 else REAL
        data = gzip.compress(mutated(rng, content), 1, mtime=0)
        result = outcome("a.vital", data, WANTED if number % 2 else None, rng.choice([100, 65536]))
        seen[result] = seen.get(result, 0) + 1
    assert seen["read"] > 200
    assert seen["unreadable"] > 20


def test_mutated_gzip() -> None:
    rng = random.Random(2)
    good = gzip.compress(SMALL, 6, mtime=0)
    results = [outcome("a.vital", mutated(rng, good), None) for _ in range(800)]
    assert results.count("unreadable") > 400
    for at in range(10, len(good)):
        flipped = flip(good, at)
        # Damage that hides the end of the data cannot be told from a cut, and some bits pad: never else.
        if outcome("a.vital", flipped, None) == "read":
            truncated = read_recording("a.vital", [flipped], None).loss.truncated
            assert truncated or gzip.decompress(flipped) == SMALL


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def test_cuts() -> None:
    whole = read_recording("a.vital", [gzip.compress(SMALL, mtime=0)], None)
    for end in range(0, len(SMALL), 3):
        data = gzip.compress(SMALL[:end], 1, mtime=0)
        if outcome("a.vital", data, None) == "read":
            part = read_recording("a.vital", [data], None)
            for name, one in part.tracks.items():
                np.testing.assert_array_equal(one.times, whole.tracks[name].times[: len(one.times)])
    good = gzip.compress(SMALL, 6, mtime=0)
    for end in range(len(good)):
        if outcome("a.vital", good[:end], None) == "read":
            assert read_recording("a.vital", [good[:end]], None).loss.truncated


@settings(max_examples=300, deadline=None, derandomize=True)
@given(body=st.binary(max_size=400), prefix=st.sampled_from([b"", header(), SMALL[:200]]), compress=st.booleans())
def test_any_bytes(body: bytes, prefix: bytes, compress: bool) -> None:
    data = gzip.compress(prefix + body, mtime=0) if compress else prefix + body
    assert outcome("a.vital", data, None) in ("read", "unreadable")


def test_nothing_is_left_in_memory() -> None:
    rng = random.Random(3)

    def round_of(count: int) -> None:
        for _ in range(count):
            outcome("a.vital", gzip.compress(mutated(rng, SMALL), 1, mtime=0), None)

    round_of(50)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    round_of(150)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 1 << 20


def tables() -> dict[str, bytes]:
    columns = {"Time": np.arange(300.0), "Solar8000/HR": np.linspace(50, 90, 300), "Solar8000/X3": np.ones(300)}
    rows = "".join(f"{second},{80 + second % 9},1.5\n" for second in range(300))
    out = {"a.csv": f"Time,Solar8000/HR,Solar8000/X3\n{rows}".encode()}
    out["a.csv.gz"] = gzip.compress(out["a.csv"], mtime=0)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=100)
    out["a.parquet"] = sink.getvalue()
    return out


@pytest.mark.parametrize(("key", "data"), tables().items())
def test_mutated_tables(key: str, data: bytes) -> None:
    rng = random.Random(4)
    results = [outcome(key, mutated(rng, data), WANTED if number % 2 else None) for number in range(400)]
    results += [outcome(key, data[:end], WANTED) for end in range(0, len(data), 37)]
    assert set(results) == {"read", "unreadable"}


def test_real_files_cut_and_flipped() -> None:
    rng = random.Random(5)
    for path in sorted(FOLDER.glob("*.vital")):
        data = path.read_bytes()
        for _ in range(15):
            assert outcome("a.vital", data[: rng.randrange(2000, len(data))], None) == "read"
            assert outcome("a.vital", flip(data, rng.randrange(10, len(data))), None) == "unreadable"
