"""Rehearsals: killed for real, compared with an undisturbed run, and found again by the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadRequestError
from core.run.plan import PlanOptions, make_plan
from core.run.rehearsal import RehearsalRequest, find_passed, rehearse
from core.run.rehearsal_models import Rehearsal, RehearsalLimits, RehearsalScale
from core.store import Store, open_store
from tests.command_line import casemill
from tests.tiny_recordings import TinyCohort
from tests.toy_workload import ToyWorkload, build_toy

pytestmark = pytest.mark.slow


def request_of(settings: dict[str, Any], **changes: Any) -> RehearsalRequest:
    toy = ToyWorkload(settings)
    content: dict[str, Any] = {
        "plan": make_plan(toy, None, {}, PlanOptions(data_set="real")),
        "workload": toy,
        "build_workload": build_toy,
        "scale": RehearsalScale(workers=2, array=4),
        "limits": RehearsalLimits(success_rate=0.95),
        "seed": 5,
    }
    return RehearsalRequest(**{**content, **changes})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(tmp_path_factory.mktemp("rehearsal"))


@pytest.fixture(scope="module")
def passed(store: Store) -> Rehearsal:
    """240 cases of 0.1 s, of which 24 are rehearsed."""
    return rehearse(store, request_of({"cases": 240, "seconds": 0.1}))


def test_sample_is_killed_in_work_resumed_and_gives_the_same_data(store: Store, passed: Rehearsal) -> None:
    assert passed.go, passed.reasons
    assert (passed.sample.cases, passed.sample.of) == (24, 240)
    assert passed.disturbance.killed
    assert passed.disturbance.identical
    assert 0 <= passed.disturbance.restored < 24
    runs = {item.key.split("/")[4] for item in store.list(f"rehearsals/{passed.rehearsal_id}/runs")}
    assert len(runs) == 1 + passed.disturbance.tries
    attempts = [item.key for item in store.list(f"rehearsals/{passed.rehearsal_id}/runs") if "/attempts/" in item.key]
    ends = [json.loads(store.get(key))["why"] for key in attempts]
    assert "crashed" in ends, "the killed attempts are on record"


def test_its_data_sets_say_that_they_are_not_for_training(store: Store, passed: Rehearsal) -> None:
    folder = f"rehearsals/{passed.rehearsal_id}/datasets"
    cards = [item.key for item in store.list(folder) if item.key.endswith("/dataset_card.md")]
    assert len(cards) >= 2, "the undisturbed and the disturbed one; and one that was killed too late, if any"
    for key in cards:
        assert "This is a rehearsal and not for training. It holds 24 of the 240 cases" in store.get(key).decode()
        described = json.loads(store.get(key.replace("dataset_card.md", "croissant.json")))["description"]
        assert described.startswith("This is a rehearsal and not for training. It holds 24 of the 240 cases")


def test_nothing_of_the_real_run_is_touched(store: Store, passed: Rehearsal) -> None:
    assert {item.key.split("/")[0] for item in store.list()} == {"rehearsals"}


def test_projection_is_near_what_the_cases_take(passed: Rehearsal) -> None:
    # 240 cases of 0.1 s and what packing takes; other work on the machine may slow it down.
    assert 24 <= passed.projection.worker_hours.value * 3600 < 240
    assert passed.projection.records.value == pytest.approx(240 * 6)
    assert passed.projection.dollars is None
    assert 20e6 < passed.projection.peak_memory_bytes < 1e9


def test_passed_rehearsal_is_found_for_its_configuration_only(store: Store, passed: Rehearsal) -> None:
    request = request_of({"cases": 240, "seconds": 0.1}).plan.request
    assert find_passed(store, request) == passed
    assert find_passed(store, request_of({"cases": 240, "seconds": 0.2}).plan.request) is None


def test_failing_sample_is_no_go_and_not_taken_for_passed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    settings = {"cases": 20, "seconds": 0.05, "fault": "value", "fault_case": 3}
    asked = request_of(settings, limits=RehearsalLimits(success_rate=0.96), scale=RehearsalScale(workers=1, array=4))
    found = rehearse(store, asked)
    assert not found.go
    assert found.reasons == ("95.0% of the cases would succeed, 96.0% are needed",)
    assert found.projection.failures == {"internal": 1.0}
    assert find_passed(store, asked.plan.request) is None
    later = found.model_copy(update={"rehearsal_id": f"{found.digest}/10", "go": True})
    store.put(f"rehearsals/{later.rehearsal_id}/rehearsal.json", later.to_bytes())
    store.put(f"rehearsals/{found.digest}/11/rehearsal.json", b"{}")
    assert find_passed(store, asked.plan.request) == later


def test_no_case_in_the_source_is_a_bad_request(tmp_path: Path) -> None:
    asked = request_of({"cases": 3})
    entries = tuple(
        entry.__class__(entry.case.__class__(**{**entry.case.__dict__, "key": None}), entry.split, entry.shard)
        for entry in asked.plan.cases
    )
    plan = asked.plan.__class__(asked.plan.request, entries, asked.plan.shards)
    with pytest.raises(BadRequestError, match="no_cases"):
        rehearse(open_store(tmp_path), request_of({"cases": 3}, plan=plan))
    assert list(tmp_path.iterdir()) == []


def test_command_says_no_go_with_the_reason_and_exit_code_one(tiny_cohort: TinyCohort, tmp_path: Path) -> None:
    answer = casemill(
        "rehearse", *tiny_cohort.options(), "--out", tmp_path / "out", "--workers", 1, "--memory-limit-mb", 5, "--json"
    )
    assert answer.code == 1, answer.err
    document = Rehearsal.model_validate(answer.json)
    assert not document.go
    assert any("of memory, 5 MB are allowed" in reason for reason in document.reasons)
    assert document.sample.cases == 12
    stored = tmp_path / "out" / "rehearsals" / document.rehearsal_id / "rehearsal.json"
    assert Rehearsal.model_validate_json(stored.read_bytes()) == document


@pytest.mark.parametrize(
    ("options", "said"), [(("--share", 0), "--share"), (("--workers", 0), "--workers"), (("--cases", "x"), "cases")]
)
def test_wrong_commands_are_bad_requests(tiny_cohort: TinyCohort, tmp_path: Path, options: Any, said: str) -> None:
    answer = casemill("rehearse", *tiny_cohort.options(), "--out", tmp_path / "out", *options)
    assert answer.code == 64, answer.err
    assert said in answer.err
    assert not (tmp_path / "out" / "rehearsals").exists()
