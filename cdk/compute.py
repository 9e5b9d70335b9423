"""AWS Batch: two environments and queues, spot and on-demand, and the worker's job definition."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import Aws, Duration, Size, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from cdk.exceptions import INLINE_POLICY, accept, accept_wildcards
from cdk.image import WorkerImage
from cdk.logs import new_log_group
from cdk.network import Network
from cdk.permissions import WITHOUT_RESOURCE, from_this_account, source_statements, worker_statements, worker_wildcards
from cdk.settings import Settings
from cdk.storage import Storage

USER = "10001:10001"
SCRATCH = "/scratch"
ROOT_DEVICE = "/dev/xvda"

LONGEST_UPDATE = Duration.minutes(360)
"""The most that Batch lets running jobs go on while machines are replaced."""

STUCK_REASONS = (
    # No machine of any family is to be had.
    batch.JobStateTimeLimitActionsReason.INSUFFICIENT_INSTANCE_CAPACITY,
    # The job is larger than the environment.
    batch.JobStateTimeLimitActionsReason.COMPUTE_ENVIRONMENT_MAX_RESOURCE,
    # No machine of the families is large enough.
    batch.JobStateTimeLimitActionsReason.JOB_RESOURCE_REQUIREMENT,
)

# In this order, and the last one matters: what no rule matches, Batch retries.
RETRY_RULES = (
    (batch.Action.RETRY, batch.Reason.SPOT_INSTANCE_RECLAIMED),
    (batch.Action.RETRY, batch.Reason.custom(on_exit_code="75")),
    (batch.Action.RETRY, batch.Reason.CANNOT_PULL_CONTAINER),
    (batch.Action.RETRY, batch.Reason.custom(on_exit_code="70")),
    (batch.Action.EXIT, batch.Reason.custom(on_reason="*")),
)


class Compute(Construct):
    """``spot_queue``, ``on_demand_queue``, ``job_definition``, ``log_group``, ``image`` and the roles of machines
    (``instance_role``), of the container's start (``execution_role``) and of the worker (``job_role``).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        network: Network,
        storage: Storage,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._network = settings, network
        self.job_definition_name = f"casemill-{settings.stage}"
        self.instance_role = self._instance_role()
        self.launch_template = self._launch_template(key)
        self.spot_environment = self._environment("spot", settings.max_vcpus_spot)
        self.on_demand_environment = self._environment("on-demand", settings.max_vcpus_on_demand)
        self.spot_queue = self._queue("SpotQueue", self.spot_environment)
        self.on_demand_queue = self._queue("OnDemandQueue", self.on_demand_environment)
        self.log_group = new_log_group(self, "JobLogs", days=settings.log_retention_days, key=key)
        self.image = WorkerImage(self, "Image", settings=settings)
        self.job_role = self._job_role(storage)
        self.execution_role = self._execution_role()
        self.job_definition = self._job_definition(storage)

    @property
    def job_definition_text(self) -> str:
        """Everything that makes a revision of the job definition, as text: another text is another revision."""
        made: Any = self.job_definition.node.default_child
        parts = [made.container_properties, made.retry_strategy, made.timeout, made.parameters]
        return json.dumps(Stack.of(self).resolve(parts), sort_keys=True)

    def _instance_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "InstanceRole",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            description="Machines of AWS Batch: what the ECS agent needs",
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonEC2ContainerServiceforEC2Role")
            ],
        )
        policy = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
        accept(
            role,
            {
                f"AwsSolutions-IAM4[Policy::{policy}]": "AWS keeps this policy in step with the agent of its machine "
                "image; with one of our own, machines of a newer image could not join and jobs would wait for ever."
            },
        )
        return role

    def _launch_template(self, key: kms.IKey | None) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            self,
            "Machine",
            require_imdsv2=True,
            # One hop more than a machine itself needs: the worker looks for the spot notice from its container.
            http_put_response_hop_limit=2,
            block_devices=[
                ec2.BlockDevice(
                    device_name=ROOT_DEVICE,
                    volume=ec2.BlockDeviceVolume.ebs(
                        self._settings.scratch_gb,
                        volume_type=ec2.EbsDeviceVolumeType.GP3,
                        encrypted=True,
                        kms_key=key,
                        delete_on_termination=True,
                    ),
                )
            ],
        )

    def _environment(self, capacity: str, max_vcpus: int) -> batch.ManagedEc2EcsComputeEnvironment:
        """The worker reads ``capacity`` in the environment's name."""
        settings, spot = self._settings, capacity == "spot"
        return batch.ManagedEc2EcsComputeEnvironment(
            self,
            "SpotEnvironment" if spot else "OnDemandEnvironment",
            # With the architecture, because machines of another take a new environment and not an update.
            compute_environment_name=f"casemill-{settings.stage}-{capacity}-{settings.architecture}",
            spot=spot,
            allocation_strategy=batch.AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED
            if spot
            else batch.AllocationStrategy.BEST_FIT_PROGRESSIVE,
            instance_classes=[ec2.InstanceClass[family.upper().replace("-", "_")] for family in settings.families],
            use_optimal_instance_classes=False,
            images=[batch.EcsMachineImage(image_type=batch.EcsMachineImageType.ECS_AL2023)],
            minv_cpus=0,
            maxv_cpus=max_vcpus,
            vpc=self._network.vpc,
            vpc_subnets=self._network.subnets,
            security_groups=[self._network.security_group],
            instance_role=self.instance_role,
            launch_template=self.launch_template,
            replace_compute_environment=False,
            update_to_latest_image_version=True,
            # A deployment lets the jobs of a run go on.
            terminate_on_update=False,
            update_timeout=LONGEST_UPDATE,
        )

    def _queue(self, name: str, environment: batch.ManagedEc2EcsComputeEnvironment) -> batch.JobQueue:
        limit = Duration.seconds(self._settings.stuck_seconds)
        return batch.JobQueue(
            self,
            name,
            compute_environments=[batch.OrderedComputeEnvironment(compute_environment=environment, order=1)],
            priority=1,
            job_state_time_limit_actions=[
                batch.JobStateTimeLimitAction(
                    reason=reason,
                    max_time=limit,
                    action=batch.JobStateTimeLimitActionsAction.CANCEL,
                    state=batch.JobStateTimeLimitActionsState.RUNNABLE,
                )
                for reason in STUCK_REASONS
            ],
        )

    def _job_role(self, storage: Storage) -> iam.Role:
        settings = self._settings
        statements = worker_statements(storage) + source_statements(settings.source_buckets, settings.source_keys)
        role = iam.Role(
            self,
            "JobRole",
            assumed_by=from_this_account("ecs-tasks.amazonaws.com"),
            description="The worker: reads its run and the sources, writes its shards, deletes nothing",
        )
        for statement in statements:
            role.add_to_policy(statement)
        accept(role, INLINE_POLICY)
        accept_wildcards(role, worker_wildcards(storage, settings.source_buckets))
        return role

    def _execution_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "ExecutionRole",
            assumed_by=from_this_account("ecs-tasks.amazonaws.com"),
            description="The container's start: its image and its log stream",
        )
        accept(role, INLINE_POLICY)
        accept_wildcards(role, {"*": WITHOUT_RESOURCE["ecr:GetAuthorizationToken"]})
        return role

    def _job_definition(self, storage: Storage) -> batch.EcsJobDefinition:
        settings = self._settings
        container = batch.EcsEc2ContainerDefinition(
            self,
            "Container",
            image=self.image.image,
            # No command: the image's entry point is the worker.
            cpu=settings.job_vcpus,
            memory=Size.mebibytes(settings.job_memory_mib),
            environment={
                "AWS_REGION": Aws.REGION,
                "CASEMILL_OUTPUT": storage.location,
                "CASEMILL_VCPUS": str(settings.job_vcpus),
            },
            job_role=self.job_role,
            execution_role=self.execution_role,
            logging=ecs.LogDriver.aws_logs(stream_prefix="worker", log_group=self.log_group),
            user=USER,
            readonly_root_filesystem=True,
            # Without a path of the machine Docker makes an empty volume for each container, and gives it the owner
            # and the rights of the folder in the image: that is how the user may write there.
            volumes=[batch.EcsVolume.host(name="scratch", container_path=SCRATCH, readonly=False)],
        )
        return batch.EcsJobDefinition(
            self,
            "JobDefinition",
            container=container,
            job_definition_name=self.job_definition_name,
            retry_attempts=settings.attempts,
            retry_strategies=[batch.RetryStrategy.of(action, reason) for action, reason in RETRY_RULES],
            timeout=Duration.seconds(settings.attempt_timeout_seconds),
            propagate_tags=True,
            # A run that was planned before a deployment ends with the revision that it began with.
            skip_deregister_on_update=True,
        )
