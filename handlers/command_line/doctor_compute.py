"""What works: vCPU quotas, job queues and their machines, and the worker's image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from core.doctor.findings import Finding, ok, problem, warning
from handlers.aws.clients import client
from handlers.command_line.stack import DeployedStack

QUOTAS = {
    "spot": ("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
    "on-demand": ("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
}
"""Codes and names in Service Quotas, service ``ec2``; both count vCPUs (AWS, "Amazon EC2 endpoints and quotas")."""

_ECR_IMAGE = re.compile(
    r"^(?P<registry>\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[\w.-]+))$"
)


def capacity(stack: DeployedStack) -> Iterator[Finding]:
    """Both queues, the machines behind them, and the quotas beside the most vCPUs that these may be."""
    from handlers.command_line.doctor_account import looked

    batch = client("batch")
    names = {"spot": stack.spot_queue, "on-demand": stack.on_demand_queue}
    described = batch.describe_job_queues(jobQueues=list(names.values()))["jobQueues"]
    queues = {queue["jobQueueArn"]: queue for queue in described}
    most: dict[str, int] = {}
    for kind, arn in names.items():
        queue = queues.get(arn)
        if queue is None:
            yield problem(f"{kind} queue", "is not there", "Deploy the stack again (cdk deploy).")
            continue
        yield _standing(f"{kind} queue", queue)
        wanted = [item["computeEnvironment"] for item in queue.get("computeEnvironmentOrder", ())]
        found = batch.describe_compute_environments(computeEnvironments=wanted)["computeEnvironments"] if wanted else []
        if not found:
            yield problem(f"{kind} machines", "the queue has none", "Deploy the stack again (cdk deploy).")
        for environment in found:
            yield _standing(f"{kind} machines", environment)
        most[kind] = sum(item.get("computeResources", {}).get("maxvCpus", 0) for item in found)
    yield from looked("quotas", lambda: quotas(most))


def _standing(looked_at: str, described: Mapping[str, Any]) -> Finding:
    state, status = described.get("state", "unknown"), described.get("status", "unknown")
    said = f"{state}, {status}"
    if state == "ENABLED" and status == "VALID":
        return ok(looked_at, said)
    reason = described.get("statusReason", "")
    said = f"{said}: {reason}" if reason else said
    if status in ("CREATING", "UPDATING"):
        return warning(looked_at, said, "Wait until AWS Batch is done with it.")
    fix = (
        "Enable it in AWS Batch." if status == "VALID" else "See the reason; then deploy the stack again (cdk deploy)."
    )
    return problem(looked_at, said, fix)


def quotas(most: Mapping[str, int]) -> Iterator[Finding]:
    """Both quotas; ``most``: the most vCPUs of the stack by kind of capacity, empty where there is no stack."""
    for kind, (code, name) in QUOTAS.items():
        allowed = _quota(code)
        looked_at, wanted = f"{kind} quota", most.get(kind)
        said = f"{allowed:,.0f} vCPUs" + (f", the stack uses up to {wanted:,}" if wanted is not None else "")
        advice = f'Ask for more in Service Quotas, Amazon EC2, "{name}" ({code})'
        if allowed < 1:
            yield problem(looked_at, said, f"{advice}: nothing can start.")
        elif wanted is not None and allowed < wanted:
            yield warning(looked_at, said, f"{advice}, or lower the stack's setting: more workers than that wait.")
        else:
            yield ok(looked_at, said)


def _quota(code: str) -> float:
    """The account's own value, or AWS's default where nobody ever changed it."""
    service = client("service-quotas")
    try:
        found = service.get_service_quota(ServiceCode="ec2", QuotaCode=code)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchResourceException":
            raise
        found = service.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=code)
    return float(found["Quota"]["Value"])


def image(stack: DeployedStack) -> Finding:
    """The image of the job definition, where it is in ECR."""
    if not stack.job_definition:
        return warning("image", "the stack does not name its job definition", "Deploy the stack again (cdk deploy).")
    found = client("batch").describe_job_definitions(jobDefinitions=[stack.job_definition])["jobDefinitions"]
    if not found or found[0].get("status") != "ACTIVE":
        return problem("image", "the job definition is not there or not active", "Deploy the stack again (cdk deploy).")
    name = _image_of(found[0])
    parts = _ECR_IMAGE.match(name)
    if parts is None:
        return warning(
            "image", f"{name or 'none'} is not in ECR, so it was not looked for", "See that Batch can pull it."
        )
    wanted = {"imageDigest": parts["digest"]} if parts["digest"] else {"imageTag": parts["tag"]}
    try:
        client("ecr").describe_images(
            registryId=parts["registry"], repositoryName=parts["repository"], imageIds=[wanted]
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ("ImageNotFoundException", "RepositoryNotFoundException"):
            raise
        fix = "Push it again, or deploy the stack with one that is there: no worker can start."
        return problem("image", f"{name} is not in ECR", fix)
    return ok("image", name)


def _image_of(definition: Mapping[str, Any]) -> str:
    """Of a plain definition, or of the first container of one in the newer form."""
    plain = definition.get("containerProperties", {}).get("image")
    if plain:
        return str(plain)
    for task in definition.get("ecsProperties", {}).get("taskProperties", ()):
        for container in task.get("containers", ()):
            return str(container.get("image", ""))
    return ""
