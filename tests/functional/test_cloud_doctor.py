"""``casemill doctor --aws``: against an emulated account, and with AWS's answers one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from core.code_version import code_version
from core.doctor.findings import State
from core.run.pins import CloudPins, pin
from handlers.command_line import doctor_account, doctor_compute, doctor_data
from handlers.command_line.account import Account
from handlers.command_line.stack import _PLAN, DeployedStack
from tests.cdk_templates import synthesised
from tests.cloud_account import CloudAccount
from tests.command_line import Answer

Command = Callable[..., Answer]
SPOT, ON_DEMAND = (f"arn:aws:batch:us-east-1:123456789012:job-queue/{name}" for name in ("spot", "on-demand"))
DIGEST = "sha256:" + "5" * 64
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/casemill@{DIGEST}"
STACK = DeployedStack(
    "Casemill", Account("us-east-1", None), "s3://bucket/casemill", "arn:machine", SPOT, ON_DEMAND, "logs", "queue",
    "test", 20.0, "arn:aws:batch:us-east-1:123456789012:job-definition/worker:3",
    "arn:aws:sns:us-east-1:123456789012:topic",
)  # fmt: skip
DENIED = {"service_error_code": "AccessDeniedException", "http_status_code": 403}


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stubber]]:
    """A stubbed client for each service that is asked for; at the end all answers must have been used."""
    made: dict[str, Stubber] = {}

    def stub(service: str) -> Stubber:
        if service not in made:
            found: Any = boto3.client(  # type: ignore[call-overload]
                service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
            )
            made[service] = Stubber(found)
            made[service].activate()
        return made[service]

    def stubbed(service: str) -> Any:
        return stub(service).client

    for module in (doctor_account, doctor_compute, doctor_data):
        monkeypatch.setattr(module, "client", stubbed)
    monkeypatch.setattr("handlers.command_line.stack.client", stubbed)
    yield stub
    for stubber in made.values():
        stubber.assert_no_pending_responses()


def states(findings: Any) -> dict[str, State]:
    return {item.looked_at: item.state for item in findings}


# -- quotas, queues, image --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("allowed", "state"), [(256.0, State.OK), (64.0, State.WARNING), (0.0, State.PROBLEM)])
def test_quotas_beside_what_the_stack_uses(stubs: Callable[[str], Stubber], allowed: float, state: State) -> None:
    for code in ("L-34B43A08", "L-1216C47A"):
        asked = {"ServiceCode": "ec2", "QuotaCode": code}
        stubs("service-quotas").add_response("get_service_quota", {"Quota": {"Value": allowed}}, asked)
    found = list(doctor_compute.quotas({"spot": 128, "on-demand": 128}))
    assert states(found) == {"spot quota": state, "on-demand quota": state}
    assert all("Service Quotas" in item.fix for item in found if state is not State.OK)


def test_a_quota_that_nobody_changed_is_the_default(stubs: Callable[[str], Stubber]) -> None:
    for _ in range(2):
        stubs("service-quotas").add_client_error("get_service_quota", "NoSuchResourceException")
        stubs("service-quotas").add_response("get_aws_default_service_quota", {"Quota": {"Value": 5.0}})
    assert [item.found for item in doctor_compute.quotas({})] == ["5 vCPUs", "5 vCPUs"]


def queue(arn: str, **said: str) -> dict[str, Any]:
    return {
        "jobQueueName": "q", "jobQueueArn": arn, "priority": 1, "state": "ENABLED", "status": "VALID",
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": f"{arn}-machines"}], **said,
    }  # fmt: skip


def machines(**said: Any) -> dict[str, Any]:
    return {"computeEnvironments": [
        {"computeEnvironmentName": "c", "computeEnvironmentArn": "arn", "state": "ENABLED", "status": "VALID",
         "computeResources": {"type": "SPOT", "maxvCpus": 256, "subnets": []}, **said},
    ]}  # fmt: skip


def test_queues_and_machines_as_they_stand(stubs: Callable[[str], Stubber]) -> None:
    batch = stubs("batch")
    answers = [queue(SPOT, state="DISABLED"), queue(ON_DEMAND, status="UPDATING")]
    batch.add_response("describe_job_queues", {"jobQueues": answers}, {"jobQueues": [SPOT, ON_DEMAND]})
    batch.add_response("describe_compute_environments", machines(status="INVALID", statusReason="no subnet"))
    batch.add_response("describe_compute_environments", machines())
    stubs("service-quotas").add_client_error("get_service_quota", **DENIED)
    found = list(doctor_compute.capacity(STACK))
    assert states(found) == {
        "spot queue": State.PROBLEM, "spot machines": State.PROBLEM, "on-demand queue": State.WARNING,
        "on-demand machines": State.OK, "quotas": State.WARNING,
    }  # fmt: skip
    assert "no subnet" in found[1].found
    assert "Enable it" in found[0].fix
    assert "GetServiceQuota" in found[-1].fix, "the permission that is missing"


def test_queues_that_are_gone(stubs: Callable[[str], Stubber]) -> None:
    stubs("batch").add_response("describe_job_queues", {"jobQueues": []})
    for _ in range(2):
        stubs("service-quotas").add_response("get_service_quota", {"Quota": {"Value": 8.0}})
    assert states(doctor_compute.capacity(STACK))["spot queue"] is State.PROBLEM


@pytest.mark.parametrize("form", ["containerProperties", "ecsProperties"])
@pytest.mark.parametrize(("fault", "state"), [("", State.OK), ("ImageNotFoundException", State.PROBLEM)])
def test_the_image_is_looked_for_in_ecr(stubs: Callable[[str], Stubber], form: str, fault: str, state: State) -> None:
    plain: dict[str, Any] = {"containerProperties": {"image": IMAGE}}
    newer: dict[str, Any] = {"ecsProperties": {"taskProperties": [{"containers": [{"image": IMAGE}]}]}}
    definition = {
        "jobDefinitionName": "w",
        "jobDefinitionArn": "a",
        "revision": 3,
        "type": "container",
        "status": "ACTIVE",
    }
    answer = {"jobDefinitions": [{**definition, **(plain if form == "containerProperties" else newer)}]}
    stubs("batch").add_response("describe_job_definitions", answer, {"jobDefinitions": [STACK.job_definition]})
    if fault:
        stubs("ecr").add_client_error("describe_images", fault)
    else:
        asked = {"registryId": "123456789012", "repositoryName": "casemill", "imageIds": [{"imageDigest": DIGEST}]}
        stubs("ecr").add_response("describe_images", {"imageDetails": []}, asked)
    assert doctor_compute.image(STACK).state is state


def test_an_image_elsewhere_and_a_definition_that_is_gone(stubs: Callable[[str], Stubber]) -> None:
    elsewhere = {"jobDefinitionName": "w", "jobDefinitionArn": "a", "revision": 3, "type": "container",
                 "status": "ACTIVE", "containerProperties": {"image": "docker.io/library/python:3.11"}}  # fmt: skip
    stubs("batch").add_response("describe_job_definitions", {"jobDefinitions": [elsewhere]})
    stubs("batch").add_response("describe_job_definitions", {"jobDefinitions": []})
    assert doctor_compute.image(STACK).state is State.WARNING
    assert doctor_compute.image(STACK).state is State.PROBLEM


# -- mail, bucket, source ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arns", "state"),
    [
        (["arn:aws:sns:us-east-1:123456789012:topic:1"], State.OK),
        (["arn:aws:sns:us-east-1:123456789012:topic:1", "PendingConfirmation"], State.PROBLEM),
        ([], State.WARNING),
    ],
)
def test_mail(stubs: Callable[[str], Stubber], arns: list[str], state: State) -> None:
    subscriptions = [{"SubscriptionArn": arn, "Protocol": "email", "Endpoint": "who@example.org"} for arn in arns]
    stubs("sns").add_response("list_subscriptions_by_topic", {"Subscriptions": subscriptions})
    found = doctor_data.mail(STACK)
    assert found.state is state
    assert "example.org" not in found.found + found.fix, "nobody's address"


@pytest.mark.parametrize("status", [301, 403, 404])
def test_a_bucket_that_cannot_be_reached(stubs: Callable[[str], Stubber], status: int) -> None:
    stubs("s3").add_client_error("head_bucket", str(status), http_status_code=status)
    (found,) = doctor_data.bucket(STACK, write=True)
    assert found.state is State.PROBLEM


def test_writing_creates_once_and_cleans_up(stubs: Callable[[str], Stubber]) -> None:
    s3 = stubs("s3")
    s3.add_response("head_bucket", {})
    s3.add_response("list_objects_v2", {}, {"Bucket": "bucket", "Prefix": "casemill/", "MaxKeys": 1})
    put = {"Bucket": "bucket", "Key": ANY, "Body": ANY, "IfNoneMatch": "*"}
    s3.add_response("put_object", {"VersionId": "v1"}, put)
    s3.add_client_error("put_object", "PreconditionFailed", http_status_code=412, expected_params=put)
    s3.add_response("delete_object", {}, {"Bucket": "bucket", "Key": ANY, "VersionId": "v1"})
    assert states(doctor_data.bucket(STACK, write=True)) == {"bucket": State.OK, "bucket, writing": State.OK}


def test_a_store_that_ignores_the_condition(stubs: Callable[[str], Stubber]) -> None:
    s3 = stubs("s3")
    s3.add_response("head_bucket", {})
    s3.add_response("list_objects_v2", {})
    for _ in range(2):
        s3.add_response("put_object", {})
    for _ in range(2):
        s3.add_response("delete_object", {})
    assert states(doctor_data.bucket(STACK, write=True))["bucket, writing"] is State.PROBLEM


@pytest.mark.parametrize(
    ("places", "state"),
    [("recordings", State.OK), ("recordings/2026", State.OK), ("recordings/20", State.PROBLEM), ("", State.PROBLEM)],
)
def test_whether_the_stack_may_read_a_source(stubs: Callable[[str], Stubber], places: str, state: State) -> None:
    stubs("s3").add_response("list_objects_v2", {"KeyCount": 1})
    resource = {"LogicalResourceId": "WorkflowPlanFunction0A1B2C3D", "PhysicalResourceId": "plan",
                "ResourceType": "AWS::Lambda::Function", "LastUpdatedTimestamp": datetime(2026, 1, 1),
                "ResourceStatus": "CREATE_COMPLETE"}  # fmt: skip
    stubs("cloudformation").add_response("list_stack_resources", {"StackResourceSummaries": [resource]})
    variables = {"Environment": {"Variables": {"CASEMILL_SOURCE_BUCKETS": places}}}
    stubs("lambda").add_response("get_function_configuration", variables, {"FunctionName": "plan"})
    found = states(doctor_data.source(STACK, "s3://recordings/2026/vital_files"))
    assert found == {"source": State.OK, "source, for the stack": state}


def test_a_source_that_is_empty_or_here(stubs: Callable[[str], Stubber]) -> None:
    stubs("s3").add_response("list_objects_v2", {"KeyCount": 0})
    assert states(doctor_data.source(STACK, "s3://recordings/none")) == {"source": State.PROBLEM}
    assert states(doctor_data.source(STACK, "vital_files")) == {"source": State.PROBLEM}


def test_the_plan_function_is_found_in_the_template() -> None:
    resources = synthesised("default")[0]["Resources"]
    named = [name for name, item in resources.items() if item["Type"] == "AWS::Lambda::Function" and _PLAN.match(name)]
    assert len(named) == 1


# -- credentials, clock, stack ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "state"), [(5, State.OK), (-5, State.OK), (90, State.WARNING), (-400, State.PROBLEM)]
)
def test_the_clock(seconds: int, state: State) -> None:
    answer = {"ResponseMetadata": {"HTTPHeaders": {"date": "Sat, 03 Jan 2026 12:00:00 GMT"}}}
    now = datetime.fromtimestamp(datetime(2026, 1, 3, 12, tzinfo=timezone.utc).timestamp() + seconds, timezone.utc)
    found = doctor_account.clock(answer, now)
    assert found is not None
    assert found.state is state
    assert doctor_account.clock({}, now) is None


def test_a_request_that_is_refused_for_the_clock_says_so(
    stubs: Callable[[str], Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer: Any = {
        "Error": {"Code": "SignatureDoesNotMatch", "Message": "Signature expired"},
        "ResponseMetadata": {"HTTPHeaders": {"date": "Sat, 03 Jan 2015 12:00:00 GMT"}, "HTTPStatusCode": 403},
    }

    def refuse() -> None:
        raise ClientError(answer, "GetCallerIdentity")

    monkeypatch.setattr(stubs("sts").client, "get_caller_identity", refuse)
    (found,) = doctor_account.caller(STACK.account)
    assert (found.looked_at, found.state) == ("clock", State.PROBLEM)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("UPDATE_COMPLETE", State.OK),
        ("UPDATE_IN_PROGRESS", State.WARNING),
        ("UPDATE_ROLLBACK_COMPLETE", State.WARNING),
        ("ROLLBACK_COMPLETE", State.PROBLEM),
        ("UPDATE_ROLLBACK_FAILED", State.PROBLEM),
    ],
)
def test_the_stacks_state(stubs: Callable[[str], Stubber], state: str, wanted: State) -> None:
    described = {"StackName": "Casemill", "CreationTime": datetime(2026, 1, 1), "StackStatus": state}
    stubs("cloudformation").add_response("describe_stacks", {"Stacks": [described]})
    assert doctor_account.stack_state("Casemill").state is wanted


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cloud(cloud: CloudAccount, monkeypatch: pytest.MonkeyPatch) -> CloudAccount:
    # What the emulator lacks answers with an error that is worth trying again, for minutes.
    monkeypatch.setattr(doctor_compute, "_quota", lambda code: 256.0)
    return cloud


def findings(answer: Answer) -> Mapping[str, dict[str, str]]:
    return {item["looked_at"]: item for item in json.loads(answer.out)["findings"]}


def test_an_account(cloud: CloudAccount, command: Command) -> None:
    answer = command("doctor", "--aws", "--write", "--source", "s3://nothing/here", "--json")
    assert answer.code == 1, "the account has no queues: an emulator without machines"
    found = findings(answer)
    assert "arn:aws" in found["credentials"]["found"]
    for name in ("credentials", "region", "clock", "stack Casemill", "outputs", "state machine", "bucket"):
        assert found[name]["state"] == "ok", found[name]
    assert found["bucket, writing"]["state"] == "ok", found["bucket, writing"]
    assert found["spot queue"]["state"] == "problem"
    assert (found["source"]["state"], "bucket" in found["source"]["found"]) == ("problem", True)
    assert cloud.store().list("doctor") == [], "what was written is gone"
    assert all(item["fix"] for item in found.values() if item["state"] != "ok")
    assert "AWS_SECRET" not in answer.out + answer.err


def test_the_version_of_the_last_run(cloud: CloudAccount, command: Command) -> None:
    for run_id, version in (("toy-older", "0.0.1+000000000000"), ("toy-newer", code_version())):
        cloud.start(f"{run_id}-1", run_id=run_id)
        pins = CloudPins(run_id=run_id, stage="test", job_definition="arn:w:1", image="i", code_version=version,
                         planned_by=f"{run_id}-1")  # fmt: skip
        pin(cloud.store(), pins)
        found = findings(command("doctor", "--aws", "--json"))["versions"]
        assert found["state"] == ("ok" if version == code_version() else "warning"), found
        cloud.stop_all()


def test_no_stack_and_no_credentials(cloud: CloudAccount, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    found = findings(command("doctor", "--aws", "--stack", "None", "--json"))
    assert found["stack None"]["state"] == found["outputs"]["state"] == "problem"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    answer = command("doctor", "--aws")
    assert answer.code == 1
    first, second, _ = answer.out.split("\n", 2)
    assert first.startswith("problem credentials")
    assert "aws configure" in second


def test_every_denied_permission_is_a_finding(
    cloud: CloudAccount, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def denied(self: Any, operation: str, arguments: Any) -> Any:
        asked.append(operation)
        if operation in ("GetCallerIdentity", "DescribeStacks"):
            return call(self, operation, arguments)
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not for you"}}, operation)

    from botocore.client import BaseClient

    call = BaseClient._make_api_call  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", denied)
        answer = command("doctor", "--aws", "--source", "s3://recordings/vital_files", "--write", "--json")
    assert answer.err == ""
    found = findings(answer)
    for name in ("state machine", "versions", "queues", "bucket", "source"):
        assert (found[name]["state"], "permission" in found[name]["fix"]) == ("warning", True), found[name]
    assert {"DescribeJobQueues", "HeadBucket", "ListObjectsV2"} <= set(asked)
