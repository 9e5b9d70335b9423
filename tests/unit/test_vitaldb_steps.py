"""Cleaning, grid, imputation, normalisation and windows at their edges; figures are those of the spec."""

from __future__ import annotations

import numpy as np
import pytest

from core.workloads.vitaldb.clean import BOUNDS, fractions_to_percent, inconsistent_seconds, possible
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import FEATURE_NAMES, FEATURES, TARGET_INDICES, TARGET_NAMES, Feature
from core.workloads.vitaldb.grid import denormalise, hold_seconds, impute, normalise, normalised_grid, resample
from core.workloads.vitaldb.units import Quantity
from core.workloads.vitaldb.windows import count_windows, cut_windows, observed_share, start_seconds, targets

NAN = float("nan")


def feature(name: str) -> Feature:
    return next(item for item in FEATURES if item.name == name)


def array(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


@pytest.mark.parametrize("quantity", list(Quantity))
def test_bounds_are_inclusive(quantity: Quantity) -> None:
    low, high = BOUNDS[quantity]
    step = np.spacing(max(abs(low), 1.0))
    values = array(low, high, low - step, high + high * 1e-9, NAN, np.inf, -np.inf)
    assert possible(quantity, values).tolist() == [True, True, False, False, False, False, False]


def test_oxygen_as_a_fraction() -> None:
    values = fractions_to_percent(array(0.0, 0.21, 1.0, 1.0001, 21.0))
    np.testing.assert_allclose(values, [0.0, 21.0, 100.0, 1.0001, 21.0])
    assert not possible(Quantity.OXYGEN_FRACTION, values)[0]


@pytest.mark.parametrize(
    ("systolic", "diastolic", "mean", "wrong"),
    [(120, 80, 90, 0), (120, 92, 90, 0), (120, 92.1, 90, 1), (88, 80, 90, 0), (87.9, 80, 90, 1)],
)
def test_pressures_may_differ_by_two(systolic: float, diastolic: float, mean: float, wrong: int) -> None:
    seconds = [np.array([5])] * 3
    found = inconsistent_seconds(seconds, [array(systolic), array(diastolic), array(mean)])
    assert found.tolist() == [5] * wrong


def test_pressures_are_judged_where_all_three_stand_by_the_last_of_the_second() -> None:
    seconds = [np.array([1, 1, 2, 3]), np.array([1, 3]), np.array([1, 2, 3])]
    values = [array(50, 120, 10, 10), array(80, 80), array(90, 90, 90)]
    # Second 1: the last systolic is fine; second 2: no diastolic.
    assert inconsistent_seconds(seconds, values).tolist() == [3]


@pytest.mark.parametrize(
    ("times", "hold"),
    [
        ([], 2.0),
        ([5.0], 2.0),
        ([0, 1, 2], 2.0),
        ([0, 2, 4], 3.0),
        ([0, 7, 14], 10.5),
        ([0, 2, 4, 11], 3.0),
        ([0, 2, 9], 6.75),
        ([0, 0, 0, 60], 2.0),
        ([0, 500], 600.0),
    ],
)
def test_hold(times: list[float], hold: float) -> None:
    assert hold_seconds(array(*times)) == hold


def test_hold_ends_where_the_spec_says() -> None:
    grid = resample(array(0.0), array(5.0), 3.0, 6)
    np.testing.assert_array_equal(grid, [5, 5, 5, 5, NAN, NAN])
    # The age counts from the sample, not from its second.
    np.testing.assert_array_equal(resample(array(0.5), array(5.0), 2.0, 4), [5, 5, 5, NAN])
    np.testing.assert_array_equal(resample(array(0.999), array(5.0), 2.0, 4), [5, 5, 5, NAN])


def test_a_sample_counts_from_its_own_second() -> None:
    np.testing.assert_array_equal(resample(array(2.0, 2.9, 3.0), array(1, 2, 3), 2.0, 5), [NAN, NAN, 2, 3, 3])
    np.testing.assert_array_equal(resample(array(-1.5), array(7.0), 2.0, 2), [7, NAN])
    np.testing.assert_array_equal(resample(array(), array(), 2.0, 2), [NAN, NAN])


def test_imputation_before_gap_and_after() -> None:
    values = np.full(1000, NAN)
    values[[2, 5]] = 90.0, 95.0
    filled = impute(values, feature("HR"))
    assert filled[:6].tolist() == [70, 70, 90, 90, 90, 95]
    # "hold 10 min": the 600 seconds that follow second 5.
    assert (filled[6:606] == 95).all()
    assert (filled[606:] == 70).all()
    saturation = impute(values, feature("SPO2"))
    assert (saturation[305], saturation[306], saturation[0]) == (95, 96, 96)
    dose = impute(values, feature("Propofol_INF"))
    assert dose[:8].tolist() == [0, 0, 90, 90, 90, 95, 0, 0]


def test_noradrenaline_is_not_held_in_a_gap() -> None:
    filled = impute(array(NAN, 0.2, NAN, 0.3, NAN), feature("Noradrenalin_INF"))
    assert filled.tolist() == [0, 0.2, 0, 0.3, 0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("HR", 70), ("BP_SYS", 140), ("BP_DIA", 80), ("BP_MAP", 100), ("SPO2", 96), ("ETCO2", 0), ("TV", 0)],
)
def test_without_any_value(name: str, expected: float) -> None:
    assert impute(np.full(3, NAN), feature(name)).tolist() == [expected] * 3


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HR", 20, -1.0),
        ("HR", 110, 0.0),
        ("HR", 200, 1.0),
        ("HR", 250, 1.0),
        ("ETCO2", 0, -1.0),
        ("ETCO2", 5, 0.0),
        ("FIO2", 21, -1.0),
        ("Remifentanil_INF", 0.2, -0.5),
    ],
)
def test_normalise(name: str, value: float, expected: float) -> None:
    found = normalise(array(value), feature(name))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [expected], atol=1e-6)


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_the_inverse_gives_the_value_back(name: str) -> None:
    own = feature(name)
    values = np.linspace(own.minimum, own.maximum, 50)
    span = own.maximum - own.minimum
    np.testing.assert_allclose(denormalise(normalise(values, own), own), values, atol=span * 1e-6)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, 0), (1, 0), (300, 0), (329, 0), (330, 1), (359, 1), (360, 2), (3600, 110)],
)
def test_count_of_windows(seconds: int, expected: int) -> None:
    assert count_windows(seconds, Configuration()) == expected


