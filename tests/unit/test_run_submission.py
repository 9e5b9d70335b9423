"""Submissions: what can be asked, how it is named, and that the same run is taken up and never planned twice."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli.options import Asked, asked_run, plan_of
from core.errors import BadRequestError, IntegrityError
from core.run.pins import CloudPins, pin, read_pins
from core.run.plan import RUN_ID_PATTERN, PlanOptions, make_plan
from core.run.submission import (
    AskedRun,
    Submission,
    check_locations,
    plan_asked,
    read_submission,
    submission_id,
)
from core.run.take_up import plan_submission, read_asked, take_up
from core.store import ObjectInfo, Store
from core.workloads.registry import build_workload
from tests.cloud_bench import CloudBench, asked_toy
from tests.tiny_recordings import TinyCohort
from tests.toy_workload import ToyWorkload, build_toy


def code_of(error: pytest.ExceptionInfo[BadRequestError]) -> str:
    return error.value.code


def asking(**asked: Any) -> dict[str, Any]:
    return {"run_id": "a", "asked": {"source": "s3://b/p", "workload": "vitaldb", **asked}}


def test_a_submission_reads_back_from_its_json() -> None:
    submission = Submission(run_id="toy-1", asked=asked_toy({"cases": 3}), budget_usd=2.5)
    assert read_submission(submission.model_dump_json()) == submission
    assert read_submission(submission.model_dump(mode="json")) == submission
    assert read_submission({"run_id": "toy-1"}) == Submission(run_id="toy-1", asked=None, budget_usd=20)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "run_id"),
        ({"run_id": "../other"}, "run_id"),
        ({"run_id": ""}, "run_id"),
        ({"run_id": "a" * 65}, "run_id"),
        ({"run_id": "a", "budget_usd": 0}, "budget_usd"),
        ({"run_id": "a", "budget_usd": -1}, "budget_usd"),
        ({"run_id": "a", "budget_usd": "NaN"}, "budget_usd"),
        ({"run_id": "a", "surprise": 1}, "surprise"),
        (asking(partitions=0), "asked.partitions"),
        (asking(partitions=10_001), "asked.partitions"),
        (asking(workload="Vital DB"), "asked.workload"),
        (asking(source=""), "asked.source"),
        ({"run_id": "a", "asked": {"source": "s3://b"}}, "asked.workload"),
        (asking(success_threshold=2), "asked.success_threshold"),
        (asking(selection=["1-3"]), "asked.selection"),
        (asking(data_set="../x"), "asked.data_set"),
        (asking(settings={"window_s": float("nan")}), "asked"),
        (asking(settings={"window_s": object()}), "asked"),
        (asking(thresholds={"salt": "s", "validation": float("nan"), "test": 1.0}), "asked"),
        (asking(thresholds={"salt": "s", "validation": 0.9, "test": 0.8}), "asked"),
        ([], "the input"),
    ],
)  # fmt: skip
def test_what_is_no_submission_is_refused_by_the_fields_name(given: Any, field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read_submission(given)
    assert code_of(caught) == "bad_submission"
    assert caught.value.what.startswith(f"{field}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "run_id: missing"),
        ({"run_id": "Mueller, Anna"}, f"run_id: it does not fit {RUN_ID_PATTERN}"),
        ({"run_id": "a", "budget_usd": "63,5"}, "budget_usd: it is no number"),
        ({"run_id": "a", "budget_usd": -63.5}, "budget_usd: it is too small, it must be above 0.0"),
        ({"run_id": "a", "surprise": "Mueller"}, "surprise: not known here"),
        (asking(partitions=-63), "asked.partitions: it is too small, 1 is the least"),
        (asking(source=""), "asked.source: too short a text, 1 is the least"),
        (asking(thresholds={"salt": "s", "validation": 0.9, "test": 0.8}), "asked: thresholds must rise from 0 to 1"),
        (["Mueller"], "the input: no object with names"),
        ("Mueller", "the input: invalid JSON: expected value at line 1 column 1"),
    ],
)
def test_what_is_no_submission_is_told_in_our_words_and_without_the_value(given: Any, what: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read_submission(given)
    assert caught.value.what == what


@given(st.one_of(st.text(max_size=40), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(["run_id", "asked", "budget_usd", "source", "workload"]), inner),
)))  # fmt: skip
def test_anything_else_is_a_bad_request_and_never_a_crash(given: Any) -> None:
    with suppress(BadRequestError):
        assert read_submission(given).budget_usd > 0


@given(st.integers(1_000, 300_000), st.sampled_from([",7", '"', "ü", "\ud800"]))
def test_what_is_let_in_fits_every_step_and_the_event_of_the_end(size: int, piece: str) -> None:
    """States.ALL does not catch a state that is too large: a run that was worked, paid and published would end without
    its mail, and its event without the input that names it."""
    submission = asking(selection={"cases": piece * (size // len(piece))})
    text = json.dumps(submission)
    if len(text) + 60_000 < 262_144 and len(json.dumps(text)) < 190 * 1024:
        assert read_submission(submission).asked
    elif len(json.dumps(text)) > 200 * 1024:
        with pytest.raises(BadRequestError, match="submission_too_large"):
            read_submission(submission)


def test_the_id_depends_on_everything_that_is_asked_and_on_nothing_else() -> None:
    asked = asked_toy({"cases": 3, "windows": 4})
    assert submission_id(asked).startswith("toy-")
    assert len(submission_id(asked)) == len("toy-") + 12
    again = AskedRun.model_validate(json.loads(asked.model_dump_json()))
    assert submission_id(again) == submission_id(asked)
    turned = asked.model_copy(update={"settings": {"windows": 4, "cases": 3}})
    assert submission_id(turned) == submission_id(asked)
    changes: list[dict[str, Any]] = [
        {"salt": "other"}, {"data_set": None}, {"partitions": 3}, {"settings": {"cases": 4, "windows": 4}},
        {"checkpoint_seconds": 30.0}, {"source": "s3://b/p"},
    ]  # fmt: skip
    ids = {submission_id(asked.model_copy(update=change)) for change in changes}
    assert len(ids | {submission_id(asked)}) == len(changes) + 1


def test_the_command_line_plans_what_the_plan_function_plans(tiny_cohort: TinyCohort) -> None:
    of_workload = {"clinical": str(tiny_cohort.clinical), "cases": "1-6"}
    asked = Asked(source=str(tiny_cohort.source), name="tiny", of_workload=of_workload)
    by_command_line, workload = plan_of(asked)
    document = AskedRun.model_validate_json(asked_run(asked).to_bytes())
    by_function, _ = plan_asked(document, build_workload)
    assert by_function == by_command_line
    named, _ = plan_asked(document, build_workload, run_id="mine", image_digest="sha256:1")
    assert (named.request.run_id, named.request.image_digest) == ("mine", "sha256:1")
    assert (named.cases, named.shards) == (by_function.cases, by_function.shards)
    # What is asked is complete: no default of the other machine takes part.
    assert document.settings == workload.configuration()


def test_a_run_without_a_name_gives_its_data_set_the_given_id() -> None:
    plan, _ = plan_asked(asked_toy(data_set=None), build_toy, run_id="given")
    assert (plan.request.run_id, plan.request.data_set) == ("given", "given")
    plain = make_plan(ToyWorkload({}), None, {}, PlanOptions())
    assert plain.request.run_id != "given"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (asked_toy({"cases": 0}), "empty_cohort"),
        (AskedRun(source=None, workload="nonsense"), "unknown_workload"),
        (AskedRun(source="/no/such/folder", workload="vitaldb"), "bad_location"),
        (AskedRun(source=None, workload="vitaldb"), "no_source"),
        (AskedRun(source=None, workload="vitaldb", settings={"window_s": 0}), "bad_setting"),
    ],
    ids=["no case", "workload", "source", "no source", "setting"],
)
def test_what_cannot_work_is_refused_with_a_sentence(asked: AskedRun, code: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        plan_asked(asked, build_toy if asked.workload == "toy" else build_workload)
    assert code_of(caught) == code
    assert caught.value.what


def test_a_source_without_the_cases_asked_for(tiny_cohort: TinyCohort) -> None:
    asked = AskedRun.model_validate(
        {"source": str(tiny_cohort.source), "workload": "vitaldb", "selection": {"cases": "900-901"}}
    )
    with pytest.raises(BadRequestError) as caught:
        plan_asked(asked, build_workload)
    assert code_of(caught) == "empty_cohort"


@pytest.mark.parametrize("location", ["/data", "file:///data", "memory://", "data", "http://host/x"])
def test_only_buckets_are_read_from_the_cloud(location: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        check_locations(AskedRun(source=location, workload="toy"), ToyWorkload({}))
    assert (code_of(caught), caught.value.where) == ("not_in_a_bucket", "source")
    with pytest.raises(BadRequestError) as caught:
        check_locations(
            AskedRun(source="s3://b", workload="toy", selection={"table": location, "cases": "1"}), ToyWorkload({})
        )
    assert caught.value.where == "selection.table"


def test_buckets_and_no_source_at_all_are_fine() -> None:
    check_locations(AskedRun(workload="toy"), ToyWorkload({}))
    asked = AskedRun(source="s3://b/p", workload="toy", selection={"table": "s3://b/c.csv"})
    check_locations(asked, ToyWorkload({}))


def test_a_run_is_planned_once_and_then_taken_up() -> None:
    bench = CloudBench(asked_toy())
    assert take_up(bench.store, bench.submission) is None
    first = bench.plan()
    before = {item.key: bench.store.get(item.key) for item in bench.store.list()}
    assert first.request.run_id == bench.run_id
    assert not first.published
    again = bench.plan()
    assert again == first
    assert take_up(bench.store, Submission(run_id=bench.run_id)) == first
    assert {item.key: bench.store.get(item.key) for item in bench.store.list()} == before
    assert read_asked(bench.store, bench.run_id) == bench.asked


def test_a_plan_of_yesterday_holds_although_the_source_has_grown() -> None:
    bench = CloudBench(asked_toy())
    first = bench.plan()

    def grown(name: str, settings: dict[str, Any]) -> ToyWorkload:
        return ToyWorkload({**settings, "cases": 20})

    assert plan_submission(bench.store, bench.submission, grown) == first


def test_the_same_id_for_something_else_is_refused() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    other = Submission(run_id=bench.run_id, asked=asked_toy(salt="other"))
    for function in (take_up, lambda store, submission: plan_submission(store, submission, build_toy)):
        with pytest.raises(BadRequestError) as caught:
            function(bench.store, other)
        assert code_of(caught) == "run_id_taken"
        assert "salt" in caught.value.what


def test_the_id_of_a_run_of_one_machine_is_refused_too() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    bench.store.delete(bench.layout.asked)
    with pytest.raises(BadRequestError) as caught:
        bench.plan()
    assert code_of(caught) == "run_id_taken"
    assert take_up(bench.store, Submission(run_id=bench.run_id)) is not None


def test_nothing_to_take_up() -> None:
    bench = CloudBench(asked_toy())
    with pytest.raises(BadRequestError) as caught:
        plan_submission(bench.store, Submission(run_id="nobody"), build_toy)
    assert code_of(caught) == "no_run"


def test_a_finished_run_says_that_it_is_published() -> None:
    bench = CloudBench(asked_toy()).finished()
    assert bench.publish().verification.passed
    assert bench.plan().published


@pytest.mark.parametrize("left", ["cases", "shards", "both"])
def test_what_a_planner_left_that_died_is_no_part_of_the_next_plan(left: str) -> None:
    """It died before its last word, and since then the source has grown."""
    bench, other = CloudBench(asked_toy()), CloudBench(asked_toy({"cases": 20}))
    other.plan()
    bench.store.put(bench.layout.asked, bench.asked.to_bytes())
    for name in ("cases", "shards"):
        if left in (name, "both"):
            bench.store.put(getattr(bench.layout, name), other.store.get(getattr(other.layout, name)))
    assert sum(shard.cases for shard in bench.plan().shards.shards) == 10
    assert bench.work().action == "verify"
    bench.verify()
    assert bench.publish().verification.passed


def test_two_planners_at_once_never_take_each_others_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looked for the first one's last word just before it was written."""
    bench = CloudBench(asked_toy())
    head, delete, deleted = Store.head, Store.delete, list[str]()

    def late(store: Store, key: str) -> ObjectInfo | None:
        found = head(store, key)
        if key == bench.layout.request and found is None:
            monkeypatch.setattr(Store, "head", head)
            bench.plan()
        return found

    def remember(store: Store, key: str) -> None:
        deleted.append(key)
        delete(store, key)

    bench.store.put(bench.layout.asked, bench.asked.to_bytes())
    assert take_up(bench.store, Submission(run_id=bench.run_id, asked=bench.asked)) is None
    monkeypatch.setattr(Store, "delete", remember)
    monkeypatch.setattr("core.run.take_up.take_up", lambda store, submission: None)
    monkeypatch.setattr(Store, "head", late)
    assert sum(shard.cases for shard in bench.plan().shards.shards) == 10
    assert deleted == []


