"""The longest gap between the records of all tracks, against one sort of all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.recording import collect
from core.recording.collect import Samples, settle

some_times = st.lists(
    st.one_of(st.integers(-20, 60).map(float), st.floats(-20, 60), st.sampled_from([0.0, -0.0, 1e5, -1e5])), max_size=30
)


def gap(tracks: list[list[float]]) -> float:
    """As settling tells it, all tracks in time."""
    samples = (
        Samples(str(number), np.array(times, float), np.zeros(len(times)), ("",), np.zeros(len(times), np.int16))
        for number, times in enumerate(tracks)
    )
    return settle(samples, min([0.0, *(time for times in tracks for time in times)])).largest_gap_s


def sorted_gap(tracks: list[list[float]]) -> float:
    merged = np.sort(np.concatenate([np.zeros(0), *tracks]))
    return float(np.diff(merged).max()) if len(merged) > 1 else 0.0


@settings(max_examples=300)
@given(tracks=st.lists(some_times, max_size=5), few=st.integers(0, 3))
def test_any_tracks(tracks: list[list[float]], few: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert gap(tracks) == sorted_gap(tracks)
        patch.setattr(collect, "_FEW", few)
        assert gap(tracks) == sorted_gap(tracks)


@pytest.mark.parametrize("gone", [(0, 0), (0, 400), (500, 900), (2600, 3000), (0, 3000)])
@pytest.mark.parametrize("beside", [0.3, 7.0, 600.0])
def test_a_device_that_is_off_for_some_time_beside_others(gone: tuple[int, int], beside: float) -> None:
    chance = np.random.default_rng(1)
    every = np.arange(3000) + chance.random(3000) / 4
    tracks = [
        [*every[: gone[0]], *every[gone[1] :]],
        np.arange(-30, 3200, beside).tolist(),
        np.sort(chance.random(20) * 3000).tolist(),
    ]
    assert gap(tracks) == sorted_gap(tracks)
