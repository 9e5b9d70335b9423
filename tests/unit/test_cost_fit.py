"""The time model: coefficients that are found again, bounds that hold, and their file."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cost.fit import Observation, Provenance, RunObservation, beside_the_work, fit, fit_error, least_squares
from core.cost.models_text import models_text
from core.cost.time_model import TimeModel, read_models, shipped_models, time_model
from core.errors import BadRequestError
from core.run.models import Attempt
from core.run.projection import Estimate
from core.workloads.registry import times_of, workload_names
from tests.cost_examples import KNOWN, MODELS, shard

WHERE = Provenance("two processors", "2026-01-01", "casemill fit")
RUNS = [RunObservation(windows, 2, 3.0 + windows / 2 * 1e-4) for windows in (1000, 5000, 20_000)]


def cohort(seed: int, noise: float = 0.0, cases: int = 40, layouts: bool = False) -> list[Observation]:
    """Cases of 0.01 s, 20 ns a byte (10 ns more interleaved) and half a millisecond a window."""
    chance = random.Random(seed)
    found = []
    for number in range(cases):
        size, windows = chance.randrange(10_000, 20_000_000), chance.randrange(10, 1000)
        layout = ("packed", "interleaved")[number % 2] if layouts else ""
        exact = 0.01 + size * (3e-8 if layout == "interleaved" else 2e-8) + windows * 5e-4
        seconds = exact * chance.lognormvariate(0, noise) if noise else exact
        found.append(Observation(f"run-{seed}", f"{seed}:{number}", size, windows, seconds, layout))
    return found


def test_finds_the_coefficients_that_made_the_times() -> None:
    found = fit(cohort(1), RUNS, WHERE)
    assert (found.case_seconds, found.byte_seconds.likely, found.record_seconds) == (0.01, 2e-8, 5e-4)
    assert (found.start_seconds, found.check_record_seconds) == (3.0, 1e-4)
    assert found.byte_seconds.low == found.byte_seconds.high == 2e-8
    assert (found.runs.low, found.runs.high) == (1.0, 1.0)
    assert (found.measured_cases, found.measured_runs, found.machine) == (40, 1, "two processors")


def test_layouts_are_the_bounds_of_a_byte() -> None:
    found = fit(cohort(1, layouts=True), RUNS, WHERE).byte_seconds
    assert (found.low, found.high) == (2e-8, 3e-8)
    assert 2e-8 < found.likely < 3e-8


def test_noise_is_outlived_and_another_cohort_is_predicted() -> None:
    found = fit([*cohort(1, noise=0.3), *cohort(2, noise=0.3)], RUNS, WHERE)
    assert fit_error(found, cohort(3)) == pytest.approx(1.0, abs=0.1)
    assert found.runs.low <= 1.0 <= found.runs.high


def test_a_case_seen_again_counts_once_with_its_median() -> None:
    once = cohort(1)
    slow = [replace(item, run="slow", seconds=item.seconds * 9) for item in once]
    found = fit([*once, *(replace(item, run="again") for item in once), *slow], RUNS, WHERE)
    assert found.byte_seconds.likely == 2e-8
    assert (found.measured_cases, found.measured_runs) == (40, 3)
    assert found.runs.high > 5, "that a run may be this slow is kept as a bound"


def test_bounds_are_of_cohorts_that_the_fit_has_not_seen() -> None:
    usual, slow = cohort(1), [replace(item, seconds=item.seconds * 2) for item in cohort(2)]
    found = fit([*usual, *slow], RUNS, WHERE).runs
    # Held against the other cohort, the slow one takes twice as long and the usual one half; of those two, the values
    # a twentieth of the way in from both ends.
    assert (found.low, found.high) == pytest.approx((0.575, 1.925), rel=0.01)


@pytest.mark.parametrize(("cases", "runs"), [(9, RUNS), (40, [])])
def test_too_few_runs_are_refused(cases: int, runs: list[RunObservation]) -> None:
    with pytest.raises(BadRequestError, match="too_few_runs"):
        fit(cohort(1, cases=cases), runs, WHERE)


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(0, 100), min_size=3, max_size=3), min_size=4, max_size=12), st.integers(0, 9))
def test_least_squares_is_never_negative_and_no_worse_than_nothing(rows: list[list[float]], seed: int) -> None:
    table = np.array(rows)
    values = np.random.default_rng(seed).normal(size=len(rows))
    found = least_squares(table, values)
    assert min(found) >= 0
    assert np.sum((table @ found - values) ** 2) <= np.sum(values**2) + 1e-9


def test_least_squares_leaves_out_a_column_that_would_be_negative() -> None:
    table = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    assert least_squares(table, np.array([3.0, 2.0, 1.0])) == pytest.approx([2.0, 0.0])


def test_time_beside_the_work() -> None:
    attempts = [
        Attempt(partition=place, attempt=1, started=began, ended=began + 4.0, why="finished", cases=1, shards=1)
        for place, began in enumerate((100.0, 103.0))
    ]
    assert beside_the_work(10.0, attempts, 500, 2) == RunObservation(500, 2, 3.0)


def test_a_run_by_hand() -> None:
    model = time_model(MODELS, "vitaldb", Estimate(value=2.0, low=2.0, high=2.0))
    assert model is not None
    shards = [shard(0), shard(1), shard(2)]
    # A shard: 2 × 0.01 + 50e6 × 20e-9 + 1,960 × 0.0005 = 2 s, and 4 s on this machine; the busier worker has two.
    # Beside it: twice 3 s for the start and 5,880 windows × 0.0001 s / 2 workers.
    seconds = model.run_seconds(shards, 2)
    assert seconds.value == pytest.approx(8 + 2 * (3 + 0.294))
    # 10 ns a byte instead of 20 are 3 instead of 4 s a shard; runs have been 0.8 times as long.
    assert seconds.low == pytest.approx((8 * 0.75 + 6.588) * 0.8)
    assert seconds.high == pytest.approx((8 * 1.5 + 6.588) * 1.25)
    # Three shards of 4 s, and the start of two workers.
    assert model.worker_seconds(shards, 2).value == pytest.approx(12 + 12)
    assert model.worker_seconds(shards, 9).value == pytest.approx(12 + 18)
    assert model.calibrated


def test_a_machine_that_was_not_measured_widens_the_bounds() -> None:
    here = time_model(MODELS, "vitaldb", Estimate(value=1.5, low=1.4, high=1.6))
    there = time_model(MODELS, "vitaldb", Estimate(value=1.5, low=1.4, high=1.6), other_machine=True)
    fresh = time_model(MODELS, "vitaldb")
    assert here is not None
    assert there is not None
    assert fresh is not None
    near, far, unknown = (model.run_seconds([shard(0)], 1) for model in (here, there, fresh))
    assert near.value == pytest.approx(far.value) == pytest.approx(1.5 * unknown.value)
    assert far.low < near.low < near.value < near.high < far.high
    assert not there.calibrated
    assert not fresh.calibrated


def test_a_workload_without_figures_has_no_model() -> None:
    assert time_model(MODELS, "other") is None


@given(st.floats(0.01, 100), st.floats(0, 1), st.integers(0, 50), st.integers(1, 40))
def test_bounds_are_in_order_and_more_workers_take_no_longer(
    factor: float, spread: float, shards: int, workers: int
) -> None:
    model = TimeModel(KNOWN, Estimate(value=factor, low=factor * (1 - spread / 2), high=factor * (1 + spread)))
    found = model.run_seconds([shard(number) for number in range(shards)], workers)
    assert 0 <= found.low <= found.value <= found.high
    more = model.run_seconds([shard(number) for number in range(shards)], workers + 1)
    assert more.value <= found.value + 1e-9


def test_file_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "times.toml"
    path.write_text(models_text(MODELS), encoding="utf-8")
    assert read_models(str(path)) == MODELS


def test_a_file_of_the_first_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "times.toml"
    first = (
        models_text(MODELS).replace("casemill-times/2", "casemill-times/1").replace("record_seconds", "window_seconds")
    )
    path.write_text(first, encoding="utf-8")
    assert "window_seconds" in first
    assert read_models(str(path)).workloads == MODELS.workloads


@pytest.mark.parametrize("content", ["no toml at all", 'format = "casemill-times/1"\n'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "times.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadRequestError, match="bad_times"):
        read_models(str(path))
    with pytest.raises(BadRequestError, match="bad_times"):
        read_models(str(tmp_path / "none.toml"))


@pytest.mark.parametrize("workload", workload_names())
def test_shipped_figures_are_measured_ones_with_their_provenance(workload: str) -> None:
    ((name, known),) = shipped_models(times_of(workload)).workloads.items()
    assert name == workload
    assert known.measured_cases >= 100
    assert known.machine
    assert known.command
    assert known.record_seconds > 0
    assert known.byte_seconds.high >= known.byte_seconds.low >= 0


def test_what_nobody_has_measured_has_no_figures() -> None:
    assert times_of("nobody-measured-it") is times_of("../workloads/vitaldb") is None
    assert shipped_models(None).workloads == {}
