"""Estimates on the command line: before a run, at its end, and the figures made anew from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.cost.estimate import EstimateOutcome
from core.cost.time_model import read_models
from tests.command_line import Answer
from tests.cost_examples import book
from tests.tiny_recordings import TinyCohort

Command = Callable[..., Answer]


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_bytes(book().to_bytes())
    return path


def test_without_prices_there_are_hours_and_no_dollars(
    command: Command, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    answer = command("estimate", *tiny_cohort.options(), "--cases", "1-14", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert (found["cases"], found["cases_missing"]) == (14, 2)
    assert 0 < found["seconds"]["low"] < found["seconds"]["value"] < found["seconds"]["high"]
    assert found["dollars"] is None
    assert any("give --prices FILE" in item["how"] for item in found["unknown"])
    assert list(tmp_path.iterdir()) == []
    text = command("estimate", *tiny_cohort.options())
    assert "12 found, 0 missing" in text.out
    assert "cost      unknown" in text.out


def test_with_prices_there_are_dollars_and_a_dearer_capacity_costs_more(
    command: Command, tiny_cohort: TinyCohort, prices: Path
) -> None:
    asked = ["estimate", *tiny_cohort.options(), "--prices", prices, "--instance-type", "big", "--json"]
    spot = command(*asked, "--zone", "us-east-1a", "--workers", 4).json
    listed = command(*asked, "--capacity", "on-demand", "--region", "us-east-1", "--workers", 4).json
    hours = spot["worker_seconds"]["value"] / 3600
    assert spot["dollars"]["value"] == pytest.approx(hours * 0.072 / 2)
    assert listed["dollars"]["value"] == pytest.approx(hours * 0.09 / 2)
    assert spot["dollars"]["low"] < spot["dollars"]["value"] < spot["dollars"]["high"]
    double = command(*asked, "--zone", "us-east-1a", "--workers", 4, "--vcpus", 2).json
    assert double["dollars"]["value"] == pytest.approx(2 * spot["dollars"]["value"])


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "no such file"), ("{}x", "invalid JSON"), ('{"surprise": 1}', "surprise: not known here")],
)
def test_prices_that_are_none_are_a_bad_request(
    command: Command, tiny_cohort: TinyCohort, tmp_path: Path, content: str | None, what: str
) -> None:
    path = tmp_path / "prices.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    answer = command("estimate", *tiny_cohort.options(), "--prices", path)
    assert answer.code == 64
    assert "[bad_prices]" in answer.err
    assert what in answer.err


def test_a_run_says_how_good_its_estimate_was(command: Command, tiny_run: Answer) -> None:
    assert tiny_run.code == 0, tiny_run.err
    kept = Path(tiny_run.json["run_location"]) / "estimate.json"
    outcome = EstimateOutcome.model_validate_json(kept.read_bytes())
    assert outcome.whole_run
    assert outcome.took_seconds == tiny_run.json["seconds"]
    assert outcome.estimate.seconds is not None
    assert tiny_run.json["estimated_seconds"]["value"] == pytest.approx(outcome.estimate.seconds.value, abs=0.001)
    location = Path(tiny_run.json["location"])
    assert not list(location.rglob("estimate.json")), "a clock's time is no part of the data set"


def test_a_run_with_nothing_left_to_do_estimates_nothing(
    command: Command, tiny_run: Answer, tiny_cohort: TinyCohort, tiny_output: Path
) -> None:
    kept = Path(tiny_run.json["run_location"]) / "estimate.json"
    before = kept.read_bytes()
    asked = ["run", *tiny_cohort.options(), "--out", tiny_output, "--name", "tiny", "--shard-cases", 2]
    again = command(*asked, "--json")
    assert again.code == 0, again.err
    assert again.json["estimated_seconds"] is None
    assert kept.read_bytes() == before
    assert "estimated" not in command(*asked).out


def test_a_rehearsal_measures_the_machine_for_the_estimates(
    command: Command, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    fresh = command("estimate", *tiny_cohort.options(), "--out", out, "--workers", 1, "--json").json
    rehearsed = command("rehearse", *tiny_cohort.options(), "--out", out, "--workers", 1, "--json")
    factor = rehearsed.json["projection"]["machine_factor"]
    # Whether so short a run can be killed in its midst is another matter; one that passed is looked for.
    document = out / "rehearsals" / rehearsed.json["rehearsal_id"] / "rehearsal.json"
    document.write_text(json.dumps({**rehearsed.json, "go": True}), encoding="utf-8")
    found = command("estimate", *tiny_cohort.options(), "--out", out, "--workers", 1, "--json").json
    assert (fresh["calibrated"], found["calibrated"]) == (False, True)
    assert found["seconds"]["value"] == pytest.approx(fresh["seconds"]["value"] * factor["value"])
    elsewhere = command(
        "estimate", *tiny_cohort.options(), "--out", out, "--workers", 1, "--instance-type", "big", "--json"
    ).json
    assert not elsewhere["calibrated"]
    assert elsewhere["seconds"]["value"] == pytest.approx(found["seconds"]["value"])
    assert elsewhere["seconds"]["high"] > found["seconds"]["high"]
    planned = command("plan", *tiny_cohort.options(), "--out", out, "--json").json
    low, high = planned["estimated_seconds_range"]
    assert low <= planned["estimated_seconds"] <= high
    # The factor is relative to a model, of which the code version says nothing.
    document.write_text(json.dumps({**rehearsed.json, "go": True, "model_version": "another"}), encoding="utf-8")
    later = command("estimate", *tiny_cohort.options(), "--out", out, "--workers", 1, "--json").json
    assert (later["calibrated"], later["seconds"]) == (False, fresh["seconds"])


def test_figures_are_made_anew_from_a_run_and_used(
    command: Command, tiny_run: Answer, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    fitted = command("fit", tiny_run.json["run_location"], "--machine", "this one", "--date", "2026-01-01")
    assert fitted.code == 0, fitted.err
    assert "times as long as the fit says" in fitted.err
    path = tmp_path / "times.toml"
    path.write_text(fitted.out, encoding="utf-8")
    known = read_models(str(path)).workloads["vitaldb"]
    assert (known.measured_cases, known.machine) == (12, "this one")
    asked = ["estimate", *tiny_cohort.options(), "--workers", 1, "--times", path, "--json"]
    seconds = command(*asked).json["seconds"]
    assert seconds["value"] == pytest.approx(tiny_run.json["seconds"], rel=0.5)


def test_fit_tells_an_attempt_that_cannot_be_read(
    command: Command, tiny_run: Answer, tiny_output: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(tiny_output, tmp_path / "out")
    run = copied / Path(tiny_run.json["run_location"]).relative_to(tiny_output)
    attempt = next(run.glob("attempts/*/*.json"))
    attempt.write_text("{}")
    answer = command("fit", run, "--machine", "x", "--date", "2026-01-31")
    assert answer.code == 1
    assert answer.err.startswith(f"error [attempt_damaged] {attempt.relative_to(copied)}: partition: missing")


def test_fit_refuses_what_it_cannot_use(
    command: Command, tiny_run: Answer, tmp_path: Path, tiny_cohort: TinyCohort
) -> None:
    asked = ["--machine", "x", "--date", "2026-01-31"]
    answer = command("fit", tmp_path, *asked)
    assert (answer.code, "[bad_run]" in answer.err) == (64, True)
    answer = command("fit", tiny_run.json["run_location"], *asked, "--layouts", tiny_cohort.source / "0001.csv")
    assert (answer.code, "ground_truth.json" in answer.err) == (64, True)
    answer = command("fit", tiny_run.json["run_location"], tiny_run.json["run_location"], *asked, "--layouts", "a")
    assert (answer.code, "one for each run" in answer.err) == (64, True)
    assert json.loads(Path(tiny_run.json["run_location"], "estimate.json").read_text())["whole_run"]
