"""Lambda functions: each from a folder that ``make build`` has assembled, with a role and a log group of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambdas
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.exceptions import INLINE_POLICY, accept, accept_wildcards
from cdk.image import REPOSITORY_ROOT
from cdk.logs import new_log_group
from cdk.permissions import WITHOUT_RESOURCE
from cdk.settings import BadSettingsError, Settings

BUILT_FUNCTIONS = REPOSITORY_ROOT / "build" / "functions"
RUNTIME = lambdas.Runtime.PYTHON_3_13
"""On Amazon Linux 2023. The image's 3.11 would be Amazon Linux 2 here, whose C library is too old for the wheels of
pyarrow; what both compute is the same."""
ARCHITECTURES = {"x86_64": lambdas.Architecture.X86_64, "arm64": lambdas.Architecture.ARM_64}
NAMESPACE = "Casemill"


@dataclass(frozen=True)
class FunctionSpec:
    """One function: ``handler`` as ``module.function`` in the folder ``package``, and its bounds.

    ``statements`` are all that its role gets beside its own log group, traces and environment; ``wildcards`` says why
    for each ARN with ``*`` in them. ``on_failure`` takes events that an asynchronous caller could not deliver.
    """

    package: str
    handler: str
    memory_mib: int = 256
    timeout_seconds: int = 60
    scratch_mib: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    statements: Sequence[iam.PolicyStatement] = ()
    wildcards: Mapping[str, str] = field(default_factory=dict)
    on_failure: sqs.IQueue | None = None


class Function(Construct):
    """``function``, ``role``, ``log_group`` and ``version``: the code as deployed, which outlives later deployments.

    Raises
    ------
    BadSettingsError
        The folder of the package is not there or is empty.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        spec: FunctionSpec,
        settings: Settings,
        key: kms.IKey | None,
        built_functions: Path = BUILT_FUNCTIONS,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = new_log_group(self, "Logs", days=settings.log_retention_days, key=key)
        self.role = self._role(spec, key)
        self.function = lambdas.Function(
            self,
            "Function",
            code=lambdas.Code.from_asset(str(_built(built_functions / spec.package))),
            handler=spec.handler,
            runtime=RUNTIME,
            architecture=ARCHITECTURES[settings.architecture],
            memory_size=spec.memory_mib,
            timeout=Duration.seconds(spec.timeout_seconds),
            ephemeral_storage_size=Size.mebibytes(spec.scratch_mib),
            environment=dict(spec.environment),
            environment_encryption=key,
            role=self.role,
            log_group=self.log_group,
            logging_format=lambdas.LoggingFormat.JSON,
            tracing=lambdas.Tracing.ACTIVE,
            dead_letter_queue=spec.on_failure,
            current_version_options=lambdas.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
        )
        self.version = self.function.current_version
        self._accept(spec)

    def _role(self, spec: FunctionSpec, key: kms.IKey | None) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                sid="OwnLog",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[self.log_group.log_group_arn],
            )
        )
        if key is not None:
            role.add_to_policy(
                iam.PolicyStatement(sid="OwnEnvironment", actions=["kms:Decrypt"], resources=[key.key_arn])
            )
        for statement in spec.statements:
            role.add_to_policy(statement)
        return role

    def _accept(self, spec: FunctionSpec) -> None:
        accept(self.role, INLINE_POLICY)
        accept_wildcards(self.role, {"*": WITHOUT_RESOURCE["xray:PutTraceSegments"], **spec.wildcards})
        accept(
            self.function,
            {
                "AwsSolutions::AwsSolutions-L1": "A release behind the newest: it is tested with the lock's wheels; "
                "AWS supports it for years to come, and cfn-lint reports when that ends.",
                "HIPAA.Security-LambdaInsideVPC": "It reads and writes through the APIs of AWS only, by TLS and with "
                "its role; in the VPC it would need a NAT gateway or an endpoint for each of them.",
                "HIPAA.Security-LambdaConcurrency": "The state machine bounds how many run; reserved concurrency "
                "would be taken from the account's other functions.",
            },
        )
        if spec.on_failure is None:
            accept(
                self.function,
                {
                    "HIPAA.Security-LambdaDLQ": "Only the state machine calls it, and waits for the answer: an error "
                    "goes to its retries and catches, and a queue would stay empty."
                },
            )


def common_environment(
    settings: Settings,
    *,
    output: str,
    spot_queue: str,
    on_demand_queue: str,
    job_definition: str,
    image: str,
    job_log_group: str,
    topic: str,
    quarantine_queue: str,
) -> dict[str, str]:
    """The environment that every function has; the names are those of ``handlers/environment.py``."""
    return {
        "CASEMILL_OUTPUT": output,
        "CASEMILL_STAGE": settings.stage,
        "CASEMILL_SPOT_QUEUE": spot_queue,
        "CASEMILL_ON_DEMAND_QUEUE": on_demand_queue,
        "CASEMILL_JOB_DEFINITION": job_definition,
        "CASEMILL_TOPIC": topic,
        "CASEMILL_QUARANTINE_QUEUE": quarantine_queue,
        "CASEMILL_JOB_LOG_GROUP": job_log_group,
        "CASEMILL_IMAGE": image,
        "CASEMILL_SOURCE_BUCKETS": ",".join(settings.source_buckets),
        "CASEMILL_BUDGET_USD": f"{settings.budget_usd_per_run:g}",
        "CASEMILL_VCPUS": str(settings.job_vcpus),
        "CASEMILL_SCRATCH_GIB": str(settings.scratch_gb),
        "CASEMILL_GUARD_SECONDS": str(settings.guard_seconds),
        "CASEMILL_STUCK_SECONDS": str(settings.stuck_seconds),
        "CASEMILL_TARGET_HOURS": f"{settings.target_hours:g}",
        "POWERTOOLS_SERVICE_NAME": "casemill",
        "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
    }


def _built(folder: Path) -> Path:
    if not folder.is_dir() or not any(folder.iterdir()):
        raise BadSettingsError((f"{folder} is not there or is empty; wanted: the function's code. Run: make build",))
    return folder
