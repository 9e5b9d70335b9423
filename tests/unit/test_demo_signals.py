"""The building blocks of made-up signals, and what is decided about each demo case."""

from __future__ import annotations

import numpy as np
import pytest

from core.workloads.vitaldb.demo.course import course_of
from core.workloads.vitaldb.demo.patient import TRAPS, first_case_of_subject, plan_case
from core.workloads.vitaldb.demo.randomness import CHOICES, chosen, generator
from core.workloads.vitaldb.demo.signals import first_order, lag, noise, polls, shown
from core.workloads.vitaldb.demo.tape import windows_in

PLANS = [plan_case(number, 7) for number in range(1, 1001)]


def _share(name: str) -> float:
    return float(np.mean([bool(getattr(plan, name)) for plan in PLANS]))


@pytest.mark.parametrize("keep", [0.3, 0.95, 0.9995])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 1000])
def test_first_order_is_the_recursion(keep: float, size: int) -> None:
    drive = np.random.default_rng(1).standard_normal(size)
    expected, last = [], 2.0
    for value in drive.tolist():
        last = keep * last + value
        expected.append(last)
    np.testing.assert_allclose(first_order(drive, keep, 2.0), expected, rtol=1e-9, atol=1e-9)


def test_noise_has_its_spread_and_its_memory() -> None:
    values = noise(generator(1, 1, "x"), 200_000, 3.0, 20.0)
    assert values.std() == pytest.approx(3.0, rel=0.05)
    assert np.corrcoef(values[:-20], values[20:])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.05)


def test_lag_approaches_its_target() -> None:
    values = lag(np.r_[0.0, np.ones(500)], 50.0)
    assert values[50] == pytest.approx(1 - np.exp(-1.0), abs=0.01)
    assert values[-1] == pytest.approx(1.0, abs=0.001)


def test_shown_is_exact_in_tenths() -> None:
    assert shown(np.array([0.31, 5.26, -3.0]), 0.1, 0.0, 5.0).tolist() == [0.3, 5.0, 0.0]
    assert shown(np.array([71.4]), 1.0, 0.0, 100.0).tolist() == [71.0]


def test_polls_rise_and_stay_inside() -> None:
    times = polls(generator(1, 2, "x"), 1000.0, 600.0, 2.0)
    assert (np.diff(times) > 0).all()
    assert times[0] >= 1000.0
    assert times[-1] < 1600.0
    assert np.median(np.diff(times)) == pytest.approx(2.0, abs=0.005)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("cases", [24, 1000])
def test_chosen_comes_close_to_its_share(choice: str, cases: int) -> None:
    share = np.mean([chosen(7, choice, number, 0.5) for number in range(1, cases + 1)])
    assert share == pytest.approx(0.5, abs=0.09 if cases == 24 else 0.01)


@pytest.mark.parametrize(
    ("seconds", "windows"), [(0, 0), (329, 0), (330, 1), (359, 1), (360, 2), (1500, 40), (10_000, 323)]
)
def test_windows_by_the_spec(seconds: int, windows: int) -> None:
    assert windows_in(seconds) == windows


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("arterial_line", 0.56, 0.60),
        ("propofol", 0.53, 0.57),
        ("sevoflurane", 0.53, 0.62),
        ("remifentanil", 0.74, 0.77),
        ("noradrenaline", 0.010, 0.020),
        ("bispectral_index", 0.90, 0.94),
        ("cardiac_output", 0.07, 0.10),
    ],
)
def test_shares_are_those_of_the_open_data_set(name: str, low: float, high: float) -> None:
    assert low <= _share(name) <= high


def test_rare_things_are_rare_and_there() -> None:
    assert 0.005 <= np.mean([plan.remifentanil == 50 for plan in PLANS]) <= 0.02
    assert 0.05 <= np.mean([plan.profile == "draeger" for plan in PLANS]) <= 0.10
    assert any(plan.noradrenaline for plan in PLANS[:24])
    assert [plan.profile for plan in PLANS[:24]].count("intellivue") == 1
    assert {plan.trap for plan in PLANS[:24]} >= set(TRAPS.values())


def test_durations_are_those_of_the_open_data_set() -> None:
    hours = np.array([plan.seconds for plan in PLANS]) / 3600.0
    assert 2.5 <= np.median(hours) <= 3.0
    assert hours.min() >= 0.7
    assert hours.max() <= 9.0


def test_some_subjects_come_back() -> None:
    subjects = [plan.subject_id for plan in PLANS]
    again = len(subjects) - len(set(subjects))
    assert 0.03 <= again / len(subjects) <= 0.06
    assert 24 - len(set(subjects[:24])) >= 2
    assert all(first_case_of_subject(first_case_of_subject(n)) == first_case_of_subject(n) for n in range(1, 1001))
    by_subject = {plan.subject_id: plan.person for plan in PLANS if plan.number == first_case_of_subject(plan.number)}
    pairs = [plan for plan in PLANS if plan.number != first_case_of_subject(plan.number) and plan.subject_id > 0]
    assert pairs
    assert all(plan.person == by_subject[plan.subject_id] for plan in pairs)


def test_layouts_and_header_generations_all_occur() -> None:
    kinds = {(plan.layout.value, plan.header_length) for plan in PLANS[:24]}
    assert kinds == {("interleaved", 10), ("packed", 27), ("track_by_track", 10), ("track_by_track", 27)}


def test_induction_looks_like_one() -> None:
    plan = next(plan for plan in PLANS if plan.propofol and plan.remifentanil and plan.person.age_y > 30)
    course = course_of(plan)
    awake = slice(0, course.phases.induction)
    asleep = slice(course.phases.induction + 300, course.phases.closure)
    assert course.bis[awake].mean() > 85
    assert 30 < course.bis[asleep].mean() < 60
    assert course.systolic[asleep].mean() < course.systolic[awake].mean()
    assert course.heart_rate[asleep].mean() < course.heart_rate[awake].mean()
    assert course.propofol[: course.phases.induction].max() == 0
    per_kg_h = course.propofol[asleep] * 20 / plan.person.weight_kg
    assert 3 < per_kg_h.mean() < 12
    assert 200 < course.propofol.max() <= 1200
    assert course.propofol[course.phases.closure :].max() == 0
    assert course.etco2[: course.phases.intubation].max() == 0
    assert 28 < course.etco2[asleep].max() < 50
    assert (course.diastolic < course.mean).all()
    assert (course.mean < course.systolic).all()