def test_a_stored_plan_that_is_not_one_plan_is_damage() -> None:
    bench, other = CloudBench(asked_toy()), CloudBench(asked_toy({"cases": 20}))
    bench.plan()
    other.plan()
    bench.store.put(bench.layout.cases, other.store.get(other.layout.cases))
    with pytest.raises(IntegrityError) as caught:
        bench.plan()
    assert caught.value.code == "plan_damaged"


def test_the_first_pins_hold() -> None:
    bench = CloudBench(asked_toy())
    first = CloudPins(
        run_id=bench.run_id, stage="test", job_definition="arn:aws:batch:eu-west-1:1:job-definition/worker:7",
        image="repository@sha256:1", code_version="1", planned_by="first",
    )  # fmt: skip
    assert read_pins(bench.store, bench.run_id) is None
    assert pin(bench.store, first) == first
    later = first.model_copy(update={"job_definition": "arn:aws:batch:eu-west-1:1:job-definition/worker:8"})
    assert pin(bench.store, later) == first
    bench.store.put(bench.layout.pins, b"{}")
    with pytest.raises(IntegrityError) as caught:
        pin(bench.store, later)
    assert caught.value.code == "pins_damaged"
    assert (caught.value.where, caught.value.what) == (bench.layout.pins, "run_id: missing")


def test_a_stored_request_that_cannot_be_read_is_damage() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    bench.store.put(bench.layout.asked, b'{"workload": "Vital DB"}')
    with pytest.raises(IntegrityError) as caught:
        read_asked(bench.store, bench.run_id)
    assert (caught.value.code, caught.value.where) == ("plan_damaged", bench.layout.asked)
    assert caught.value.what.startswith("workload: it does not fit ^")


def test_a_job_definition_without_its_revision_pins_nothing() -> None:
    with pytest.raises(ValueError, match="job_definition"):
        CloudPins(run_id="a", stage="s", job_definition="worker", image="i", code_version="1", planned_by="e")