@pytest.mark.parametrize(("window", "step", "horizon"), [(300, 30, 30), (60, 30, 5), (7, 1, 0), (10, 25, 3)])
@pytest.mark.parametrize("seconds", [66, 90, 101, 330, 640])
def test_windows_and_targets_stand_where_the_spec_says(window: int, step: int, horizon: int, seconds: int) -> None:
    configuration = Configuration(window_s=window, step_s=step, horizon_s=horizon)
    grid = np.arange(seconds * 16, dtype=np.float32).reshape(seconds, 16)
    count = count_windows(seconds, configuration)
    starts = [start for start in range(0, seconds, step) if start + window - 1 + horizon < seconds]
    assert start_seconds(count, configuration).tolist() == starts
    assert count == len(starts)
    if not count:
        return
    windows, aims = cut_windows(grid, configuration), targets(grid, count, configuration)
    assert windows.shape == (count, window, 16)
    for position, start in enumerate(starts):
        np.testing.assert_array_equal(windows[position], grid[start : start + window])
        np.testing.assert_array_equal(aims[position], grid[start + window - 1 + horizon, list(TARGET_INDICES)])


def test_observed_is_the_share_of_each_window() -> None:
    configuration = Configuration(window_s=4, step_s=2, horizon_s=0)
    grid = np.full((8, 16), np.nan)
    grid[[0, 1, 5], 0] = 7.0
    shares = observed_share(grid, 3, configuration)
    assert shares[:, 0].tolist() == [0.5, 0.25, 0.25]
    assert not shares[:, 1:].any()


def test_targets_are_the_eight_of_the_spec() -> None:
    assert [FEATURE_NAMES[index] for index in TARGET_INDICES] == list(TARGET_NAMES)
    assert [index + 1 for index in TARGET_INDICES] == [8, 9, 10, 11, 12, 13, 14, 15]


def test_no_grid_where_every_sample_is_before_the_start() -> None:
    assert resample(array(-3.0, -1.0), array(5.0, 6.0), 2.0, 0).tolist() == []


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_without_a_value_is_normalised_like_any_other(feature: Feature) -> None:
    absent = normalise(impute(np.full(3, NAN), feature), feature)
    np.testing.assert_array_equal(absent, normalise(np.full(3, float(feature.before)), feature))
    assert absent.dtype == np.float32


def test_the_whole_grid_is_every_feature_imputed_and_normalised() -> None:
    grid = np.random.default_rng(1).uniform(-5, 250, (40, len(FEATURES)))
    grid[np.random.default_rng(2).random(grid.shape) < 0.5] = NAN
    grid[:, 3] = NAN
    expected = np.stack([normalise(impute(grid[:, at], feature), feature) for at, feature in enumerate(FEATURES)], 1)
    for layout in ("C", "F"):
        found = normalised_grid(np.array(grid, order=layout))  # type: ignore[call-overload]
        np.testing.assert_array_equal(found, expected)
        assert found.flags.c_contiguous
