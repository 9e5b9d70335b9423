"""Reports: whatever ends an execution, there is one, it says what is known, and it makes no promise."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from core.run.failure import INCOMPLETE, NO_RUN, OVER_BUDGET, Failure, failure_of, report_failure, run_id_of
from core.run.layout import DataSetLayout, RunLayout
from core.run.publish import read_success
from core.run.report import MEANING, TO_DO, Ending, Money, RunReport, report_text
from core.store import open_store
from tests.cloud_bench import CloudBench, asked_toy

DATA_SET = DataSetLayout.named("toy")
STOPPED = Failure(ending="stopped", detail="")


def half_done(**settings: object) -> CloudBench:
    """Two of four partitions are committed, one was killed on the way."""
    bench = CloudBench(asked_toy({"fault": "value", "fault_case": 1, "empty": [2], **settings}, thresholds=None))
    bench.plan()
    for partition in (0, 1):
        bench.child(partition)
    bench.fate = lambda case: "kill"
    bench.child(2)
    bench.child(2)
    return bench


def text_of(bench: CloudBench) -> str:
    return bench.store.get(bench.layout.report).decode()


@pytest.mark.parametrize(
    ("error", "cause", "ending", "detail"),
    [
        ("BadRequestError", '{"errorMessage": "x: none [empty_cohort]"}', "bad request", "x: none [empty_cohort]"),
        ("IntegrityError", '{"errorMessage": "bad [plan_damaged]"}', "verification failed", "bad [plan_damaged]"),
        ("TransientError", '{"errorMessage": "slow [storage_busy]"}', "crash", "slow [storage_busy]"),
        ("BugError", '{"errorMessage": "oh [bug]", "stackTrace": ["secret"]}', "crash", "oh [bug]"),
        (OVER_BUDGET, "$12 are spent,\n the budget is $10", "over budget", "$12 are spent, the budget is $10"),
        (INCOMPLETE, "3 partitions are open", "incomplete", "3 partitions are open"),
        ("States.Timeout", "", "timed out", ""),
        ("TIMED_OUT", "", "timed out", ""),
        ("ABORTED", "by hand", "stopped", ""),
        ("KeyError", '{"errorMessage": "secret content of case 7"}', "crash", "KeyError"),
        ("States.TaskFailed", '{"JobName": "x", "StatusReason": "secret"}', "crash", "States.TaskFailed"),
        ("Batch.ClientException", "worker:7 is not\n ACTIVE", "crash",
         "AWS Batch refused the job: worker:7 is not ACTIVE"),
        ("Batch.ClientException", "", "crash", "Batch.ClientException"),
        ("Batch.ServerException", "secret", "crash", "Batch.ServerException"),
        ("", "", "crash", "unknown"),
        ("BugError", "[1, 2]", "crash", "BugError"),
        ("BugError", '{"errorMessage": null}', "crash", "BugError"),
    ],
)  # fmt: skip
def test_what_ended_an_execution(error: str, cause: str, ending: str, detail: str) -> None:
    failure = failure_of(error, cause)
    assert (failure.ending, failure.detail) == (ending, detail)
    assert "secret" not in failure.model_dump_json()


def test_the_code_is_found_and_a_long_message_is_cut() -> None:
    assert failure_of("BadRequestError", '{"errorMessage": "x [bad_where] y"}').code == "bad_where"
    assert len(failure_of("BugError", json.dumps({"errorMessage": "x" * 5000})).detail) == 500


@pytest.mark.parametrize(
    ("given", "run_id"),
    [
        ({"run_id": "toy-1"}, "toy-1"),
        ({"run_id": "../x"}, NO_RUN),
        ({"run_id": "a\n"}, NO_RUN),
        ({"run_id": 3}, NO_RUN),
        ({}, NO_RUN),
        ("x", NO_RUN),
    ],
)
def test_the_run_of_an_input_that_may_be_anything(given: object, run_id: str) -> None:
    assert run_id_of(given) == run_id


def test_a_stopped_run_reports_what_is_known() -> None:
    bench = half_done()
    money = Money(spent_usd=Decimal("1.5"), lost_usd=Decimal("0.25"), budget_usd=Decimal(20))
    report = report_failure(bench.store, bench.run_id, "first", STOPPED, money)
    assert (report.shards_committed, report.shards_planned, report.cases_planned) == (4, 6, 10)
    assert (report.open_partitions, report.first_open_partitions) == (2, (2, 3))
    assert report.outcomes == {"done": 4, "empty": 1, "failed": 1}
    assert report.attempts == {"crashed": 1, "finished": 2, "without a word": 1}
    assert not report.published
    text = text_of(bench)
    assert text.startswith("STOPPED")
    for wanted in ("to do", "$1.50", "$0.2500 lost", "$20.00", "2, 3", "1 crashed, 2 finished, 1 without a word"):
        assert wanted in text
    assert "not published" in text
    assert bench.store.get(bench.layout.execution_report("first")).decode() == text
    assert read_success(bench.store, DATA_SET) is None
    assert bench.store.head(bench.layout.verification) is None


def test_the_quarantine_of_what_is_committed() -> None:
    bench = half_done()
    report = report_failure(bench.store, bench.run_id, "first", STOPPED)
    assert report.reasons == {"internal": 1}
    assert report.quarantined == ("0001 internal",)
    lines = [json.loads(line) for line in bench.store.get(bench.layout.quarantine).splitlines()]
    assert [(line["case_id"], line["reason"]) for line in lines] == [("0001", "internal")]
    assert "secret" not in text_of(bench)


@pytest.mark.parametrize("ending", sorted(MEANING))
def test_nothing_in_the_failure_path_ever_publishes(ending: Ending) -> None:
    bench = CloudBench(asked_toy()).finished()
    report_failure(bench.store, bench.run_id, "first", Failure(ending=ending, detail=""))
    assert read_success(bench.store, DATA_SET) is None


@pytest.mark.parametrize("ending", ["stopped", "timed out", "crash", "over budget", "incomplete", "bad request"])
def test_a_finished_data_set_stays_when_a_later_execution_is_merely_stopped(ending: Ending) -> None:
    bench = CloudBench(asked_toy()).finished()
    bench.publish()
    report = report_failure(bench.store, bench.run_id, "second", Failure(ending=ending, detail=""))
    assert report.published
    assert read_success(bench.store, DATA_SET) is not None
    assert "published and verified" in text_of(bench)


@pytest.mark.parametrize("gone", [True, False])
def test_success_does_not_outlive_an_object_that_was_taken_away_to_be_made_again(gone: bool) -> None:
    bench = CloudBench(asked_toy()).finished()
    bench.publish()
    bench.store.delete(bench.layout.commit("train-00000"))
    if gone:
        bench.store.delete(DATA_SET.key("train/train-00000.tfrecord.gz"))
    report = report_failure(bench.store, bench.run_id, "second", STOPPED)
    assert report.open_partitions == 1
    assert report.published is not gone, "records go after a while, and the data set stays what it was"
    assert (read_success(bench.store, DATA_SET) is None) == gone
    assert ("published and verified" in text_of(bench)) is not gone


def test_stored_data_that_contradicts_itself_takes_success_back() -> None:
    bench = CloudBench(asked_toy()).finished()
    bench.publish()
    bench.store.put(bench.layout.commit("train-00000"), b"{}")
    failure = failure_of("IntegrityError", '{"errorMessage": "train: [commit_damaged]"}')
    report = report_failure(bench.store, bench.run_id, "second", failure)
    assert not report.published
    assert read_success(bench.store, DATA_SET) is None
    assert any("commit_damaged" in problem for problem in report.problems)
    assert report.shards_committed == report.shards_planned


def test_missing_findings_say_nothing_against_the_data() -> None:
    bench = CloudBench(asked_toy()).finished()
    bench.publish()
    failure = failure_of("IntegrityError", '{"errorMessage": "1 of 5 [findings_missing]"}')
    assert report_failure(bench.store, bench.run_id, "second", failure).published
    assert read_success(bench.store, DATA_SET) is not None


def test_another_runs_success_is_never_taken_back() -> None:
    bench = CloudBench(asked_toy()).finished()
    bench.publish()
    success = bench.store.get(DATA_SET.success).replace(bench.run_id.encode(), b"toy-of-another")
    bench.store.put(DATA_SET.success, success)
    failure = failure_of("IntegrityError", '{"errorMessage": "[commit_damaged]"}')
    report = report_failure(bench.store, bench.run_id, "second", failure)
    assert not report.published
    assert bench.store.get(DATA_SET.success) == success


def test_a_refused_id_does_not_speak_over_the_runs_own_report() -> None:
    bench = CloudBench(asked_toy()).finished()
    bench.publish()
    before = text_of(bench)
    failure = failure_of("BadRequestError", '{"errorMessage": "asked for differently [run_id_taken]"}')
    report = report_failure(bench.store, bench.run_id, "second", failure)
    assert text_of(bench) == before
    assert b"run_id_taken" in bench.store.get(report.report_key)


def test_a_run_that_was_never_planned() -> None:
    store = open_store("memory://")
    failure = failure_of("BadRequestError", '{"errorMessage": "no case is selected [empty_cohort]"}')
    report = report_failure(store, "toy-1", "first", failure)
    assert report.cases_planned is None
    text = store.get(RunLayout("toy-1").report).decode()
    assert "the run was not planned" in text
    assert "empty_cohort" in text
    assert [item.key for item in store.list()] == [
        "runs/toy-1/executions/first.txt",
        "runs/toy-1/report.json",
        "runs/toy-1/report.txt",
    ]


def test_an_input_that_names_no_run() -> None:
    store = open_store("memory://")
    report = report_failure(
        store, NO_RUN, "first", failure_of("BadRequestError", '{"errorMessage": "[bad_submission]"}')
    )
    assert [item.key for item in store.list()] == [report.report_key]


@pytest.mark.parametrize("name", ["request", "shards"])
def test_damaged_documents_are_reported_and_not_raised(name: str) -> None:
    bench = half_done()
    bench.store.put(getattr(bench.layout, name), b"\xff")
    report = report_failure(bench.store, bench.run_id, "first", STOPPED)
    assert report.problems
    assert "failed" in text_of(bench)


def test_a_damaged_attempt_is_counted_as_one() -> None:
    bench = half_done()
    bench.store.put(bench.layout.attempt(0, 1), b"{}")
    assert report_failure(bench.store, bench.run_id, "first", STOPPED).attempts["unreadable"] == 1


def test_success_and_its_report() -> None:
    bench = CloudBench(asked_toy({"fault": "value", "fault_case": 3}, success_threshold=0.5)).finished()
    assert bench.publish().verification.passed
    text = text_of(bench)
    assert text.startswith("SUCCESS")
    assert "1 internal" in text
    assert "90.0%, wanted 50.0%" in text
    assert "published and verified" in text


def test_too_many_failed_cases_are_an_ending_of_their_own() -> None:
    bench = CloudBench(asked_toy({"fault": "value", "fault_case": 3})).finished()
    assert not bench.publish().verification.passed
    assert text_of(bench).startswith("QUARANTINE ABOVE THRESHOLD")
    key = DATA_SET.key("train/train-00000.tfrecord.gz")
    bench.store.put(key, bench.store.get(key)[:-1])
    bench.verify()
    bench.publish("second")
    assert text_of(bench).startswith("VERIFICATION FAILED")


def test_every_ending_has_its_words() -> None:
    for ending in MEANING:
        report = RunReport(run_id="r", execution="e", ending=ending, output="s3://b", report_key="runs/r/e.txt")
        assert MEANING[ending] in report_text(report)
        assert TO_DO[ending] in report_text(report)
        assert report.failed == (ending != "success")
