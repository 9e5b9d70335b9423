"""The functions one after the other, as the state machine calls them; refusals, retries, and events that come twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import BadRequestError, BugError, IntegrityError, TransientError
from core.run.layout import RunLayout
from core.run.pipeline import execute
from core.run.submission import plan_asked
from core.store import open_store
from handlers.aws import clients
from handlers.environment import environment
from tests.cloud_bench import asked_toy
from tests.functions_bench import DEFINITION, QUEUES, SOURCES, FunctionsBench, figures, other_run, toy_prices
from tests.localcloud.alarms import metrics_in_log
from tests.s3_server import S3Server
from tests.storage_faults import Rule
from tests.toy_workload import build_toy

BAD_GUESS = {"Error": "BugError", "Cause": '{"errorMessage": "KeyError [bug]", "errorType": "BugError"}'}


@pytest.fixture
def bench(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FunctionsBench]:
    server.faults.reset()
    yield FunctionsBench(server, monkeypatch)
    server.faults.reset()


def refuse(fault: str, service: str, times: int | None = None) -> Rule:
    """Every call of a service that is no S3."""
    return Rule(fault, times=times, when=lambda environ: f"/{service}/aws4" in environ.get("HTTP_AUTHORIZATION", ""))


def test_a_run_from_its_plan_to_its_mail(
    bench: FunctionsBench, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    planned = bench.plan()
    assert planned == {
        "run": {"run_id": bench.run_id, "output": bench.output, "job_definition": DEFINITION, "budget_usd": 20.0},
        "tries": 0,
        "blocked": False,
    }
    found = bench.inspect()
    assert (found["action"], found["round"], found["tries"], found["queue"]) == ("work_array", 1, 1, QUEUES["spot"])
    assert (found["array_size"], found["holes"]) == (4, 4)
    bench.work(found)
    found = bench.inspect(1)
    assert (found["action"], found["groups"]) == ("verify", [0])
    answer = bench.call("verify", run_id=bench.run_id, group=0)
    assert (answer["group"], answer["problems"]) == (0, 0)
    published = bench.publish()
    assert published["verified"]
    assert bench.notify(published=published) == {"sent": True}
    assert bench.notify(published=published) == {"sent": False}
    [mail] = bench.mailbox.read()
    assert mail.subject == f"Casemill (test): run {bench.run_id} is verified"
    store = open_store(bench.output)
    assert f"Page:          {bench.output}/runs/{bench.run_id}/report.html\n" in mail.text
    assert "Verified: run" in page(bench)
    success = json.loads(store.get("datasets/toy/_SUCCESS"))
    plan, workload = plan_asked(asked_toy(bench.settings), build_toy)
    alone = execute(open_store(tmp_path, create=True), plan, workload, build_toy, 1)
    assert success["root_hash"] == alone.manifest.root_hash
    assert [message["case_number"] for message in bench.messages()] == [5]
    told = figures(capsys.readouterr().out)
    assert (told["RunsStarted"], told["RunsSucceeded"], told["RunsFailed"], told["CasesFailed"]) == (1, 1, 0, 1)
    assert (told["RunsWithinTarget"], told["CasesDone"]) == (0, 29), "the toy's clock stands at 1970"
    assert told["CasesWithinTarget"] == 0
    assert "CostUsd" not in told, "without prices the cost is unknown, not zero"
    assert re.search("\ncost +unknown: no price could be had; nobody watched the budget\n", mail.text)


def page(bench: FunctionsBench) -> str:
    return open_store(bench.output).get(f"runs/{bench.run_id}/report.html").decode()


def test_a_page_that_cannot_be_made_spoils_nothing(bench: FunctionsBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> bytes:
        raise ValueError("secret content")

    bench.verified()
    monkeypatch.setattr("core.report.write.render_run", broken)
    published = bench.publish()
    assert (published["verified"], published["report"]["page_key"]) == (True, "")
    assert bench.notify(published=published) == {"sent": True}
    [mail] = bench.mailbox.read()
    assert "Page:" not in mail.text
    assert '"code":"report_failed"' in bench.log.getvalue().replace(": ", ":")
    assert "secret" not in bench.log.getvalue()


def test_metrics_and_logs_name_ids_and_counts_only(bench: FunctionsBench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.verified()
    bench.notify(published=bench.publish())
    secret = "age > 63 AND opname = 'Whipple'"
    asked = {**bench.submission["asked"], "selection": {"cases": "all", "clinical": "s3://private/x", "where": secret}}
    with pytest.raises(BadRequestError):
        bench.plan(asked=asked)
    printed = capsys.readouterr().out
    lines = [json.loads(line) for line in printed.splitlines()]
    data = list(metrics_in_log(printed))
    assert data
    sets = {tuple(sorted(part["Name"] for part in found["Dimensions"])) for found in data}
    assert sets == {("stage", "workload"), ("stage",)}
    assert {part["Value"] for found in data for part in found["Dimensions"]} == {"test", "toy"}
    assert {found["Namespace"] for found in data} == {"Casemill"}
    known = {found["MetricName"] for found in data} | {"workload", "stage", "_aws"}
    assert {name for line in lines for name in line} <= known, "a line holds figures and dimensions, nothing else"
    log = bench.log.getvalue()
    assert bench.run_id in log
    for word in ("Whipple", "63", "private", "s3://", "opname", bench.bucket):
        assert word not in re.sub(r'"(timestamp|location)":"[^"]*"', "", log)


def test_planning_again_takes_up_the_run_and_keeps_its_pins(
    bench: FunctionsBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.plan()
    monkeypatch.setenv("CASEMILL_JOB_DEFINITION", DEFINITION.replace(":7", ":8"))
    environment.cache_clear()
    assert bench.plan()["run"]["job_definition"] == DEFINITION
    assert bench.plan(asked=None) == first
    taken = {**other_run(bench, shard_cases=3), "run_id": bench.run_id}
    with pytest.raises(BadRequestError, match="run_id_taken"):
        bench.call("plan", execution="second", submission=taken)
    with pytest.raises(BadRequestError, match="no_run"):
        bench.call("plan", execution="third", submission={"run_id": "toy-nobody"})


@pytest.mark.parametrize("given", [None, [], "text", {"run_id": "a b"}, {"run_id": "toy-1", "budget_usd": 0}])
def test_an_input_that_is_no_submission_is_refused(bench: FunctionsBench, given: Any) -> None:
    with pytest.raises(BadRequestError, match="bad_submission"):
        bench.call("plan", execution="first", submission=given)


def test_more_than_the_steps_can_hand_on_is_refused_before_anything_is_planned(bench: FunctionsBench) -> None:
    bench.plan()
    bench.publish(failure=BAD_GUESS)
    layout, store = RunLayout(bench.run_id), open_store(bench.output)
    before = store.get(layout.report)
    asked = {"source": "s3://b/p", "workload": "toy", "selection": {"x": "7" * 230_000}}
    large = {"run_id": bench.run_id, "asked": asked}
    with pytest.raises(BadRequestError, match="submission_too_large") as raised:
        bench.call("plan", execution="second", submission=large)
    failure = {"Error": "BadRequestError", "Cause": json.dumps({"errorMessage": str(raised.value)})}
    report = bench.call("publish", execution="second", submission=large, failure=failure)["report"]
    assert (report["ending"], report["code"]) == ("bad request", "submission_too_large")
    assert store.get(layout.report) == before, "it speaks for nobody but itself"


def test_a_folder_is_no_source_for_the_cloud(bench: FunctionsBench) -> None:
    asked = {**bench.submission["asked"], "source": "/home/me/recordings"}
    with pytest.raises(BadRequestError, match="not_in_a_bucket"):
        bench.plan(asked=asked)


def test_a_source_that_was_not_granted_is_told_with_what_to_do(bench: FunctionsBench) -> None:
    bench.server.faults.reset(Rule("AccessDenied", path="/foreign.*"))
    submission = {"run_id": "vitaldb-1", "asked": {"source": "s3://foreign/vital", "workload": "vitaldb"}}
    with pytest.raises(BadRequestError, match="storage_denied") as raised:
        bench.call("plan", execution="first", submission=submission)
    said = str(raised.value)
    assert "s3://foreign" in said
    assert ", ".join(SOURCES) in said
    assert "casemill:source_buckets" in said


def test_an_output_that_is_refused_is_not_taken_for_a_source(bench: FunctionsBench) -> None:
    bench.server.faults.reset(Rule("AccessDenied"))
    with pytest.raises(BadRequestError, match="storage_denied") as raised:
        bench.plan()
    assert "source_buckets" not in str(raised.value)


@pytest.mark.parametrize("fault", ["SlowDown", "InternalError", "ExpiredToken"])
def test_storage_that_fails_is_worth_another_try(bench: FunctionsBench, fault: str) -> None:
    bench.plan()
    bench.server.faults.reset(Rule(fault))
    with pytest.raises(TransientError):
        bench.inspect()


def test_after_a_blocked_round_and_for_the_last_one_capacity_is_on_demand(bench: FunctionsBench) -> None:
    bench.plan()
    assert bench.inspect(1, blocked=True)["queue"] == QUEUES["on-demand"]
    assert bench.inspect(1)["queue"] == QUEUES["spot"]
    last = bench.inspect(2)
    assert (last["queue"], last["tries"]) == (QUEUES["on-demand"], 3)
    assert bench.inspect(3)["action"] == "give_up"


@pytest.mark.parametrize(
    ("function", "event", "what"),
    [
        ("inspect", {"run_id": "toy-1", "tries": -17, "blocked": False, "execution": "x"},
         "tries: it is too small, 0 is the least"),
        ("inspect", {"run_id": "toy-1", "tries": "value", "blocked": False, "execution": "x"},
         "tries: it is no whole number"),
        ("verify", {"run_id": "toy-1"}, "group: missing"),
        ("verify", ["value"], "no object with names"),
        ("notify", {"execution": "x", "submission": {}, "secret": "value"}, "secret: not known here"),
        ("notify", {"detail-type": "value", "detail": {"name": "x", "status": "FAILED"}},
         "detail-type: it is unknown, it must be 'Step Functions Execution Status Change'"),
        ("notify", {"detail-type": "Step Functions Execution Status Change", "detail": {}}, "detail.name: missing"),
    ],
)  # fmt: skip
def test_an_event_of_another_kind_is_refused_by_its_field(
    bench: FunctionsBench, function: str, event: Any, what: str
) -> None:
    with pytest.raises(BugError, match="bad_event") as raised:
        bench.send(function, event)
    assert raised.value.what == what


def test_groups_that_are_not_there_and_shards_that_are_missing(bench: FunctionsBench) -> None:
    bench.plan()
    with pytest.raises(BadRequestError, match="unknown_group"):
        bench.call("verify", run_id=bench.run_id, group=7)
    with pytest.raises(TransientError, match="shards_missing"):
        bench.call("verify", run_id=bench.run_id, group=0)


def test_anything_else_leaves_as_a_bug_that_quotes_nothing(
    bench: FunctionsBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise KeyError("63.5 years")

    monkeypatch.setattr("handlers.inspect.next_round", broken)
    with pytest.raises(BugError, match="KeyError") as raised:
        bench.inspect()
    assert type(raised.value) is BugError
    assert "63.5" not in str(raised.value) + bench.log.getvalue()
    assert "test_functions_run.py" in bench.log.getvalue()


def test_an_error_that_may_quote_leaves_without_its_words(
    bench: FunctionsBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: Any, **options: Any) -> None:
        raise BadRequestError("bad_table", "line 7 holds 63.5 years", may_quote=True)

    monkeypatch.setattr("handlers.inspect.next_round", refused)
    with pytest.raises(BadRequestError, match="bad_table") as raised:
        bench.inspect()
    assert "63.5" not in str(raised.value) + bench.log.getvalue()


def test_publishing_again_says_the_same_and_sends_no_case_twice(
    bench: FunctionsBench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.verified().set_prices(toy_prices())
    first = bench.publish()
    capsys.readouterr()
    again = bench.publish()
    assert first == again
    assert len(bench.messages()) == 1
    assert figures(capsys.readouterr().out)["RunSeconds"] < 3600, "what was published before took no longer since"
    assert json.loads(open_store(bench.output).get(f"runs/{bench.run_id}/cost.json"))["compute_usd"] > 0


def test_publishing_without_findings_is_refused(bench: FunctionsBench) -> None:
    bench.plan()
    bench.work(bench.inspect())
    with pytest.raises(IntegrityError, match="findings_missing"):
        bench.publish()


def test_cases_that_the_queue_did_not_take_are_sent_again(
    bench: FunctionsBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.verified()
    refused = {"Successful": [], "Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]}
    with monkeypatch.context() as patch:
        patch.setattr(clients.client("sqs"), "send_message_batch", lambda **asked: refused)
        with pytest.raises(TransientError, match="not taken"):
            bench.publish()
    assert bench.publish()["verified"]
    assert len(bench.messages()) == 1


def test_a_failure_is_reported_with_what_is_known(bench: FunctionsBench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.plan()
    failure = {"Error": "OverBudget", "Cause": json.dumps({"action": "over_budget", "why": "$21.00 are spent"})}
    answer = bench.publish(failure=failure)
    assert (answer["verified"], answer["report"]["ending"], answer["report"]["detail"]) == (
        False, "over budget", "$21.00 are spent",
    )  # fmt: skip
    assert bench.notify(failure=failure, published=answer) == {"sent": True}
    [mail] = bench.mailbox.read()
    assert "was stopped by its budget: $21.00 are spent" in mail.text
    assert "Over budget: run" in page(bench)
    told = figures(capsys.readouterr().out)
    assert (told["RunsFailed"], told["RunsOverBudget"], told["RunsWithinTarget"]) == (1, 1, 0)


def test_damaged_documents_are_reported_and_do_not_break_the_report(bench: FunctionsBench) -> None:
    bench.plan()
    store = open_store(bench.output)
    store.put(f"runs/{bench.run_id}/attempts/00000/1.json", b"{")
    assert bench.publish(failure=BAD_GUESS)["report"]["ending"] == "crash"
    store.put(f"runs/{bench.run_id}/plan/shards.json", b"{")
    report = bench.publish(failure=BAD_GUESS)["report"]
    assert any("plan_damaged" in problem for problem in report["problems"])


@pytest.mark.parametrize("given", [None, [1], {"run_id": "../x"}, {"run_id": "toy-never-planned"}])
def test_what_never_became_a_run_has_a_report_and_a_mail(bench: FunctionsBench, given: Any) -> None:
    failure = {"Error": "BadRequestError", "Cause": '{"errorMessage": "the input [bad_submission]"}'}
    answer = bench.call("publish", execution="first", submission=given, failure=failure)
    assert answer["report"]["ending"] == "bad request"
    assert bench.call("notify", execution="first", submission=given, failure=failure, published=answer)["sent"]
    assert len(bench.mailbox.read()) == 1


def test_a_report_that_failed_does_not_silence_the_mail(bench: FunctionsBench) -> None:
    bench.plan()
    assert bench.notify(failure=BAD_GUESS, published=None) == {"sent": True}
    [mail] = bench.mailbox.read()
    assert "broke: KeyError [bug]" in mail.text
    assert open_store(bench.output).get(f"runs/{bench.run_id}/report.txt").startswith(b"CRASH")


def test_events_of_an_end_are_told_once(bench: FunctionsBench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.plan()
    event = bench.end_event("ABORTED")
    assert bench.send("notify", event) == {"sent": True}
    assert figures(capsys.readouterr().out)["RunsFailed"] == 1
    assert bench.send("notify", event) == {"sent": False}
    assert figures(capsys.readouterr().out) == {}
    [mail] = bench.mailbox.read()
    assert mail.subject.endswith("was stopped")
    assert "Stopped: run" in page(bench), "nobody but the mail's function hears of such an end"


def test_the_event_is_silent_where_the_execution_has_told(bench: FunctionsBench) -> None:
    bench.plan()
    bench.notify(failure=BAD_GUESS, published=bench.publish(failure=BAD_GUESS))
    assert bench.send("notify", bench.end_event("FAILED", error="RunFailed")) == {"sent": False}
    assert len(bench.mailbox.read()) == 1


@pytest.mark.parametrize("fault", ["ServiceUnavailable", "TooManyRequests", "lost"])
def test_a_mail_that_could_not_be_sent_is_sent_by_the_event(bench: FunctionsBench, fault: str) -> None:
    bench.plan()
    answer = bench.publish(failure=BAD_GUESS)
    bench.server.faults.reset(refuse(fault, "sns"))
    with pytest.raises(TransientError, match="aws_busy"):
        bench.notify(failure=BAD_GUESS, published=answer)
    bench.server.faults.reset()
    before = len(bench.mailbox.read())
    assert before == (fault == "lost"), "an answer that was lost means a mail that comes twice, never none"
    assert bench.send("notify", bench.end_event("FAILED", error="NotTold")) == {"sent": True}
    [mail] = bench.mailbox.read()
    assert "broke: KeyError [bug]" in mail.text


def test_a_topic_that_refuses_is_no_passing_fault(bench: FunctionsBench) -> None:
    bench.plan()
    bench.server.faults.reset(refuse("AccessDenied", "sns"))
    with pytest.raises(BugError, match="aws_refused"):
        bench.notify(failure=BAD_GUESS)


def test_an_execution_that_was_stopped_before_its_plan(bench: FunctionsBench) -> None:
    assert bench.send("notify", bench.end_event("ABORTED")) == {"sent": True}
    [mail] = bench.mailbox.read()
    assert "the run was not planned" in mail.text


@pytest.mark.parametrize("given", ["no json", "[]", '"text"', None])
def test_an_event_whose_input_names_no_run(bench: FunctionsBench, given: str | None) -> None:
    assert bench.send("notify", bench.end_event("TIMED_OUT", input=given)) == {"sent": True}
    [mail] = bench.mailbox.read()
    assert mail.subject == "Casemill (test): run rejected timed out"


def test_a_failed_execution_that_said_nothing_names_its_error(bench: FunctionsBench) -> None:
    bench.plan()
    bench.send("notify", bench.end_event("FAILED", error="States.Runtime", cause="a path of somebody's data"))
    [mail] = bench.mailbox.read()
    assert "broke: States.Runtime" in mail.text
    assert "somebody" not in mail.text


def test_stopping_keeps_a_data_set_that_was_published(bench: FunctionsBench) -> None:
    bench.verified()
    bench.publish()
    bench.send("notify", bench.end_event("ABORTED", "second"))
    assert open_store(bench.output).head("datasets/toy/_SUCCESS") is not None
    [mail] = bench.mailbox.read()
    assert "published and verified" in mail.text
