"""Log groups: with an end to what they keep, and encrypted."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.exceptions import accept


def new_log_group(scope: Construct, construct_id: str, *, days: int, key: kms.IKey | None) -> logs.LogGroup:
    """A log group that keeps lines for ``days`` and outlives the stack; one of ``settings.RetentionDays``."""
    group = logs.LogGroup(scope, construct_id, encryption_key=key, removal_policy=RemovalPolicy.RETAIN)
    # The library has names for the numbers, the template the numbers.
    resource = group.node.default_child
    assert isinstance(resource, logs.CfnLogGroup)
    resource.retention_in_days = days
    if key is None:
        accept(
            group,
            {
                "HIPAA.Security-CloudWatchLogGroupEncrypted": "CloudWatch's own key encrypts, and no line holds data "
                "of a case; a key of the stack's own is the setting casemill:kms."
            },
        )
    return group
