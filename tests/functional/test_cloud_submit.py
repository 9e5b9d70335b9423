"""``casemill submit`` against an emulated account: what is started, under which name, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.stub import Stubber

from core.run.layout import RunLayout
from core.run.submission import read_submission, submission_id
from tests.cloud_account import CloudAccount, service
from tests.cloud_bench import CloudBench, asked_toy
from tests.command_line import REPOSITORY, Answer, environment
from tests.storage_faults import Rule

Command = Callable[..., Answer]
ASKED = ("--source", "s3://recordings/vital_files", "--clinical", "s3://recordings/clinical.csv", "--cases", "1-30")


@pytest.fixture(scope="module")
def account(account: CloudAccount) -> CloudAccount:
    """With recordings in it."""
    account.record("recordings", "vital_files")
    return account


def test_an_execution_of_what_is_asked(cloud: CloudAccount, command: Command) -> None:
    answer = command("submit", *ASKED, "--name", "first", "--array-width", 4, "--json")
    assert answer.code == 0, answer.err
    said = answer.json
    (execution,) = [item for item in cloud.executions() if item["name"] == said["execution"]]
    submission = read_submission(execution["input"])
    assert submission.asked is not None
    assert (submission.asked.partitions, submission.asked.selection["cases"]) == (4, "1-30")
    assert submission.asked.data_set == "first"
    assert submission.run_id == submission_id(submission.asked) == said["run_id"]
    assert said["execution"] == f"{submission.run_id}-1"
    assert submission.budget_usd == 12.5, "the stack's"
    assert (said["started"], said["stage"]) == (True, "test")


def test_a_running_run_is_not_started_twice_and_a_stopped_one_gets_a_new_name(
    cloud: CloudAccount, command: Command
) -> None:
    first = command("submit", *ASKED, "--budget", 3, "--json").json
    again = command("submit", *ASKED, "--budget", 3)
    assert again.code == 0
    assert "is running already; nothing was started" in again.err
    assert f"{first['execution']} (running already)" in again.out
    assert command("stop", first["run_id"]).code == 0
    third = command("submit", *ASKED, "--budget", 3)
    assert f"{first['run_id']}-2 (started)" in third.out
    assert f"casemill watch {first['run_id']} --region us-east-1" in third.out
    assert "3.0000 dollars" in third.out


def test_a_workload_that_reads_nothing_is_submitted_without_a_source(cloud: CloudAccount, command: Command) -> None:
    answer = command("submit", "--workload", "trajectory", "--samples", 500, "--name", "moving", "--json")
    assert answer.code == 0, answer.err
    (execution,) = [item for item in cloud.executions() if item["name"] == answer.json["execution"]]
    asked = read_submission(execution["input"]).asked
    assert asked is not None
    assert (asked.workload, asked.source, asked.selection) == ("trajectory", None, {})
    assert (asked.settings["samples"], asked.settings["block_size"]) == (500, 250)


def test_an_execution_with_a_name_of_its_own_counts_as_running(cloud: CloudAccount, command: Command) -> None:
    given = (*ASKED, "--salt", "by-hand")
    said = command("submit", *given, "--json").json
    cloud.stop_all()
    cloud.start("by-hand", run_id=said["run_id"])
    answer = command("submit", *given)
    assert "execution by-hand of this run is running already" in answer.err


def test_names_that_only_the_bucket_remembers_are_not_used_again(cloud: CloudAccount, command: Command) -> None:
    given = (*ASKED, "--salt", "long-ago")
    first = command("submit", *given, "--json").json
    cloud.stop_all()
    layout = RunLayout(first["run_id"])
    cloud.store().put(layout.execution(f"{first['run_id']}-7"), b"{}")
    cloud.store().put(layout.notice_sent(f"{first['run_id']}-9"), b"")
    assert command("submit", *given, "--json").json["execution"] == f"{first['run_id']}-10"


def test_a_run_is_taken_up_by_its_id(cloud: CloudAccount, command: Command) -> None:
    bench = CloudBench(asked_toy({"salt": 1}), store=cloud.store())
    bench.plan()
    answer = command("submit", "--run", bench.run_id, "--budget", 40, "--json")
    assert answer.code == 0, answer.err
    assert "only what is missing is done" in answer.err
    (execution,) = [item for item in cloud.executions() if item["name"] == f"{bench.run_id}-1"]
    assert json.loads(execution["input"]) == {"run_id": bench.run_id, "asked": None, "budget_usd": 40.0}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), "bad_option", "nothing is asked for"),
        (("--run", "toy-none"), "no_run", "no run 'toy-none'"),
        (("--run", "../x"), "bad_submission", "run_id"),
        (("--run", "toy-none", *ASKED), "bad_option", "--source, --run"),
        (("--run", "toy-none", "--array-width", 3), "bad_option", "--array-width"),
        (("--cases", "1-3"), "no_source", "--source: the workload vitaldb reads recordings"),
        (("--workload", "trajectory", *ASKED[:2]), "bad_option", "--source: the workload trajectory reads nothing"),
        (("--workload", "trajectory", "--cases", "1-3"), "bad_option", "--cases: the workload trajectory knows no"),
        (("--run", "toy-none", "--workload", "trajectory"), "bad_option", "--source, --run"),
        ((*ASKED, "--array-width", 0), "bad_command", "--array-width"),
        ((*ASKED, "--budget", 0), "bad_command", "--budget"),
        ((*ASKED, "--budget", "inf"), "bad_submission", "budget_usd"),
        ((*ASKED, "--workload", "nothere"), "unknown_workload", "nothere"),
        ((*ASKED, "--stack", "Nothere"), "no_stack", "stack Nothere in us-east-1"),
        ((*ASKED, "--stack", "Other"), "bad_stack", "no output Output, StateMachine"),
        ((*ASKED, "--region", "eu-west-1"), "no_stack", "in eu-west-1"),
        ((*ASKED, "--aws-profile", "nothere"), "bad_profile", "nothere"),
        ((*ASKED[:4], "--cases", ",".join(map(str, range(1, 90_000, 2)))), "submission_too_large", "196,608"),
        ((*ASKED[:4], "--cases", "31-40"), "empty_cohort", "none of the 30 recordings is selected by --cases 31-40"),
        ((*ASKED, "--where", "age > 90"), "empty_cohort", "--where 'age > 90'"),
        ((*ASKED, "--where", "age >"), "bad_where", "syntax error"),
        (("--source", "s3://recordings/nothing"), "empty_cohort", "no recordings in the source"),
        (("--source", "s3://recordings"), "empty_cohort", "Did you mean its folder vital_files?"),
        (("--source", "s3://not-there/vital_files"), "no_bucket", "not-there"),
        (("--source", "here/vital_files"), "not_in_a_bucket", "aws s3 sync here/vital_files s3://BUCKET/vital_files"),
        ((*ASKED[:2], "--clinical", "a b.csv"), "not_in_a_bucket", "aws s3 cp 'a b.csv' s3://BUCKET/'a b.csv'"),
    ],
)
def test_a_bad_request(
    cloud: CloudAccount, command: Command, arguments: tuple[object, ...], code: str, says: str
) -> None:
    before = len(cloud.executions())
    answer = command("submit", *arguments)
    assert answer.code == 64, answer.err
    assert answer.err.startswith(f"error [{code}] "), answer.err
    assert says in answer.err
    assert answer.out == ""
    assert len(cloud.executions()) == before


@pytest.mark.parametrize(("status", "code"), [("AccessDenied", "storage_denied"), ("InternalError", "storage")])
def test_what_only_the_stack_can_read_is_left_to_the_plan(
    cloud: CloudAccount, command: Command, monkeypatch: pytest.MonkeyPatch, status: str, code: str
) -> None:
    monkeypatch.setenv("CASEMILL_STORAGE_RETRY_SECONDS", "0")
    cloud.fail(Rule(status, when=lambda environ: environ.get("PATH_INFO", "").startswith("/recordings")))
    answer = command("submit", *ASKED, "--salt", code)
    assert answer.code == 0, answer.err
    assert f"cannot be read from here ({code}); the plan will look at it" in answer.err
    assert "(started)" in answer.out


def test_a_run_that_is_there_does_not_look_at_its_source_again(cloud: CloudAccount, command: Command) -> None:
    bench = CloudBench(asked_toy({"salt": 3}, data_set="third"), store=cloud.store())
    bench.plan()
    cloud.fail(Rule("AccessDenied", when=lambda environ: environ.get("PATH_INFO", "").startswith("/recordings")))
    answer = command("submit", "--run", bench.run_id)
    assert (answer.code, "cannot be read" in answer.err) == (0, False)


def test_a_run_that_was_asked_for_differently(cloud: CloudAccount, command: Command) -> None:
    said = command("submit", *ASKED, "--salt", "other", "--json").json
    cloud.stop_all()
    asked = asked_toy({"salt": 2})
    cloud.store().put(RunLayout(said["run_id"]).asked, asked.to_bytes())
    answer = command("submit", *ASKED, "--salt", "other")
    assert (answer.code, "[run_id_taken]" in answer.err) == (64, True)


def test_no_credentials_and_no_region(cloud: CloudAccount, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    answer = command("submit", *ASKED)
    assert answer.code == 64
    assert answer.err.startswith("error [no_region] ")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    answer = command("submit", *ASKED, "--json")
    assert answer.code == 64
    assert answer.json["error"]["code"] == "no_credentials"
    assert "aws configure" in answer.json["error"]["fix"]


@pytest.mark.parametrize(
    ("refusal", "exit_code", "code"),
    [
        ("AccessDenied", 64, "aws_denied"),
        ("AccessDeniedException", 64, "aws_denied"),
        ("UnauthorizedOperation", 64, "aws_denied"),
        ("InvalidClientTokenId", 64, "bad_credentials"),
        ("ExpiredToken", 75, "credentials_expired"),
        ("ThrottlingException", 75, "aws_busy"),
        ("SomethingElse", 64, "aws_refused"),
    ],
)
def test_refusals_of_the_account(
    cloud: CloudAccount, command: Command, monkeypatch: pytest.MonkeyPatch, refusal: str, exit_code: int, code: str
) -> None:
    stubbed = cloud.client("cloudformation")
    with Stubber(stubbed) as stub:
        stub.add_client_error("describe_stacks", refusal, "arn:aws:iam::1:user/x is not authorized", 400)
        monkeypatch.setattr("handlers.command_line.stack.client", lambda name: stubbed)
        answer = command("submit", *ASKED)
    assert answer.code == exit_code, answer.err
    said = f"error [{code}] stack Casemill in us-east-1: DescribeStacks: arn:aws:iam::1:user/x is not authorized\n"
    assert answer.err.startswith(said)


def test_throttling_is_waited_out(cloud: CloudAccount, command: Command) -> None:
    rule = Rule("ServiceUnavailable", times=2, when=service("cloudformation"))
    cloud.fail(rule)
    assert command("submit", *ASKED, "--salt", "patient").code == 0
    assert cloud.server.faults.fired["ServiceUnavailable"] == 2


def test_a_service_that_stays_down(cloud: CloudAccount, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.aws.clients.ATTEMPTS", 1)
    cloud.fail(Rule("ServiceUnavailable", when=service("states")))
    answer = command("submit", *ASKED)
    assert answer.code == 75
    assert answer.err.startswith("error [aws_busy] ")


def test_nowhere_to_go(cloud: CloudAccount, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.aws.clients.ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    answer = command("submit", *ASKED)
    assert answer.code == 75
    assert answer.err.startswith("error [aws_unreachable] ")


WITHOUT = """
import sys
sys.modules["boto3"] = None
sys.argv = ["casemill", *sys.argv[1:]]
from core.cli.main import main
main()
"""


def without_sdk(*arguments: str) -> Answer:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True, cwd=REPOSITORY, env=environment(),
        timeout=120, check=False,
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)


def test_without_the_sdk_the_commands_say_what_to_install(tmp_path: Path) -> None:
    answer = without_sdk("submit", *ASKED)
    assert answer.code == 64
    assert answer.err.startswith("error [aws_not_installed] ")
    assert "pip install -e '.[aws]'" in answer.err
    assert without_sdk("submit", "--help").code == 0
