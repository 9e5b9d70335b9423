"""A sample's random numbers are its own, and the arithmetic on them is exact enough."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.workloads.trajectory.arithmetic import cosine_sine, logarithm, normals
from core.workloads.trajectory.streams import PARAMETERS, Purpose, uniforms

SEEDS = st.integers(0, (1 << 63) - 1)
NUMBERS = st.lists(st.integers(0, 1 << 40), min_size=1, max_size=12, unique=True).map(sorted)


def test_philox_gives_the_words_of_its_authors() -> None:
    """The known answer of Random123 for Philox 4×64-10 with key and counter 0 (numpy counts before it draws)."""
    stream = np.random.Philox(key=0, counter=np.full(4, (1 << 64) - 1, np.uint64))
    expected = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert stream.random_raw(4).tolist() == expected


@given(SEEDS, NUMBERS, st.integers(0, 255), st.sampled_from(Purpose), st.integers(1, 30))
def test_the_numbers_of_a_sample_do_not_depend_on_the_others(
    seed: int, numbers: list[int], attempt: int, purpose: Purpose, count: int
) -> None:
    together = uniforms(seed, np.array(numbers), attempt, purpose, count)
    alone = [uniforms(seed, np.array([number]), attempt, purpose, count)[0] for number in numbers]
    assert np.array_equal(together, np.array(alone))


def test_no_samples_have_no_numbers() -> None:
    assert uniforms(1, np.array([], np.int64), 0, Purpose.NOISE, 6).shape == (0, 6)


def test_samples_attempts_purposes_and_seeds_have_different_numbers() -> None:
    samples = np.arange(300)
    drawn = [
        uniforms(seed, samples, attempt, purpose, PARAMETERS)
        for seed in (0, 1)
        for attempt in (0, 1)
        for purpose in Purpose
    ]
    values = np.concatenate(drawn).reshape(-1)
    assert len(np.unique(values)) == len(values)
    assert 0.0 <= values.min() < values.max() < 1.0


@given(st.lists(st.floats(-64.0, 64.0), min_size=1, max_size=50))
def test_sine_and_cosine(turns: list[float]) -> None:
    cosine, sine = cosine_sine(np.array(turns))
    for turn, one, other in zip(turns, cosine, sine, strict=True):
        whole = math.fmod(turn, 1.0)  # exact, which 2π times many turns is not
        assert abs(one - math.cos(2 * math.pi * whole)) < 1e-15
        assert abs(other - math.sin(2 * math.pi * whole)) < 1e-15


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=50))
def test_logarithm(values: list[float]) -> None:
    for value, found in zip(values, logarithm(np.array(values)), strict=True):
        assert math.isclose(found, math.log(value), rel_tol=6e-16, abs_tol=6e-16)


def test_the_extremes_of_the_uniform_numbers_give_finite_normal_ones() -> None:
    ends = np.array([[0.0, 0.0], [1.0 - 2.0**-53, 0.0], [0.0, 1.0 - 2.0**-53], [1.0 - 2.0**-53, 0.5]])
    found = normals(ends)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 8.6
