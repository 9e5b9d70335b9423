"""What the stack costs a month while nothing runs, counted from its template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Resource = Mapping[str, Any]

HOURS_A_MONTH = 730.0

# Public list prices of us-east-1 in US dollars, of the first half of 2026: aws.amazon.com/<service>/pricing of
# CloudWatch (what is free), and for the rates copies of those of CloudWatch, PrivateLink, VPC, KMS, ECR and S3.
ALARM = 0.10
FREE_ALARMS = 10
COMPOSITE_ALARM = 0.50
DASHBOARD = 3.00
FREE_DASHBOARDS = 3
ENDPOINT_HOUR = 0.01
NAT_HOUR = 0.045
ADDRESS_HOUR = 0.005
KEY = 1.00
LOG_GB = 0.03
IMAGE_GB = 0.10
OBJECT_GB = 0.023

BY_USE_ONLY = frozenset(
    {
        "AWS::Batch::ComputeEnvironment",
        "AWS::Batch::JobDefinition",
        "AWS::Batch::JobQueue",
        # A budget without actions.
        "AWS::Budgets::Budget",
        "AWS::EC2::FlowLog",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::Route",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::Events::Rule",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        # Code up to 75 GB in all is free.
        "AWS::Lambda::Version",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::StepFunctions::StateMachine",
    }
)
"""Types that cost by request, by message or by running machine, or nothing at all."""


@dataclass(frozen=True)
class Leftovers:
    """What earlier runs are assumed to have left, in GB; the data sets themselves are what was asked for."""

    logs: float = 1.0
    image: float = 0.5
    access_logs: float = 0.1


@dataclass(frozen=True)
class IdleCost:
    """``usd`` a month for ``count`` resources of one type; ``basis`` says how."""

    resource_type: str
    count: int
    usd: float
    basis: str


class UnknownPriceError(Exception):
    """The template has a resource of a type that stands in no table here."""


def idle_costs(template: Mapping[str, Any], leftovers: Leftovers | None = None) -> tuple[IdleCost, ...]:
    """One line for each type of resource, sorted by type; the sum of ``usd`` is the month's bill.

    Raises
    ------
    UnknownPriceError
        A type that is not known: nothing new slips in without somebody looking up its price.
    """
    left = leftovers or Leftovers()
    resources: list[Resource] = list(template["Resources"].values())
    lines = [_line(kind, _of(resources, kind), left) for kind in sorted({item["Type"] for item in resources})]
    if any("container-assets" in str(item.get("Properties", {}).get("ContainerProperties")) for item in resources):
        lines.append(IdleCost("image in ECR", 1, left.image * IMAGE_GB, f"{left.image:g} GB at {IMAGE_GB}"))
    return tuple(lines)


def _of(resources: list[Resource], kind: str) -> list[Resource]:
    return [item for item in resources if item["Type"] == kind]


def _line(kind: str, resources: list[Resource], left: Leftovers) -> IdleCost:
    if kind in BY_USE_ONLY:
        return IdleCost(kind, len(resources), 0.0, "by use only")
    if kind not in _PRICES:
        raise UnknownPriceError(f"{kind}: its price is not known; wanted: a line in cdk/idle_cost.py")
    usd, basis = _PRICES[kind](resources, left)
    return IdleCost(kind, len(resources), usd, basis)


def _each(usd: float) -> Callable[[list[Resource], Leftovers], tuple[float, str]]:
    return lambda resources, left: (len(resources) * usd, f"{usd:g} each")


def _after(free: int, usd: float) -> Callable[[list[Resource], Leftovers], tuple[float, str]]:
    return lambda resources, left: (max(0, len(resources) - free) * usd, f"{free} free, then {usd:g} each")


def _alarms(resources: list[Resource], left: Leftovers) -> tuple[float, str]:
    metrics = sum(_metrics_of(item.get("Properties", {})) for item in resources)
    return max(0, metrics - FREE_ALARMS) * ALARM, f"{metrics} metrics, {FREE_ALARMS} free, then {ALARM:g} each"


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    queries = [query for query in alarm.get("Metrics", []) if "MetricStat" in query]
    # Anomaly detection pays for the metric and for the two edges of its band.
    return max(1, len(queries)) + (2 if "ThresholdMetricId" in alarm else 0)


def _endpoints(resources: list[Resource], left: Leftovers) -> tuple[float, str]:
    kinds: Counter[str] = Counter()
    for item in resources:
        properties = item.get("Properties", {})
        interface = properties.get("VpcEndpointType") == "Interface"
        kinds["interface" if interface else "gateway"] += len(properties.get("SubnetIds", [])) if interface else 1
    usd = kinds["interface"] * ENDPOINT_HOUR * HOURS_A_MONTH
    return usd, f"{kinds['gateway']} of gateways free; {kinds['interface']} interfaces at {ENDPOINT_HOUR:g} an hour"


_PRICES: Mapping[str, Callable[[list[Resource], Leftovers], tuple[float, str]]] = {
    "AWS::CloudWatch::Alarm": _alarms,
    "AWS::CloudWatch::CompositeAlarm": _each(COMPOSITE_ALARM),
    "AWS::CloudWatch::Dashboard": _after(FREE_DASHBOARDS, DASHBOARD),
    "AWS::EC2::EIP": _each(ADDRESS_HOUR * HOURS_A_MONTH),
    "AWS::EC2::NatGateway": _each(NAT_HOUR * HOURS_A_MONTH),
    "AWS::EC2::VPCEndpoint": _endpoints,
    "AWS::KMS::Key": _each(KEY),
    "AWS::Logs::LogGroup": lambda resources, left: (left.logs * LOG_GB, f"{left.logs:g} GB in all at {LOG_GB:g}"),
    "AWS::S3::Bucket": lambda resources, left: (
        left.access_logs * OBJECT_GB,
        f"{left.access_logs:g} GB of access logs at {OBJECT_GB:g}; runs and data sets as asked for",
    ),
}
