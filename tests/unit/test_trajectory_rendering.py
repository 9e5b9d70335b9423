"""The disc: its size, place, edge and colours, pixel by pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.workloads.trajectory.dots import dot_tracks
from core.workloads.trajectory.rendering import Videos, render


def drawn(right: float, down: float, image: int = 32, channels: int = 1, radius: float = 2.56) -> Videos:
    places = np.array([[[right, down]]])
    frame: Videos = render(places, np.array([[True]]), image, channels, radius)[0, 0]
    return frame


def slowly(right: float, down: float, image: int, radius: float) -> list[list[int]]:
    """Each pixel on its own, as the specification of the disc reads."""
    rows = []
    for row in range(image):
        values = []
        for column in range(image):
            distance = math.sqrt((column + 0.5 - right) ** 2 + (row + 0.5 - down) ** 2)
            whole = min(max(radius + 0.5 - distance, 0.0), 1.0)
            inside = min(max(radius * 0.75 + 0.5 - distance, 0.0), 1.0)
            values.append(math.floor(255 * (1 - whole) + 16 * (whole - inside) + 96 * inside + 0.5))
        rows.append(values)
    return rows


PLACES = st.floats(-4.0, 36.0)


@settings(max_examples=40, deadline=None)
@given(PLACES, PLACES, st.sampled_from([16, 32]), st.sampled_from([1.28, 2.56, 5.0]))
def test_every_pixel_is_what_a_slow_reading_gives(right: float, down: float, image: int, radius: float) -> None:
    fast = drawn(right, down, image, radius=radius)[..., 0].astype(np.int64)
    # The same sum in another order may round to the neighbouring whole number.
    assert np.abs(fast - np.array(slowly(right, down, image, radius))).max() <= 1


@pytest.mark.parametrize("radius", [2.56, 5.0, 10.24])
def test_the_disc_has_the_area_of_a_circle_at_any_place(radius: float) -> None:
    for place in np.linspace(30.0, 31.0, 23):
        frame = drawn(float(place), 31.3, 64, 3, radius)
        covered = (255.0 - frame[..., 1]) / 255.0  # green is 0 in fill and rim
        assert abs(covered.sum() / (math.pi * radius**2) - 1.0) < 0.02


@given(st.floats(4.0, 28.0), st.floats(4.0, 28.0), st.sampled_from([1, 3]))
def test_the_disc_moves_by_less_than_a_pixel(right: float, down: float, channels: int) -> None:
    found = dot_tracks(drawn(right, down, channels=channels)[None, None])[0, 0]
    assert np.abs(found - [right, down]).max() < 0.06


def test_colours_of_fill_rim_and_paper() -> None:
    frame = drawn(32.0, 32.0, 64, 3, 10.0)
    assert frame[31, 31].tolist() == [255, 0, 0]
    assert frame[31, 32 + 8].tolist() == [96, 0, 0]
    assert frame[0, 0].tolist() == [255, 255, 255]
    grey = drawn(32.0, 32.0, 64, 1, 10.0)
    assert grey[31, 31, 0] > grey[31, 32 + 8, 0] == 16


def test_frames_that_are_not_drawn_stay_white_and_others_are_left_alone() -> None:
    places = np.full((2, 3, 2), 16.0)
    which: Any = np.array([[True, False, True], [False, False, True]])
    videos = render(places, which, 32, 1, 2.56)
    assert np.array_equal((videos != 255).any(axis=(2, 3, 4)), which)


def test_many_frames_are_drawn_in_pieces_as_they_are_at_once() -> None:
    places = np.random.default_rng(1).uniform(0, 64, (60, 8, 2))
    together = render(places, np.full((60, 8), True), 64, 1, 10.0)
    alone = [render(place[None], np.full((1, 8), True), 64, 1, 10.0)[0] for place in places]
    assert np.array_equal(together, np.array(alone))
