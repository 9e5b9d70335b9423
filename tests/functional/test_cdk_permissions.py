"""Least privilege: what each role may do against what the code does, observed where the code runs here."""

from __future__ import annotations

import re

import pytest

from batch_image.settings import read_settings
from batch_image.work import work
from cdk.permissions import WITHOUT_RESOURCE
from core.run.layout import RunLayout
from core.run.plan import PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.source import open_source
from core.run.stop import StopRequest
from core.store import open_store
from core.workloads.registry import build_workload
from tests.cdk_policies import Statement, allows, key_statements, managed_policies, roles, statements
from tests.cdk_templates import VARIANTS
from tests.s3_server import S3Server
from tests.tiny_recordings import SHORT_WINDOWS, TinyCohort

FUNCTION = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
"""What Lambda itself asks for in the name of a function."""

READ_AND_WRITE = {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}
PRICES = {"ec2:DescribeSpotPriceHistory", "pricing:GetProducts"}
JOBS = {"batch:DescribeJobs", "batch:ListJobs", "batch:TerminateJob"}

NEEDED = {
    "ComputeInstanceRole": set(),
    "ComputeJobRole": {"s3:GetObject", "s3:ListBucket", "s3:PutObject", "s3:PutObjectTagging"},
    "ComputeExecutionRole": {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    },
    "NetworkVpcFlowLogIAMRole": {"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
    # The functions' calls are observed in tests/localcloud and tests/functional/test_functions_*.py.
    "WorkflowPlanFunctionRole": {*FUNCTION, *READ_AND_WRITE, "s3:DeleteObject"},
    "WorkflowInspectFunctionRole": {*FUNCTION, *READ_AND_WRITE},
    "WorkflowGuardFunctionRole": {*FUNCTION, *READ_AND_WRITE, *PRICES, *JOBS},
    "WorkflowVerifyFunctionRole": {*FUNCTION, *READ_AND_WRITE},
    "WorkflowPublishFunctionRole": {
        *FUNCTION, *READ_AND_WRITE, *PRICES, "batch:DescribeJobs", "s3:DeleteObject", "sqs:SendMessage",
    },
    "WorkflowNotifyFunctionRole": {
        *FUNCTION, *READ_AND_WRITE, *JOBS, "s3:DeleteObject", "sns:Publish", "sqs:SendMessage",
    },
    # Step Functions itself: jobs that it waits for (guide, batch-iam), its log's delivery (cw-logs) and its traces.
    "WorkflowRole": {
        "lambda:InvokeFunction",
        "batch:SubmitJob", "batch:TagResource", "batch:DescribeJobs", "batch:TerminateJob",
        "events:DescribeRule", "events:PutRule", "events:PutTargets",
        "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
        "xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    },
}  # fmt: skip
"""Of every role, by the start of its logical id: the actions that its code needs."""

WITH_KEY = {
    name: {"kms:Decrypt", "kms:GenerateDataKey"} for name in NEEDED if name == "ComputeJobRole" or "Function" in name
}
"""What is needed beside that where the bucket has a KMS key."""

MANAGED = {"ComputeInstanceRole": ("arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",)}

BUCKET, SOURCE = "output-bucket", "open-cases"


def name_of(role: str) -> str:
    return re.sub(r"[0-9A-F]{8}$", "", role)


def granted(variant: str) -> dict[str, tuple[Statement, ...]]:
    return {name_of(role): statements(variant, role) for role in roles(variant)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_role_may_do_what_it_needs_and_nothing_else(variant: str) -> None:
    with_key = WITH_KEY if variant in ("hardened", "existing-bucket") else {}
    assert {
        name: {action for item in found for action in item.actions} for name, found in granted(variant).items()
    } == {name: actions | with_key.get(name, set()) for name, actions in NEEDED.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_policies_of_aws_are_few_and_known(variant: str) -> None:
    found = {name_of(role): managed_policies(variant, role) for role in roles(variant)}
    assert {name: policies for name, policies in found.items() if policies} == MANAGED


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_action_is_a_pattern(variant: str) -> None:
    for name, found in granted(variant).items():
        assert not [action for item in found for action in item.actions if "*" in action], name


def test_every_resource_without_a_name_is_explained() -> None:
    found = {
        action
        for variant in VARIANTS
        for role in granted(variant).values()
        for item in role
        if item.effect == "Allow" and "*" in item.resources
        for action in item.actions
    }
    found |= {action.rstrip("*") for variant in VARIANTS for item in key_statements(variant) for action in item.actions}
    assert found == set(WITHOUT_RESOURCE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_worker_cannot_undo_or_declare_success(variant: str) -> None:
    found = granted(variant)["ComputeJobRole"]
    bucket = "research-data" if variant == "existing-bucket" else "StorageBucket5CB7C8EA"
    prefix = "" if variant == "existing-bucket" else "casemill/"
    base = f"arn:aws:s3:::{bucket}/{prefix}"
    assert allows(found, "s3:PutObject", f"{base}datasets/d/train/train-00000.tfrecord.gz")
    for path in ("datasets/d/_SUCCESS", "datasets/d/manifest.json", "runs/r/run.json", "runs/r/plan/shards.json",
                 "runs/r/verification.json", "runs/r/cost.json", "other/object"):  # fmt: skip
        assert not allows(found, "s3:PutObject", base + path), path
    assert not allows(found, "s3:DeleteObject", f"{base}runs/r/staging/train-00000/00000.seg")


def test_sources_are_read_only_and_only_below_their_prefix() -> None:
    found = granted("hardened")["ComputeJobRole"]
    assert allows(found, "s3:GetObject", "arn:aws:s3:::open-cases/0001.vital")
    assert allows(found, "s3:GetObject", "arn:aws:s3:::hospital/cases/2026/0001.vital")
    assert not allows(found, "s3:GetObject", "arn:aws:s3:::hospital/letters/0001.pdf")
    assert not allows(found, "s3:PutObject", "arn:aws:s3:::open-cases/0001.vital")
    assert not allows(granted("default")["ComputeJobRole"], "s3:GetObject", "arn:aws:s3:::open-cases/0001.vital")


def requests_of_a_worker(server: S3Server, cohort: TinyCohort) -> set[tuple[str, str]]:
    """(action, ARN) of what a worker asks of S3: a run with segments, then one that finds objects without records."""
    for name in (BUCKET, SOURCE):
        server.client().create_bucket(Bucket=name)
    for file in sorted(cohort.source.rglob("*")):
        if file.is_file():
            key = f"cases/{file.relative_to(cohort.source).as_posix()}"
            server.client().put_object(Bucket=SOURCE, Key=key, Body=file.read_bytes())
    workload = build_workload("vitaldb", SHORT_WINDOWS)
    selection = {"cases": "all", "clinical": str(cohort.clinical), "where": None}
    options = PlanOptions(data_set="tiny", shard_cases=4, partitions=1, checkpoint_seconds=1e-9)
    plan = make_plan(workload, open_source(f"s3://{SOURCE}/cases"), selection, options)
    store = open_store(f"s3://{BUCKET}/casemill")
    write_plan(store, plan)
    layout = RunLayout(plan.request.run_id)
    settings = read_settings(
        {"CASEMILL_OUTPUT": store.uri, "CASEMILL_RUN": plan.request.run_id, "AWS_EC2_METADATA_DISABLED": "true"}
    )
    server.faults.reset()
    assert work(settings, StopRequest(), build_workload) == 0
    first = actions_of(server)
    for item in store.list(layout.commits):
        store.delete(item.key)
    server.faults.reset()
    assert work(settings, StopRequest(), build_workload) == 0
    return first | actions_of(server)


def actions_of(server: S3Server) -> set[tuple[str, str]]:
    found = set()
    for (method, path), headers in zip(server.faults.requests, server.faults.headers, strict=True):
        bucket, _, key = path.strip("/").partition("/")
        arn = f"arn:aws:s3:::{'StorageBucket5CB7C8EA' if bucket == BUCKET else bucket}"
        if not key:
            assert method == "GET", method
            found.add(("s3:ListBucket", arn))
            continue
        action = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
        found.add((action[method], f"{arn}/{key}"))
        if "X_AMZ_TAGGING" in headers:
            found.add(("s3:PutObjectTagging", f"{arn}/{key}"))
    return found


def test_a_worker_asks_for_nothing_that_its_role_does_not_allow(
    server: S3Server, tiny_cohort: TinyCohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    asked = requests_of_a_worker(server, tiny_cohort)
    found = granted("hardened")["ComputeJobRole"]
    assert [request for request in sorted(asked) if not allows(found, *request)] == []
    # And the role allows nothing that no worker asks for, but for the second source and the keys; a source is never
    # listed, but S3 wants that right before it says of an object that it is not there.
    unused = {
        (action, resource)
        for item in found
        for action in item.actions
        for resource in item.resources
        if not any(allows((Statement("Allow", (action,), (resource,), ""),), *request) for request in asked)
    }
    assert {(action, resource) for action, resource in unused if not action.startswith("kms:")} == {
        ("s3:GetObject", "arn:aws:s3:::hospital/cases/2026/*"),
        ("s3:ListBucket", "arn:aws:s3:::hospital"),
        ("s3:ListBucket", "arn:aws:s3:::open-cases"),
    }
