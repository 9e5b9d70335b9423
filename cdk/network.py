"""Where the machines stand: by default with public addresses and no way in; isolated without any way out."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.exceptions import INLINE_POLICY, accept
from cdk.logs import new_log_group
from cdk.settings import Settings

ENDPOINTS = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Ecs": ec2.InterfaceVpcEndpointAwsService.ECS,
    "EcsAgent": ec2.InterfaceVpcEndpointAwsService.ECS_AGENT,
    "EcsTelemetry": ec2.InterfaceVpcEndpointAwsService.ECS_TELEMETRY,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
}
"""What a machine of Batch needs without the internet, besides S3: its agent's services, the image, the logs."""


class Network(Construct):
    """``vpc``, ``subnets`` and ``security_group`` of the machines.

    Public subnets cost nothing while nothing runs, where a NAT gateway costs 33 dollars a month and the interface
    endpoints of ``isolated`` 7.30 each and zone.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        kind = ec2.SubnetType.PRIVATE_ISOLATED if settings.isolated else ec2.SubnetType.PUBLIC
        zones = list(settings.availability_zones)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            nat_gateways=0,
            availability_zones=zones or None,
            max_azs=None if zones else 3,
            # The alternative is a function of the CDK's own that changes the group after the deployment.
            restrict_default_security_group=False,
            subnet_configuration=[ec2.SubnetConfiguration(name="Machines", subnet_type=kind, cidr_mask=20)],
            gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
        )
        self.subnets = ec2.SubnetSelection(subnet_type=kind)
        self.security_group = ec2.SecurityGroup(
            self,
            "Machines",
            vpc=self.vpc,
            description="Machines of AWS Batch: nothing comes in",
            allow_all_outbound=True,
        )
        self.flow_log_group = self._flow_logs(settings, key)
        accept(
            self.vpc,
            {
                "HIPAA.Security-VPCDefaultSecurityGroupClosed": "Nothing uses the default group; closing it takes a "
                "function with rights over security groups."
            },
        )
        if settings.isolated:
            self._endpoints()
        else:
            self._accept_public_subnets()

    def _flow_logs(self, settings: Settings, key: kms.IKey | None) -> logs.LogGroup:
        group = new_log_group(self, "FlowLogs", days=settings.log_retention_days, key=key)
        flow_log = self.vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )
        flow_log.apply_removal_policy(RemovalPolicy.DESTROY)
        accept(flow_log, INLINE_POLICY)
        return group

    def _endpoints(self) -> None:
        group = ec2.SecurityGroup(
            self, "Endpoints", vpc=self.vpc, description="AWS services, for the machines only", allow_all_outbound=False
        )
        group.add_ingress_rule(self.security_group, ec2.Port.tcp(443), "The machines")
        for name, service in ENDPOINTS.items():
            self.vpc.add_interface_endpoint(
                name, service=service, subnets=self.subnets, security_groups=[group], open=False
            )

    def _accept_public_subnets(self) -> None:
        why = (
            "The machines reach ECR and the ECS service over public addresses, and nothing can open a connection to "
            "them: their security group lets nothing in. The setting casemill:isolated does without, for the price of "
            "endpoints."
        )
        for subnet in self.vpc.public_subnets:
            accept(
                subnet,
                {
                    "HIPAA.Security-VPCSubnetAutoAssignPublicIpDisabled": why,
                    "HIPAA.Security-VPCNoUnrestrictedRouteToIGW": why,
                },
            )
