"""The functions of the workflow: what each may do, and nothing more.

A test holds this table against the calls that the handlers make, and the local cloud runs each under its own role.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from cdk.functions import FunctionSpec
from cdk.permissions import (
    NOT_THERE_YET,
    WHOLE_SOURCE,
    WITHOUT_RESOURCE,
    find,
    read,
    source_places,
    source_statements,
    use_key,
    write,
)

if TYPE_CHECKING:
    from cdk.workflow_props import WorkflowProps

PACKAGE = "workflow"
"""The folder that ``make build`` assembles; one for all, because nearly all of them load nearly all of it."""

LONGEST_SECONDS = 900
"""The most that Lambda gives a call (Lambda quotas)."""

LONGEST_PATIENCE_SECONDS = 180

_READS = ("runs/*",)
_READS_DATA = ("runs/*", "datasets/*")

WRITES: dict[str, tuple[str, ...]] = {
    "plan": ("runs/*/run.json", "runs/*/asked.json", "runs/*/cloud.json", "runs/*/plan/*", "datasets/*/run_id"),
    "inspect": ("runs/*/rounds/*", "runs/*/begun/*"),
    "guard": ("runs/*/PROGRESS.txt", "runs/*/attempts/*"),
    "verify": ("runs/*/verification/*",),
    "publish": (
        "runs/*/attempts/*",
        "runs/*/verification.json",
        "runs/*/quarantine.jsonl",
        "runs/*/quarantine_sent",
        "runs/*/cost.json",
        "runs/*/report.html",
        "runs/*/report.json",
        "runs/*/report.txt",
        "runs/*/executions/*.txt",
        "datasets/*",
    ),
    "notify": (
        "runs/*/executions/*",
        "runs/*/report.html",
        "runs/*/report.json",
        "runs/*/report.txt",
        "runs/*/quarantine.jsonl",
    ),
}
"""Objects that each function writes, below the prefix."""

DELETES: dict[str, tuple[str, ...]] = {
    "plan": ("runs/*/plan/*",),
    "publish": ("datasets/*/_SUCCESS",),
    "notify": ("datasets/*/_SUCCESS",),
}
"""Parts of a plan that was never finished; a seal that has proved untrue."""


def specs(props: WorkflowProps) -> dict[str, FunctionSpec]:
    """One for each function, by its name."""
    return {
        "plan": _spec(props, "plan", 3072, LONGEST_SECONDS, [*_reading(props, _READS_DATA), *_sources(props)]),
        "inspect": _spec(props, "inspect", 1024, 300, _reading(props, _READS)),
        "guard": _spec(props, "guard", 1024, 120, [*_reading(props, _READS), *_jobs(), *_ends(), *_prices()]),
        "verify": _spec(props, "verify", 3072, LONGEST_SECONDS, _reading(props, _READS_DATA)),
        "publish": _spec(
            props,
            "publish",
            3072,
            LONGEST_SECONDS,
            [*_reading(props, _READS_DATA), *_ends(), *_prices(), *_setting_aside(props)],
        ),
        "notify": _spec(
            props, "notify", 1024, 300, [*_reading(props, _READS_DATA), *_jobs(), *_ends(), *_telling(props)]
        ),
    }


def _spec(
    props: WorkflowProps,
    name: str,
    memory_mib: int,
    timeout_seconds: int,
    statements: Sequence[iam.PolicyStatement],
) -> FunctionSpec:
    changes = [write(props.storage, WRITES[name]), *_deleting(props, DELETES.get(name, ()))]
    return FunctionSpec(
        package=PACKAGE,
        handler=f"handlers.{name}.handler",
        memory_mib=memory_mib,
        timeout_seconds=timeout_seconds,
        environment={
            **props.environment,
            "POWERTOOLS_SERVICE_NAME": f"casemill-{name}",
            # Faults of the storage are told before the call's time is up.
            "CASEMILL_STORAGE_RETRY_SECONDS": str(min(LONGEST_PATIENCE_SECONDS, timeout_seconds // 4)),
        },
        statements=[*statements, *changes],
        wildcards=_wildcards(props, name),
        on_failure=props.monitoring.dead_letter_queue if name == "notify" else None,
    )


def _reading(props: WorkflowProps, paths: Sequence[str]) -> list[iam.PolicyStatement]:
    key = use_key(props.storage, ["kms:Decrypt", "kms:GenerateDataKey"])
    return [read(props.storage, paths), find(props.storage), *key]


def _sources(props: WorkflowProps) -> list[iam.PolicyStatement]:
    return source_statements(props.settings.source_buckets, props.settings.source_keys)


def _deleting(props: WorkflowProps, paths: Sequence[str]) -> list[iam.PolicyStatement]:
    resources = [props.storage.objects(path) for path in paths]
    return [iam.PolicyStatement(sid="Delete", actions=["s3:DeleteObject"], resources=resources)] if paths else []


def _jobs() -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(sid="FindJobs", actions=["batch:ListJobs"], resources=["*"]),
        iam.PolicyStatement(sid="EndJobs", actions=["batch:TerminateJob"], resources=[any_job()]),
    ]


def _ends() -> list[iam.PolicyStatement]:
    """Seeing how attempts ended, whose records cannot know it."""
    return [iam.PolicyStatement(sid="SeeJobs", actions=["batch:DescribeJobs"], resources=["*"])]


def _prices() -> list[iam.PolicyStatement]:
    actions = ["ec2:DescribeSpotPriceHistory", "pricing:GetProducts"]
    return [iam.PolicyStatement(sid="SeePrices", actions=actions, resources=["*"])]


def _telling(props: WorkflowProps) -> list[iam.PolicyStatement]:
    monitoring = props.monitoring
    tell = iam.PolicyStatement(sid="Tell", actions=["sns:Publish"], resources=[monitoring.topic.topic_arn])
    return [tell, *_sending(props)]


def _setting_aside(props: WorkflowProps) -> list[iam.PolicyStatement]:
    queue = props.monitoring.quarantine_queue.queue_arn
    return [iam.PolicyStatement(sid="SetAside", actions=["sqs:SendMessage"], resources=[queue]), *_sending(props)]


def _sending(props: WorkflowProps) -> list[iam.PolicyStatement]:
    """The stack's own key, which topic and queues have, where the bucket's is another."""
    if props.key is None or props.storage.key is props.key:
        return []
    actions = ["kms:Decrypt", "kms:GenerateDataKey"]
    return [iam.PolicyStatement(sid="UseStackKey", actions=actions, resources=[props.key.key_arn])]


def any_job() -> str:
    """Jobs of this account and region; Batch makes up their ids."""
    return f"arn:{Aws.PARTITION}:batch:{Aws.REGION}:{Aws.ACCOUNT_ID}:job/*"


def _wildcards(props: WorkflowProps, name: str) -> dict[str, str]:
    """Each ARN with ``*`` in a function's statements, and why."""
    reads = _READS_DATA if name in ("plan", "verify", "publish", "notify") else _READS
    paths = (*reads, *WRITES[name], *DELETES.get(name, ()))
    found = {props.storage.objects(path): NOT_THERE_YET for path in paths}
    if name == "plan":
        found |= dict.fromkeys(source_places(props.settings.source_buckets), WHOLE_SOURCE)
    if name in ("guard", "notify"):
        found[any_job()] = "jobs get their ids when they are submitted; only this run's are ended, by their name"
    if name == "notify":
        found["*"] = "; ".join(WITHOUT_RESOURCE[action] for action in ("xray:PutTraceSegments", "batch:ListJobs"))
    if name in ("guard", "publish"):
        found["*"] = "; ".join(WITHOUT_RESOURCE[action] for action in ("xray:PutTraceSegments", "pricing:GetProducts"))
    return found
