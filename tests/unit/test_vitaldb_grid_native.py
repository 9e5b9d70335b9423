"""The compiled last steps of the grid against numpy's: the same to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.compile import PLAIN
from core.workloads.vitaldb import grid_native
from core.workloads.vitaldb.clean import drop_contradictions
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import FEATURES, Feature
from core.workloads.vitaldb.grid import hold_seconds, impute, normalise, normalised_grid, places, take
from core.workloads.vitaldb.grid_native import LIBRARY
from core.workloads.vitaldb.quality import HISTOGRAM_BINS, _all_edges, _edges, case_histograms
from core.workloads.vitaldb.signals import Signals
from core.workloads.vitaldb.windows import count_windows, observed_share

pytestmark = pytest.mark.skipif(not LIBRARY.path.exists(), reason="nothing could be compiled on this machine")

some_values = st.one_of(
    st.just(float("nan")),
    st.floats(-500, 2000),
    st.sampled_from([0.0, -0.0, 5e-324, 1e300, -1e300, *(one.minimum for one in FEATURES), 100.0, 300.0]),
    st.floats(allow_nan=False, allow_infinity=True),
)
rows = st.integers(0, 40).flatmap(lambda length: arrays(np.float64, (length, len(FEATURES)), elements=some_values))


def plain(monkeypatch: pytest.MonkeyPatch, grid: np.ndarray) -> tuple[bytes, dict[str, list[int]]]:
    monkeypatch.setenv(PLAIN, "1")
    assert LIBRARY.usable() is None
    found = normalised_grid(grid).tobytes(), counts(grid)
    monkeypatch.setenv(PLAIN, "0")
    return found


def compiled(grid: np.ndarray, features: tuple[Feature, ...] = FEATURES) -> np.ndarray:
    """Normalised by the variant for every processor, and by this one's, which must be the same."""
    library = LIBRARY.load()
    found, quick = (
        grid_native.normalised_grid(library, grid, features, quick) for quick in (False, grid_native.is_quick(library))
    )
    assert found.tobytes() == quick.tobytes()
    return found


def counts(grid: np.ndarray) -> dict[str, list[int]]:
    histograms = case_histograms(Signals(grid, {}, {}, {}, 0))
    return {name: found.tolist() for name, found in histograms.items()}


@settings(deadline=None)
@given(grid=rows)
def test_any_grid(grid: np.ndarray) -> None:
    with pytest.MonkeyPatch.context() as patch, np.errstate(over="ignore", invalid="ignore"):
        expected = plain(patch, grid)
        assert LIBRARY.usable() is not None
        assert (normalised_grid(grid).tobytes(), counts(grid)) == expected
        assert compiled(grid).tobytes() == expected[0]


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 3000])
def test_gaps_of_every_length_across_blocks(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(length)
    grid = np.repeat(chance.normal(60, 40, (length, len(FEATURES))).round(1), 3, axis=0)[:length]
    for column, share in enumerate(np.linspace(0, 1, len(FEATURES))):
        for start in np.flatnonzero(chance.random(length) < share / 20):
            grid[start : start + int(chance.integers(1, 700)), column] = np.nan
    expected = plain(monkeypatch, grid)
    assert (normalised_grid(grid).tobytes(), counts(grid)) == expected
    assert compiled(grid).tobytes() == expected[0]
    shares = observed_share(grid, count_windows(length, Configuration()), Configuration())
    monkeypatch.setenv(PLAIN, "1")
    assert shares.tobytes() == observed_share(grid, len(shares), Configuration()).tobytes()


@pytest.mark.parametrize("features", range(10))
def test_any_number_of_features(features: int) -> None:
    grid = np.random.default_rng(features).normal(60, 40, (700, features))
    grid[300:600, ::2] = np.nan
    grid[20:22, ::3] = [[np.inf], [-np.inf]]
    found = compiled(grid, FEATURES[:features])
    for column, feature in enumerate(FEATURES[:features]):
        assert found[:, column].tobytes() == normalise(impute(grid[:, column], feature), feature).tobytes()


def test_every_edge_and_its_neighbours() -> None:
    for feature in FEATURES:
        edges = _edges(feature)
        near = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf), [np.inf, -np.inf]])
        found = grid_native.histograms(LIBRARY.load(), near[:, None], edges[None])[0]
        expected = np.bincount(np.searchsorted(edges, near, side="right"), minlength=HISTOGRAM_BINS + 2)
        assert found.tolist() == expected.tolist()


