"""The slow steps and units on values worked out by hand."""

from __future__ import annotations

import pytest

from tests.reference.slow_clinical import static_of
from tests.reference.slow_profiles import FEATURES, PRESSURE_SOURCES, PROFILES, TARGETS
from tests.reference.slow_steps import (
    SlowPoint,
    add_up,
    drop_inconsistent,
    hold_seconds,
    impute,
    normalise,
    prefer_first,
    resample,
)
from tests.reference.slow_units import in_feature_unit, is_known

FEATURE = {feature.name: feature for feature in FEATURES}


def points(*pairs: tuple[float, float | None]) -> list[SlowPoint]:
    return [SlowPoint(since, value) for since, value in pairs]


# --- the tables -------------------------------------------------------------------------------------------------


def test_the_tables_fit_together() -> None:
    assert len(FEATURES) == 16
    assert [FEATURES.index(FEATURE[name]) + 1 for name in TARGETS] == [8, 9, 10, 11, 12, 13, 14, 15]
    for name, profile in PROFILES.items():
        assert set(profile) == set(FEATURE)
        for systolic, diastolic, mean in PRESSURE_SOURCES[name]:
            assert systolic in profile["BP_SYS"]
            assert diastolic in profile["BP_DIA"]
            assert mean in profile["BP_MAP"]


# --- hold -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "hold"),
    [
        ([], 2.0),
        ([5.0], 2.0),
        ([0.0, 2.0, 4.0, 6.0], 3.0),  # 1.5 * 2
        ([0.0, 7.0, 14.0], 10.5),  # 1.5 * 7
        ([0.0, 1.0, 2.0], 2.0),  # 1.5, at least 2
        ([0.0, 1000.0], 600.0),  # 1500, at most 600
        ([0.0, 2.0, 6.0], 4.5),  # the middle two are 2 and 4
        ([0.0, 0.0, 0.0, 2.0], 2.0),  # 0, 0, 2: the median is 0
    ],
)
def test_hold_seconds(times: list[float], hold: float) -> None:
    assert hold_seconds(times) == hold


def test_a_2_s_track_is_held_for_3_s() -> None:
    # after the sample at 4: ages 1, 2, 3 at 5, 6, 7; at 8 it is 4 s old
    grid = resample(points((0, 10), (2, 12), (4, 14)), 3.0, 10)
    assert grid == [10, 10, 12, 12, 14, 14, 14, 14, None, None]


def test_a_7_s_track_is_held_for_10_5_s() -> None:
    grid = resample(points((0, 1), (7, 2), (14, 3)), 10.5, 30)
    # 14 + 10.5 = 24.5: second 24 has it, second 25 has not
    assert grid == [1] * 7 + [2] * 7 + [3] * 11 + [None] * 5


def test_a_second_takes_the_last_sample_before_its_end() -> None:
    # 0.2 and 0.9 stand in second 0; the age at second 0 is not below 0
    assert resample(points((0.2, 1), (0.9, 2), (3.5, 3)), 2.0, 6) == [2, 2, 2, 3, 3, 3]


def test_of_equal_times_the_last_valid_wins() -> None:
    assert resample(points((1, 5), (1, 6)), 2.0, 2) == [None, 6]
    assert resample(points((1, 5), (1, None)), 2.0, 2) == [None, 5]


def test_a_missing_sample_does_not_end_a_hold() -> None:
    assert resample(points((0, 5), (1, None), (2, None), (3, None)), 2.0, 4) == [5, 5, 5, None]


def test_samples_before_t0_may_fill_the_first_seconds() -> None:
    # -0.5: ages 0.5, 1.5, 2.5
    assert resample(points((-9, 4), (-0.5, 5)), 2.0, 3) == [5, 5, None]
    assert resample(points((-3, 5)), 2.0, 2) == [None, None]


# --- sources ----------------------------------------------------------------------------------------------------


def test_sources_are_chosen_second_by_second() -> None:
    assert prefer_first([[1, None, 3, None], [9, 8, None, None]], 4) == [1, 8, 3, None]


def test_syringes_are_summed() -> None:
    assert add_up([[1, None, 3, None], [9, 8, None, None]], 4) == [10, 8, 3, None]


# --- blood pressure ---------------------------------------------------------------------------------------------


def test_pressures_of_one_second_must_agree() -> None:
    # second 0: 60 <= 80 <= 120. second 1: mean 80 over systolic 77. second 2: diastolic 63 over mean 60.
    # second 3: mean 80 is 2 over systolic 78, just allowed. second 4: no mean, nothing to hold against.
    systolic = points((0, 120), (1.1, 77), (2.5, 120), (3, 78), (4, 50))
    diastolic = points((0.9, 60), (1.2, 60), (2.6, 63), (3, 60), (4, 90))
    mean = points((0.5, 80), (1.9, 80), (2.7, 60), (3, 80))
    kept = drop_inconsistent(systolic, diastolic, mean)
    assert [point.value for point in kept[0]] == [120, None, None, 78, 50]
    assert [point.value for point in kept[1]] == [60, None, None, 60, 90]
    assert [point.value for point in kept[2]] == [80, None, None, 80]


def test_a_diastolic_of_just_2_over_the_mean_is_allowed() -> None:
    kept = drop_inconsistent(points((0, 120)), points((0, 62)), points((0, 60)))
    assert [track[0].value for track in kept] == [120, 62, 60]


