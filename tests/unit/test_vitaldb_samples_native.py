"""The compiled first steps of the grid against numpy's: the same to the bit."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.compile import PLAIN
from core.workloads.vitaldb import grid_native
from core.workloads.vitaldb.clean import Pressure, drop_contradictions
from core.workloads.vitaldb.grid import _median, hold_seconds, places, resample, take
from core.workloads.vitaldb.grid_native import LIBRARY

pytestmark = pytest.mark.skipif(not LIBRARY.path.exists(), reason="nothing could be compiled on this machine")

Found = TypeVar("Found")

some_times = st.lists(
    st.one_of(st.floats(-50, 60), st.integers(-3, 40).map(float), st.sampled_from([-0.0, 0.999, 1e300, -1e300])),
    max_size=40,
).map(sorted)
intervals = st.one_of(
    st.sampled_from([0.0, 2.0, 2.0, 7.0]), st.floats(0, 10), st.floats(1.9999, 2.0001), st.floats(0, 1e9)
)


def both_ways(work: Callable[[], Found]) -> tuple[Found, Found]:
    """With the library, and without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLAIN, "1")
        assert LIBRARY.usable() is None
        plain = work()
        patch.setenv(PLAIN, "0")
        assert LIBRARY.usable() is not None
        return work(), plain


@given(times=some_times, hold_s=st.floats(2, 600), length=st.integers(0, 50), chosen=st.randoms(use_true_random=False))
def test_any_resampling(times: list[float], hold_s: float, length: int, chosen: random.Random) -> None:
    recorded = np.array(times, np.float64)
    valid = np.array([chosen.random() < 0.8 for _ in times], np.bool_)
    values = np.arange(len(times)) * 1.5 - 3

    def work() -> tuple[bytes, bytes, bytes]:
        row = np.full(length, 7.0)
        where = places(recorded, valid, hold_s, length)
        take([(values, where, row)])
        assert row.tobytes() == resample(recorded[valid], values[valid], hold_s, length).tobytes()
        return row.tobytes(), where.tobytes(), places(recorded, None, hold_s, length).tobytes()

    native, plain = both_ways(work)
    assert native == plain


@settings(max_examples=300)
@given(found=st.lists(intervals, max_size=300), seed=st.integers(0, 2**32 - 1), times=st.integers(1, 5))
def test_any_median(found: list[float], seed: int, times: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(np.repeat(np.array(found), times))
    recorded = np.concatenate([[0.0], np.cumsum(shuffled)])
    native, plain = both_ways(lambda: hold_seconds(recorded))
    assert native == plain
    if len(recorded) > 1:
        assert grid_native.median_interval(LIBRARY.load(), recorded) == np.median(np.diff(recorded))


@pytest.mark.parametrize("count", [2, 3, 4, 9, 10, 17, 1000, 20_001])
@pytest.mark.parametrize("kind", ["equal", "rising", "falling", "steps", "two"])
def test_medians_of_intervals_in_an_order(count: int, kind: str) -> None:
    place = np.arange(count - 1, dtype=float)
    found = {"equal": place * 0 + 2, "rising": place, "falling": place[::-1], "steps": place // 7, "two": place % 2}[
        kind
    ]
    times = np.concatenate([[0.0], np.cumsum(found)])
    assert grid_native.median_interval(LIBRARY.load(), times) == np.median(np.diff(times))


def test_where_the_median_takes_too_long_numpy_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    times = np.cumsum(np.random.default_rng(1).random(5000) * 100)
    expected = _median(np.diff(times))
    assert grid_native.median_interval(LIBRARY.load(), times) == expected
    monkeypatch.setattr(grid_native, "_MEDIAN_ROUNDS", 2)
    assert grid_native.median_interval(LIBRARY.load(), times) is None
    assert hold_seconds(times) == expected * 1.5
    # What has no order at all must not go on for ever, nor lead out of the array.
    monkeypatch.setattr(grid_native, "_MEDIAN_ROUNDS", 64)
    assert grid_native.median_interval(LIBRARY.load(), np.full(100, np.nan)) is None


pressures = st.lists(
    st.tuples(
        st.integers(-2, 12),
        st.sampled_from([60.0, 80.0, 82.0, 82.1, 90.0, 120.0, np.nan, np.inf, -np.inf]),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=30,
).map(lambda found: sorted(found, key=lambda sample: sample[0]))


def pressure(samples: list[tuple[int, float, bool]]) -> Pressure:
    seconds, values, valid = zip(*samples, strict=True) if samples else ((), (), ())
    return np.array(seconds, np.int64), np.array(values, np.float64), np.array(valid, np.bool_)


@settings(max_examples=400)
@given(systolic=pressures, diastolic=pressures, mean=pressures)
def test_any_contradictions(
    systolic: list[tuple[int, float, bool]],
    diastolic: list[tuple[int, float, bool]],
    mean: list[tuple[int, float, bool]],
) -> None:
    def work() -> tuple[list[int], list[list[bool]]]:
        found = [pressure(systolic), pressure(diastolic), pressure(mean)]
        return drop_contradictions(found), [valid.tolist() for _, _, valid in found]

    native, plain = both_ways(work)
    assert native == plain


def test_a_track_that_is_two_pressures() -> None:
    def work() -> tuple[list[int], list[bool]]:
        seconds, values, valid = pressure([(1, 80.0, True), (2, 90.0, True), (2, 70.0, True), (3, 80.0, True)])
        found = drop_contradictions(
            [(seconds, values, valid), (seconds, values + np.array([0, 0, 5, 0]), valid), (seconds, values, valid)]
        )
        return found, valid.tolist()

    native, plain = both_ways(work)
    assert native == plain == ([2, 0, 0], [True, False, False, True])


@pytest.mark.parametrize("seed", range(5))
def test_long_recordings_of_pressures(seed: int) -> None:
    chance = np.random.default_rng(seed)

    def one(level: float) -> list[tuple[int, float, bool]]:
        times = np.cumsum(chance.choice([0, 1, 2, 2, 2, 30], 3000))
        return [(int(time), level + float(chance.normal(0, 20)), bool(chance.random() < 0.9)) for time in times]

    parts = [one(120), one(70), one(90)]

    def work() -> tuple[list[int], list[bytes]]:
        found = [pressure(part) for part in parts]
        return drop_contradictions(found), [valid.tobytes() for _, _, valid in found]

    native, plain = both_ways(work)
    assert native == plain
    assert min(native[0]) > 0


def test_rows_that_are_taken_together() -> None:
    chance = np.random.default_rng(3)
    tracks = [(chance.random(20), chance.integers(-1, 20, 50).astype(np.int32)) for _ in range(4)]

    def work() -> bytes:
        rows = np.full((len(tracks), 50), 7.0)
        take([(*one, row) for one, row in zip(tracks, rows, strict=True)])
        take([])
        return rows.tobytes()

    native, plain = both_ways(work)
    assert native == plain
    with pytest.raises(ValueError, match="lengths"):
        grid_native.take(LIBRARY.load(), [(*tracks[0], np.empty(50)), (*tracks[1], np.empty(49))])
