"""Where the machines stand: nothing that costs while idle, no way in, and, isolated, no way out."""

from __future__ import annotations

import pytest

from cdk.network import ENDPOINTS
from tests.cdk_templates import VARIANTS, only, resources


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_nat_gateway_anywhere(variant: str) -> None:
    assert resources(variant, "AWS::EC2::NatGateway") == {}
    assert resources(variant, "AWS::EC2::EIP") == {}


@pytest.mark.parametrize("variant", VARIANTS)
def test_s3_is_reached_by_a_free_gateway(variant: str) -> None:
    gateways = [
        item for item in resources(variant, "AWS::EC2::VPCEndpoint").values() if item["VpcEndpointType"] == "Gateway"
    ]
    (gateway,) = gateways
    assert gateway["ServiceName"]["Fn::Join"][1][-1] == ".s3"
    assert len(gateway["RouteTableIds"]) == len(resources(variant, "AWS::EC2::Subnet"))


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "hardened"])
def test_without_isolation_there_are_no_interface_endpoints(variant: str) -> None:
    assert len(resources(variant, "AWS::EC2::VPCEndpoint")) == 1
    assert {item["MapPublicIpOnLaunch"] for item in resources(variant, "AWS::EC2::Subnet").values()} == {True}


def test_isolated_machines_have_what_they_need_and_no_more() -> None:
    assert resources("hardened", "AWS::EC2::InternetGateway") == {}
    assert resources("hardened", "AWS::EC2::Route") == {}
    subnets = resources("hardened", "AWS::EC2::Subnet")
    assert {item["MapPublicIpOnLaunch"] for item in subnets.values()} == {False}
    endpoints = [
        item for item in resources("hardened", "AWS::EC2::VPCEndpoint").values()
        if item["VpcEndpointType"] == "Interface"
    ]  # fmt: skip
    services = {item["ServiceName"]["Fn::Join"][1][-1].removeprefix(".") for item in endpoints}
    assert services == {"ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs"}
    assert len(endpoints) == len(ENDPOINTS)
    for item in endpoints:
        assert item["PrivateDnsEnabled"] is True
        assert {subnet["Ref"] for subnet in item["SubnetIds"]} == set(subnets)


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_comes_in_from_outside(variant: str) -> None:
    for name, group in resources(variant, "AWS::EC2::SecurityGroup").items():
        assert group.get("SecurityGroupIngress", []) == [], name
    for rule in resources(variant, "AWS::EC2::SecurityGroupIngress").values():
        assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (443, 443, "tcp")
        assert "SourceSecurityGroupId" in rule
        assert not {"CidrIp", "CidrIpv6"} & set(rule)


@pytest.mark.parametrize("variant", VARIANTS)
def test_traffic_is_logged(variant: str) -> None:
    log = only(variant, "AWS::EC2::FlowLog")
    assert (log["ResourceType"], log["TrafficType"]) == ("VPC", "ALL")


def test_zones_are_those_of_the_settings() -> None:
    zones = [item["AvailabilityZone"] for item in resources("arm64", "AWS::EC2::Subnet").values()]
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1c"]
    # Without them the account's zones are found when the stack is deployed, and never made up.
    assert {str(item["AvailabilityZone"]) for item in resources("default", "AWS::EC2::Subnet").values()} == {
        "{'Fn::Select': [0, {'Fn::GetAZs': ''}]}",
        "{'Fn::Select': [1, {'Fn::GetAZs': ''}]}",
    }
