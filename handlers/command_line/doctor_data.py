"""Where data come from and go to, and who is told."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from core.cli.workload_options import what_workloads_read
from core.doctor.findings import Finding, ok, problem, warning
from handlers.aws.clients import client
from handlers.command_line.stack import DeployedStack

_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


def mail(stack: DeployedStack) -> Finding:
    """Whether anybody is told of runs; addresses are counted, not shown."""
    if not stack.topic:
        return warning("mail", "the stack does not name its topic", "Deploy the stack again (cdk deploy).")
    pages = client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=stack.topic)
    arns = [item["SubscriptionArn"] for page in pages for item in page["Subscriptions"]]
    waiting = sum(not arn.startswith("arn:") for arn in arns)
    if not arns:
        fix = "Set casemill:mail_addresses and deploy, or nobody is told when a run fails."
        return warning("mail", "nobody has subscribed", fix)
    if waiting:
        said = f"{waiting} of {len(arns)} subscriptions are not confirmed"
        return problem("mail", said, "Open the link in the mail that AWS sent to the address.")
    return ok("mail", f"{len(arns)} subscriptions, all confirmed")


def bucket(stack: DeployedStack, write: bool) -> Iterator[Finding]:
    """The bucket of runs and data sets: reached, listed, and written to where that was asked for."""
    name, _, prefix = stack.output.removeprefix("s3://").partition("/")
    s3 = client("s3")
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status not in (301, 403, 404):
            raise
        said = {301: "is in another region", 403: "refuses these credentials", 404: "is not there"}[status]
        yield problem("bucket", f"{name} {said}", "Check --region and the permission s3:ListBucket on it.")
        return
    folder = f"{prefix.rstrip('/')}/" if prefix else ""
    s3.list_objects_v2(Bucket=name, Prefix=folder, MaxKeys=1)
    yield ok("bucket", f"{stack.output} can be reached and listed")
    if write:
        from handlers.command_line.doctor_account import looked

        yield from looked("bucket, writing", lambda: _write(s3, name, f"{folder}doctor/{uuid.uuid4()}"))


def _write(s3: Any, bucket: str, key: str) -> Finding:
    """Create an object, see that it cannot be created twice, and remove what was made, its version too."""
    made = s3.put_object(Bucket=bucket, Key=key, Body=b"casemill doctor", IfNoneMatch="*")
    try:
        versions = [made.get("VersionId")]
        try:
            versions.append(s3.put_object(Bucket=bucket, Key=key, Body=b"twice", IfNoneMatch="*").get("VersionId"))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _TAKEN:
                raise
    finally:
        for version in versions:
            s3.delete_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
    if len(versions) > 1:
        fix = "Use S3 itself: commits rest on it, and whatever stands between does not pass the condition on."
        return problem("bucket, writing", "an object was created twice", fix)
    return ok("bucket, writing", "an object was created, could not be created twice, and was removed")


def source(stack: DeployedStack, location: str) -> Iterator[Finding]:
    """A source as the caller reads it, and whether the stack's machines may: its setting ``source_buckets``."""
    if not location.startswith("s3://"):
        fix = "Copy it into a bucket that the stack may read: aws s3 sync."
        yield problem("source", f"{location} is on this machine, where no machine of the cloud can read it", fix)
        return
    name, _, prefix = location.removeprefix("s3://").partition("/")
    listed = client("s3").list_objects_v2(Bucket=name, Prefix=prefix.rstrip("/") + "/" if prefix else "", MaxKeys=1)
    if not listed.get("KeyCount", len(listed.get("Contents", ()))):
        fix = f"Check the spelling; it should hold what a workload reads ({what_workloads_read()})."
        yield problem("source", f"{location} holds nothing", fix)
        return
    yield ok("source", f"{location} can be listed with these credentials")
    from handlers.command_line.doctor_account import looked

    yield from looked("source, for the stack", lambda: _stack_reads(stack, name, prefix))


def _stack_reads(stack: DeployedStack, bucket: str, prefix: str) -> Finding:
    looked_at = "source, for the stack"
    function = stack.plan_function()
    if function is None:
        return warning(looked_at, "the stack's plan function was not found", "See casemill:source_buckets in cdk.json.")
    variables = client("lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    places = [place for place in variables.get("CASEMILL_SOURCE_BUCKETS", "").split(",") if place]
    own = stack.output.removeprefix("s3://")
    wanted = f"{bucket}/{prefix}".rstrip("/") + "/"
    if any(wanted.startswith(place.rstrip("/") + "/") for place in (*places, own)):
        return ok(looked_at, "it is in casemill:source_buckets")
    fix = "Add it to casemill:source_buckets in cdk.json, and deploy."
    return problem(looked_at, f"it is not in casemill:source_buckets ({', '.join(places) or 'none'})", fix)
