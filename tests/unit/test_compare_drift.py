"""The figures of drift, beside scipy-free oracles written the long way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.compare.drift import (
    LARGE_SHIFT,
    PSI_BINS,
    Histogram,
    Sampled,
    drift,
    kolmogorov_smirnov,
    population_stability_index,
    psi_by_chance,
    wasserstein,
)

MANY = Sampled(100_000, 100_000)
counts = st.lists(st.integers(0, 10**6), min_size=5, max_size=60)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Histogram, Histogram]:
    size = draw(st.integers(3, 60))
    made = [draw(st.lists(st.integers(0, 10**6), min_size=size, max_size=size)) for _ in range(2)]
    assume(all(any(values) for values in made))
    low = draw(st.floats(-1e3, 1e3))
    high = low + draw(st.floats(0.1, 1e3))
    first, second = (Histogram(low, high, "u", np.array(values, np.int64)) for values in made)
    return first, second


def normal(mean: float, spread: float = 10.0, values: int = 100_000) -> Histogram:
    edges = np.linspace(0.0, 100.0, 51)
    drawn = np.random.default_rng(5).normal(mean, spread, values)
    inside = np.histogram(drawn, edges)[0]
    return Histogram(0.0, 100.0, "u", np.array([(drawn < 0).sum(), *inside, (drawn > 100).sum()], np.int64))


@given(pairs())
def test_a_distribution_does_not_differ_from_itself(pair: tuple[Histogram, Histogram]) -> None:
    first, _ = pair
    found = drift(first, first, MANY)
    assert (found.psi, found.ks, found.distance, found.verdict) == (0.0, 0.0, 0.0, "same")


@given(pairs(), st.integers(2, 1000))
def test_only_shares_count(pair: tuple[Histogram, Histogram], times: int) -> None:
    first, _ = pair
    more = Histogram(first.minimum, first.maximum, first.unit, first.counts * times)
    found = drift(first, more, MANY)
    assert (found.psi, found.ks, found.distance) == pytest.approx(
        (0.0, 0.0, 0.0), abs=1e-9 * (first.maximum - first.minimum)
    )


@given(pairs())
def test_either_way_round(pair: tuple[Histogram, Histogram]) -> None:
    there, back = drift(*pair, MANY), drift(*reversed(pair), MANY)
    assert there.psi == pytest.approx(back.psi, abs=1e-12)
    assert there.ks == pytest.approx(back.ks, abs=1e-12)
    assert there.distance == pytest.approx(back.distance, abs=1e-9)
    assert there.chance == back.chance


@given(pairs())
def test_bounds(pair: tuple[Histogram, Histogram]) -> None:
    first, second = pair
    found = drift(first, second, MANY)
    assert 0 <= found.psi <= 2 * math.log(1e4)
    assert 0 <= found.ks <= 1 + 1e-12
    span = first.maximum - first.minimum
    assert 0 <= found.distance <= span * (1 + 1e-9)
    # The mean cannot move further than values do; and no distance is larger than KS over the whole range.
    assert abs(first.mean() - second.mean()) <= found.distance + 1e-9 * span
    assert found.distance <= found.ks * span + 1e-9 * span


@given(counts, counts)
def test_the_index_joins_bins_to_ten_at_most(first: list[int], second: list[int]) -> None:
    size = min(len(first), len(second))
    a, b = (np.array(values[:size], float) for values in (first, second))
    assume(a.sum() and b.sum())
    a, b = a / a.sum(), b / b.sum()
    psi, bins = population_stability_index(a, b)
    assert 1 <= bins <= PSI_BINS
    # Joining bins loses what happens within them, never adds to it: the index of all bins is the upper bound.
    whole = sum(slowly(x, y) for x, y in zip(a, b, strict=True))
    if np.all((a > 1e-3) & (b > 1e-3)):
        assert psi <= whole + 1e-9


def slowly(a: float, b: float) -> float:
    a, b = max(a, 1e-4), max(b, 1e-4)
    return (a - b) * math.log(a / b)


def test_the_index_by_hand() -> None:
    first: NDArray[np.float64] = np.array([0.0, 0.5, 0.5, 0.0])
    second: NDArray[np.float64] = np.array([0.0, 0.25, 0.75, 0.0])
    psi, bins = population_stability_index(first, second)
    assert bins == 2
    assert psi == pytest.approx(0.25 * math.log(2) + 0.25 * math.log(1.5))


def test_the_distance_by_hand() -> None:
    first = Histogram(0.0, 10.0, "u", np.array([0, 4, 0, 0], np.int64))  # all at 2.5
    second = Histogram(0.0, 10.0, "u", np.array([0, 0, 2, 2], np.int64))  # half at 7.5, half above, at 10
    assert wasserstein(first.shares(), second.shares(), first.positions()) == pytest.approx(0.5 * 5 + 0.5 * 7.5)
    assert kolmogorov_smirnov(first.shares(), second.shares()) == 1.0


def test_known_shifts() -> None:
    # Two normal distributions a whole spread apart: KS = 2Φ(1/2) − 1, and the mean moves by that spread.
    found = drift(normal(40), normal(50), MANY)
    assert found.ks == pytest.approx(0.383, abs=0.03)
    assert found.distance == pytest.approx(10.0, rel=0.02)
    # The index of two normal distributions is the square of the shift in spreads; ten bins see nearly all of it.
    assert found.psi == pytest.approx(1.0, rel=0.12)
    assert found.verdict == "large"
    assert drift(normal(40), normal(44), MANY).verdict == "some"
    assert drift(normal(40), normal(42), MANY).verdict == "same"


def test_few_cases_differ_by_chance_and_shared_ones_do_not() -> None:
    first, second = normal(40), normal(50)
    assert drift(first, second, Sampled(6, 6)).verdict == "by chance"
    assert drift(first, second, Sampled(6, 6, shared=1.0)).verdict == "large"
    assert drift(first, second, Sampled(0, 6)).verdict == "large"
    assert psi_by_chance(10, Sampled(200, 200)) < LARGE_SHIFT


@pytest.mark.parametrize(("freedom", "percentile"), [(1, 3.841), (4, 9.488), (9, 16.919)])
def test_the_percentile_of_chi_square(freedom: int, percentile: float) -> None:
    # Tables of χ² at 0.95.
    assert psi_by_chance(freedom + 1, Sampled(1, 1)) / 2 == pytest.approx(percentile, rel=0.03)


def test_chance_is_what_samples_show() -> None:
    """Twenty values from the same ten bins on either side, many times: about one in twenty exceeds the bound."""
    generator = np.random.default_rng(3)
    bound = psi_by_chance(10, Sampled(200, 200))
    beyond = 0
    for _ in range(2000):
        a, b = (generator.multinomial(200, [0.1] * 10) / 200 for _ in range(2))
        beyond += sum(slowly(x, y) for x, y in zip(a, b, strict=True)) > bound
    assert 0.03 < beyond / 2000 < 0.08


def test_an_empty_histogram_has_shares_of_nothing() -> None:
    empty = Histogram(0.0, 1.0, "u", np.zeros(4, np.int64))
    assert (empty.values, empty.shares().sum()) == (0, 0.0)
    assert not empty.has_bins_of(Histogram(0.0, 1.0, "v", np.zeros(4, np.int64)))
    assert not empty.has_bins_of(Histogram(0.0, 1.0, "u", np.zeros(5, np.int64)))
