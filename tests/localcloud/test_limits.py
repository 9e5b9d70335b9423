"""The local cloud refuses what AWS does, where the emulator alone would take it; and hides what AWS hides."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.errors import EXIT_BAD_REQUEST, EXIT_BUG
from tests.localcloud.cloud import LocalCloud
from tests.localcloud.lambdas import LARGEST_ANSWER_BYTES, Functions
from tests.localcloud.limits import (
    LimitError,
    check_history,
    check_policies,
    check_template,
    check_variables,
    complaints,
)
from tests.localcloud.requests import Request

NAME = "limits"


def refusals(action: str, **fields: Any) -> list[str]:
    """What is said of a request."""
    return [message for _, message in complaints(Request("key", "us-east-1", *action.split(":"), fields=fields))]


@pytest.mark.parametrize(
    ("action", "taken", "refused"),
    [
        ("batch:TerminateJob", {"reason": "r" * 1024}, {"reason": "r" * 1025}),
        ("batch:TerminateJob", {"reason": "r"}, {}),
        ("batch:TerminateJobs", {"jobs": ["j"] * 50, "reason": "r"}, {"jobs": ["j"] * 51, "reason": "r"}),
        ("batch:CancelJobs", {"jobs": ["j"], "reason": "r"}, {"jobs": [], "reason": "r"}),
        ("batch:ListJobs", {"jobQueue": "q"}, {}),
        ("batch:ListJobs", {"arrayJobId": "a"}, {"arrayJobId": "a", "jobQueue": "q"}),
        ("batch:ListJobs", {"jobQueue": "q", "filters": [1]}, {"jobQueue": "q", "filters": [1, 2]}),
        ("batch:ListJobs", {"arrayJobId": "a"}, {"arrayJobId": "a", "filters": [1]}),
        ("batch:SubmitJob", {"timeout": {"attemptDurationSeconds": 60}}, {"timeout": {"attemptDurationSeconds": 59}}),
        ("batch:RegisterJobDefinition", {"parameters": {}}, {"parameters": {"a": "x" * 24_600}}),
        (
            "batch:RegisterJobDefinition",
            {"containerProperties": {"environment": [{"name": "AWS_REGION"}]}},
            {"containerProperties": {"environment": [{"name": "AWS_BATCH_X"}]}},
        ),
        ("lambda:InvokeFunction", {"PayloadBytes": 6 * 1024 * 1024}, {"PayloadBytes": 6 * 1024 * 1024 + 1}),
        ("sns:Publish", {"Subject": "s" * 100}, {"Subject": "s" * 101}),
        ("sns:Publish", {"Subject": "run a is verified"}, {"Subject": "run a\nis verified"}),
        ("sns:Publish", {}, {"Subject": "Prüfung"}),
        ("sns:Publish", {"Subject": "[stage] run"}, {"Subject": " run"}),
        ("states:StartExecution", {"input": "x" * 262_144}, {"input": "ü" * 131_073}),
        ("states:StartExecution", {"name": "n" * 80}, {"name": "n" * 81}),
        ("states:StartExecution", {"name": "vitaldb-0f-1"}, {"name": "vitaldb\x7f"}),
    ],
)
def test_a_request_is_taken_up_to_its_limit(action: str, taken: dict[str, Any], refused: dict[str, Any]) -> None:
    assert refusals(action, **taken) == []
    assert len(refusals(action, **refused)) >= 1


def test_a_template_a_role_and_a_functions_variables_have_limits() -> None:
    check_template("{}", 500)
    check_policies("role", ["x" * 5_000, " " * 9_000, "x" * 5_240])
    check_variables("function", {"CASEMILL_OUTPUT": "x" * 4_000})
    for check in (
        lambda: check_template("{}", 501),
        lambda: check_template("x" * 1_048_577, 1),
        lambda: check_policies("role", ["x" * 5_000, "x" * 5_241]),
        lambda: check_variables("function", {"CASEMILL_OUTPUT": "x" * 4_096}),
        lambda: check_variables("function", {"AWS_REGION": "us-east-1"}),
    ):
        with pytest.raises(LimitError):
            check()


def test_a_state_and_a_history_have_limits() -> None:
    check_history("arn", [{"stateExitedEventDetails": {"name": "Plan", "output": "x" * 262_144}}] * 3)
    with pytest.raises(LimitError, match="output of Plan is over 262144 bytes"):
        check_history("arn", [{"stateExitedEventDetails": {"name": "Plan", "output": "x" * 262_145}}])
    with pytest.raises(LimitError, match="25001 events"):
        check_history("arn", [{}] * 25_001)


# From here on by real requests: that every layer is where it must be.


def test_requests_over_a_limit_come_back_as_the_services_own_errors(cloud: LocalCloud) -> None:
    batch, states, sns = cloud.client("batch"), cloud.client("stepfunctions"), cloud.client("sns")
    machine = cloud.outputs["StateMachine"]
    assert code(lambda: batch.terminate_job(jobId="none", reason="r" * 1025)) == "ClientException"
    assert code(lambda: batch.list_jobs()) == "ClientException"
    assert code(lambda: batch.describe_jobs(jobs=["j"] * 101)) == "ClientException"
    assert code(lambda: sns.publish(TopicArn=cloud.outputs["Topic"], Subject="a\nb", Message="m")) == "InvalidParameter"
    large = json.dumps("x" * 262_144)
    start = states.start_execution
    assert code(lambda: start(stateMachineArn=machine, name="large", input=large)) == "ValidationException"
    for name in ("a b", "a/b", "a:b", "a" * 81, "a<b", "a?b"):
        assert code(lambda name=name: start(stateMachineArn=machine, name=name, input="{}")) == "InvalidName", name
    # boto3 itself knows a function's longest event.
    function = cloud.client("lambda").list_functions()["Functions"][0]["FunctionName"]
    payload = json.dumps("x" * 6_300_000).encode()
    invoke = cloud.client("lambda").invoke
    assert code(lambda: invoke(FunctionName=function, Payload=payload)) == "RequestTooLargeException"


def test_a_queue_takes_ten_messages_of_a_mebibyte_together(cloud: LocalCloud) -> None:
    sqs = cloud.client("sqs")
    queue = sqs.create_queue(QueueName=NAME)["QueueUrl"]
    half = {"MessageBody": "x" * 524_289}
    assert code(
        lambda: sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": f"{n}", "MessageBody": "m"} for n in range(11)])
    ).endswith("TooManyEntriesInBatchRequest")
    assert code(
        lambda: sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": "a", **half}, {"Id": "b", **half}])
    ).endswith("BatchRequestTooLong")
    sqs.delete_queue(QueueUrl=queue)


@pytest.fixture
def submit(cloud: LocalCloud) -> Iterator[Callable[..., Any]]:
    """Submit jobs to a queue whose machines are all taken, so that none begins; they are ended afterwards."""
    queue = cloud.outputs["SpotQueue"]
    ids: list[str] = []
    before = cloud.machines.blocked_seconds
    cloud.machines.blocked.add(queue)
    cloud.machines.blocked_seconds = 600.0

    def call(**asked: Any) -> str:
        asked = {"jobName": NAME, "jobQueue": queue, "jobDefinition": cloud.outputs["JobDefinition"], **asked}
        ids.append(cloud.client("batch").submit_job(**asked)["jobId"])
        return ids[-1]

    yield call
    for job in list(cloud.machines.jobs):
        if job.job_id.partition(":")[0] in ids:
            job.terminate("the test has ended")
    cloud.machines.blocked.discard(queue)
    cloud.machines.blocked_seconds = before


@pytest.mark.parametrize(
    "asked",
    [
        {"arrayProperties": {"size": 1}},
        {"arrayProperties": {"size": 10_001}},
        {"jobName": "a job"},
        {"jobName": "j" * 129},
        {"jobName": "-job"},
        {"jobDefinition": "nothing"},
        {"jobQueue": "nothing"},
        {"timeout": {"attemptDurationSeconds": 59}},
        {"retryStrategy": {"attempts": 11}},
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "*", "action": "EXIT"}] * 6}},
        {"containerOverrides": {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "x"}]}},
        {"containerOverrides": {"environment": [{"name": "LARGE", "value": "x" * 30_720}]}},
    ],
    ids=lambda asked: "-".join(asked),
)
def test_a_job_that_batch_would_not_take_is_refused(submit: Callable[..., str], asked: dict[str, Any]) -> None:
    assert code(lambda: submit(**asked)) == "ClientException"


def test_a_list_has_what_runs_unless_asked_and_comes_in_pages(cloud: LocalCloud, submit: Callable[..., str]) -> None:
    batch, queue = cloud.client("batch"), cloud.outputs["SpotQueue"]
    array = submit(arrayProperties={"size": 3})
    for _ in range(101):
        submit()
    await_status(cloud, array)
    assert batch.list_jobs(jobQueue=queue)["jobSummaryList"] == [], "only running ones"
    assert batch.list_jobs(arrayJobId=array)["jobSummaryList"] == []
    children = batch.list_jobs(arrayJobId=array, jobStatus="RUNNABLE")["jobSummaryList"]
    assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2]
    named = {"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": [NAME]}]}
    first = batch.list_jobs(**named)
    assert len(first["jobSummaryList"]) == 100
    rest = batch.list_jobs(**named, nextToken=first["nextToken"])
    assert len(rest["jobSummaryList"]) == 2, "with any state, the array's parent among them, its children not"
    assert "nextToken" not in rest
    two = batch.list_jobs(arrayJobId=array, jobStatus="RUNNABLE", maxResults=2)
    assert (len(two["jobSummaryList"]), "nextToken" in two) == (2, True)


def await_status(cloud: LocalCloud, array: str) -> None:
    """Until every child waits for a machine."""
    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at:
        [found] = cloud.client("batch").describe_jobs(jobs=[array])["jobs"]
        if found["arrayProperties"]["statusSummary"]["RUNNABLE"] == 3:
            return
        time.sleep(0.02)
    raise AssertionError("the children do not wait")


# A function and a container see what their package or image holds, and nothing else of this machine.


def test_a_package_without_a_dependency_is_noticed(cloud: LocalCloud, tmp_path: Path) -> None:
    """Although the tests' own environment has it."""
    function = cloud.function("handlers.inspect.handler")
    whole = cloud.functions.folder_of(function)
    (tmp_path / "package").mkdir()
    for path in whole.iterdir():
        if path.name not in ("pydantic", "pydantic_core"):
            (tmp_path / "package" / path.name).symlink_to(path)
    without = Functions(cloud.functions.runtime, cloud.functions.environment, lambda found: tmp_path / "package")
    try:
        answer = without.invoke(function, {})
    finally:
        without.close()
    assert answer.failed
    assert json.loads(answer.text)["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'pydantic'" in json.loads(answer.text)["errorMessage"]


def test_an_answer_over_6_mib_is_an_error(cloud: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "inspect.py").write_text("def handler(event, context):\n    return 'x' * event\n")
    function = cloud.function("handlers.inspect.handler")
    large = Functions(cloud.functions.runtime, cloud.functions.environment, lambda found: tmp_path)
    try:
        assert not large.invoke(function, LARGEST_ANSWER_BYTES - 2).failed
        answer = large.invoke(function, LARGEST_ANSWER_BYTES)
    finally:
        large.close()
    assert answer.failed
    assert json.loads(answer.text)["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_image_without_a_dependency_is_noticed(cloud: LocalCloud) -> None:
    """Although the tests' own environment has it."""
    image = cloud.image
    [package] = image.packages.glob("lib/python*/site-packages/obstore")
    hidden = package.with_name("hidden")
    package.rename(hidden)
    try:
        done = image.run()
    finally:
        hidden.rename(package)
    assert done.returncode == EXIT_BUG
    assert '"ModuleNotFoundError"' in done.stdout
    assert image.run().returncode == EXIT_BAD_REQUEST, "whole, it misses only its variables"


def code(call: Callable[[], Any]) -> str:
    """The code of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])
