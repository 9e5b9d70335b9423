"""The stack's own KMS key, for those who must have one (a dollar a month)."""

from __future__ import annotations

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

PUBLISHERS = ("budgets.amazonaws.com", "cloudwatch.amazonaws.com")
"""Services that send to the topic by themselves. EventBridge does too, and is let in by its rules' targets."""


class StackKey(Construct):
    """``key``: one rotating key for bucket, logs, topic, queues, functions' settings and the machines' disks.

    The roles that use it are granted that where they are made; here stand the services.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: str) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            description=f"Casemill {stage}: data, logs, messages and disks",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        for statement in self._for_services():
            self.key.add_to_resource_policy(statement)

    def _for_services(self) -> list[iam.PolicyStatement]:
        stack = Stack.of(self)
        use = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"]
        use += ["kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"]
        groups = f"arn:{Aws.PARTITION}:logs:{stack.region}:{stack.account}:log-group:*"
        return [
            iam.PolicyStatement(
                sid="Logs",
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=[*use[:5], "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            ),
            iam.PolicyStatement(
                sid="Publishers",
                principals=[iam.ServicePrincipal(name) for name in PUBLISHERS],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            ),
            # As the policy of aws/ebs says it: Batch, Auto Scaling and EC2 make disks through service-linked roles,
            # which an account may not have yet and a key policy then cannot name.
            iam.PolicyStatement(
                sid="Disks",
                principals=[iam.AnyPrincipal()],
                actions=[*use, "kms:CreateGrant"],
                resources=["*"],
                conditions={
                    "StringEquals": {
                        "kms:CallerAccount": stack.account,
                        "kms:ViaService": f"ec2.{stack.region}.amazonaws.com",
                    }
                },
            ),
        ]