def test_edges_stand_at_equal_distances_as_the_library_takes_for_granted() -> None:
    for edges in _all_edges():
        shares = (edges - edges[0]) / (edges[-1] - edges[0]) * HISTOGRAM_BINS
        assert np.abs(shares - np.arange(HISTOGRAM_BINS + 1)).max() < 1e-6


def test_two_edges() -> None:
    values = np.array([-4.0, -3.0, -1.0, 0.0, 0.25, np.inf, -np.inf, np.nan])
    found = grid_native.histograms(LIBRARY.load(), values[:, None], np.array([[-3.0, 0.0]]))
    assert found.tolist() == [[2, 2, 3]]


@given(
    grid=st.integers(0, 90).flatmap(lambda length: arrays(np.float64, (length, 3), elements=some_values)),
    window_s=st.integers(1, 40),
    step_s=st.integers(1, 50),
    horizon_s=st.integers(0, 3),
)
def test_any_observed_share(grid: np.ndarray, window_s: int, step_s: int, horizon_s: int) -> None:
    configuration = Configuration(window_s=window_s, step_s=step_s, horizon_s=horizon_s)
    count = count_windows(len(grid), configuration)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLAIN, "1")
        expected = observed_share(grid, count, configuration)
        patch.setenv(PLAIN, "0")
        assert LIBRARY.usable() is not None
        found = observed_share(grid, count, configuration)
    assert (found.shape, found.dtype, found.tobytes()) == (expected.shape, np.float32, expected.tobytes())


def test_no_window_may_go_beyond_the_grid() -> None:
    with pytest.raises(ValueError, match="beyond"):
        grid_native.observed_share(LIBRARY.load(), np.zeros((10, 2)), 2, 6, 5)
    assert grid_native.observed_share(LIBRARY.load(), np.zeros((11, 2)), 2, 6, 5).tolist() == [[1, 1], [1, 1]]


def test_rules_of_any_feature() -> None:
    values = np.array([np.nan, np.nan, 7.0, np.nan, 9.0, np.nan, np.nan, np.nan])
    for gap_holds in (False, True):
        for after_hold_s in (0, 1, 2, 100):
            feature = replace(FEATURES[0], gap_holds=gap_holds, after_hold_s=after_hold_s, before=3.0, after=4.0)
            found = compiled(values[:, None], (feature,))
            assert found[:, 0].tolist() == normalise(impute(values, feature), feature).tolist()


NO_TIMES, NO_PLACES = np.zeros(3), np.zeros(2, np.int32)
NO_PRESSURE = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_)
STEPS = {
    "drop_contradictions": lambda: drop_contradictions([NO_PRESSURE] * 3),
    "median_interval": lambda: hold_seconds(NO_TIMES),
    "places": lambda: places(NO_TIMES, None, 2.0, 2),
    "take": lambda: take([(NO_TIMES, NO_PLACES, np.zeros(2))]),
    "histograms": lambda: counts(np.zeros((2, len(FEATURES)))),
    "observed_share": lambda: observed_share(np.zeros((2, len(FEATURES))), 0, Configuration()),
    "normalised_grid": lambda: normalised_grid(np.zeros((2, len(FEATURES)))),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_takes_the_library_unless_it_is_forbidden(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    native = getattr(grid_native, step)
    monkeypatch.setattr(grid_native, step, lambda library, *given: taken.append(library) or native(library, *given))
    STEPS[step]()
    assert taken == [LIBRARY.usable()]
    monkeypatch.setenv(PLAIN, "1")
    STEPS[step]()
    assert len(taken) == 1