def test_the_last_valid_of_the_second_are_judged_and_all_of_the_second_go() -> None:
    systolic = points((5.0, 120), (5.5, 70), (5.8, None))
    kept = drop_inconsistent(systolic, points((5.0, 60)), points((5.0, 80)))
    assert [point.value for point in kept[0]] == [None, None, None]
    assert kept[2] == points((5.0, None))
    # the other way round the last is fine, and the bad one before it stays
    kept = drop_inconsistent(points((5.0, 70), (5.5, 120)), points((5.0, 60)), points((5.0, 80)))
    assert [point.value for point in kept[0]] == [70, 120]


# --- imputation -------------------------------------------------------------------------------------------------


def test_heart_rate_before_gap_and_after() -> None:
    grid = [None, None, 90.0, None, None, 100.0] + [None] * 602
    filled = impute(grid, FEATURE["HR"])
    assert filled[:6] == [70, 70, 90, 90, 90, 100]
    # the last value stands at 5; 6 ... 605 are the 600 s that follow it
    assert filled[6:606] == [100] * 600
    assert filled[606:] == [70, 70]


def test_a_gap_is_held_however_long_it_is() -> None:
    assert impute([90.0] + [None] * 5000 + [100.0], FEATURE["HR"])[5000] == 90


@pytest.mark.parametrize(
    ("name", "held", "then"),
    [
        ("BP_SYS", 600, 140),
        ("BP_DIA", 600, 80),
        ("BP_MAP", 600, 100),
        ("SPO2", 300, 96),
        ("ETCO2", 0, 0),
        ("PEEP", 0, 0),
    ],
)
def test_how_long_the_last_value_stands(name: str, held: int, then: float) -> None:
    filled = impute([50.0] + [None] * 700, FEATURE[name])
    assert filled == [50.0] * (1 + held) + [then] * (700 - held)


def test_noradrenaline_is_zero_in_a_gap() -> None:
    assert impute([None, 0.1, None, 0.2, None], FEATURE["Noradrenalin_INF"]) == [0, 0.1, 0, 0.2, 0]
    assert impute([None, 0.1, None, 0.2, None], FEATURE["Propofol_INF"]) == [0, 0.1, 0.1, 0.2, 0]


def test_without_any_value_all_is_before_the_first() -> None:
    assert impute([None, None], FEATURE["SPO2"]) == [96, 96]


# --- normalisation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HR", 110, 0.0),
        ("HR", 20, -1.0),
        ("HR", 250, 1.0),
        ("FIO2", 0, -1.0),
        ("ETCO2", 6.5, 0.5),  # 2 * 4.5 / 6 - 1
        ("Remifentanil_INF", 0.45, 0.125),
        ("HR", 70, -0.4444444477558136),  # -4/9 as float32
    ],
)
def test_normalise(name: str, value: float, expected: float) -> None:
    assert normalise(value, FEATURE[name]) == expected


# --- units ------------------------------------------------------------------------------------------------------

STATIC = static_of({"sex": "M", "height": "177.8", "weight": "70"}, 1)  # ideal body weight 73 kg


@pytest.mark.parametrize(
    ("quantity", "value", "unit", "expected"),
    [
        ("heart_rate", 1, "bpm", 1),
        ("heart_rate", 0.9, "", None),
        ("heart_rate", 300.1, "", None),
        ("systolic", 16, "kPa", 120.010),  # 16 / 0.133322
        ("systolic", 2.6, "kPa", None),  # 19.5 mmHg
        ("diastolic", 225, "mmHg", 225),
        ("mean", 9.9, "mmHg", None),
        ("etco2", 40, "", 5.33288),  # 40 * 0.133322
        ("etco2", 5, "kPa", 5),
        ("etco2", 150.1, "mmHg", None),
        ("etco2", 20.1, "kPa", None),  # 150.8 mmHg
        ("peep", 5, "", 5.0986),
        ("peep", 5, "hPa", 5.0986),
        ("peep", 5, "cmH2O", 5),
        ("peep", 0.5, "kPa", 5.0986),
        ("peep", 61, "cmH2O", 61),  # 59.8 mbar
        ("peep", 61, "mbar", None),
        ("sevoflurane", 2, "", 2),
        ("sevoflurane", 2, "% ", 2.0265),
        ("sevoflurane", 2, "Vol %", 2.0265),
        ("sevoflurane", 9.9, "%", None),  # 10.03 kPa
        ("sevoflurane", 9.9, "kPa", 9.9),
        ("fio2", 0.4, "%", 40),
        ("fio2", 1, "%", 100),
        ("fio2", 1.1, "%", 1.1),
        ("fio2", 0, "%", None),
        ("fio2", 100.1, "", None),
        ("tidal_volume", 438, "mL", 6),  # 438 / 73
        ("propofol", 21, "mL/hr", 6),  # 21 * 20 / 70
        ("propofol", 1200.1, "mL/h", None),
        ("remifentanil", 42, "", 0.2),  # 42 * 20 / 60 / 70
        ("noradrenaline", 21, " ml / H", 0.1),
        ("noradrenaline", -0.1, "", None),
        ("bis", 100, "Unitless", 100),
    ],
)
def test_one_value(quantity: str, value: float, unit: str, expected: float | None) -> None:
    assert is_known(quantity, unit)
    result = in_feature_unit(quantity, value, unit, STATIC, 20.0)
    assert result == (None if expected is None else pytest.approx(expected, abs=1e-3))


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        ("heart_rate", "%"),
        ("etco2", "%"),
        ("systolic", "mbar"),
        ("tidal_volume", "L"),
        ("propofol", "mg/h"),
        ("peep", "mmHg"),
        ("sevoflurane", "mbar"),
        ("bis", "%"),
    ],
)
def test_units_outside_their_list(quantity: str, unit: str) -> None:
    assert not is_known(quantity, unit)


def test_every_quantity_of_the_table_has_units() -> None:
    for feature in FEATURES:
        assert is_known(feature.quantity, "")
