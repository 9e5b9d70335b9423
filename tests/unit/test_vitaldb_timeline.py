"""Tracks with the same times share what follows from them; the grid is the same as without sharing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.recording.collect import Samples, settle
from core.workloads.vitaldb.grid import hold_seconds, resample, take
from core.workloads.vitaldb.timeline import Timelines


def samples(name: str, times: list[float]) -> Samples:
    count = len(times)
    return Samples(name, np.array(times), np.arange(count, dtype=float), ("",), np.zeros(count, np.int16))


def test_tracks_with_the_same_rising_times_share_them() -> None:
    settled = settle(
        [samples("a", [0, 2, 4]), samples("b", [0, 2, 4]), samples("d", [0, 2, 4]), samples("c", [0, 3, 4])], 0.0
    )
    times = {name: track.times for name, track in settled.tracks.items()}
    assert times["a"] is times["b"]
    assert times["a"] is times["d"]
    assert times["c"] is not times["a"]
    assert settled.largest_gap_s == 2.0
    assert (settled.kept, settled.duplicate_times, settled.backward_times) == (12, 0, 0)


def test_what_is_wrong_with_times_is_counted_for_each_track() -> None:
    twice = [0.0, 2.0, 2.0, 1.0, 4.0]
    settled = settle([samples("a", twice), samples("b", twice)], 0.0)
    assert (settled.duplicate_times, settled.backward_times) == (2, 2)
    assert settled.tracks["b"].times.tolist() == [0, 1, 2, 2, 4]


def test_late_samples_are_counted_for_each_track() -> None:
    late = [0.0, 2.0, 200_000.0]
    settled = settle([samples("a", late), samples("b", late)], 0.0)
    assert settled.late == 2
    assert settled.tracks["b"].times.tolist() == [0, 2]


def test_one_timeline_for_one_array() -> None:
    recorded = np.array([100.0, 102.0, 104.5])
    timelines = Timelines(100.0)
    one = timelines.of(recorded)
    assert timelines.of(recorded) is one
    assert timelines.of(recorded.copy()) is not one
    assert one.seconds.tolist() == [0, 2, 4]
    assert one.hold_s == hold_seconds(recorded)


def test_the_grid_of_a_timeline() -> None:
    recorded = np.array([10.5, 12.0, 19.0])
    values = np.array([1.0, 2.0, 3.0])
    timeline = Timelines(10.0).of(recorded)
    grid = np.empty(12)
    take([(values, timeline.places(12), grid)])
    np.testing.assert_array_equal(grid, resample(recorded - 10.0, values, hold_seconds(recorded), 12))
    assert timeline.places(12) is timeline.places(12)
    assert len(timeline.places(3)) == 3


@given(
    st.integers(2, 6000),
    st.sampled_from([0.0, 0.001, 0.3, 1.0]),
    st.floats(0.0, 1.0),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=200)
def test_the_hold_follows_the_median_interval(count: int, jitter: float, silent: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    intervals = 2.0 + jitter * random.standard_normal(count)
    intervals[random.random(count) < silent * 0.6] = random.choice([0.0, 2.0, 7.0, 500.0])
    times = np.cumsum(np.abs(intervals))
    assert hold_seconds(times) == min(max(1.5 * float(np.median(np.diff(times))), 2.0), 600.0)
