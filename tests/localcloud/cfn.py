"""CloudFormation types that moto lacks or keeps too little of; each calls the public API of the same server.

A class registers itself by being a subclass of moto's model: a later one wins. The templates stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import boto3
from moto.batch.utils import lowercase_first_key
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel

Json = dict[str, Any]
BATCH_SERVICE_ROLE = "arn:aws:iam::123456789012:role/local-batch-service"


@dataclass
class Place:
    """Where the API of this server is; set while it runs."""

    endpoint: str = ""

    def client(self, service: str, region: str) -> Any:
        """An administrator's client."""
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=region,
            aws_access_key_id="admin", aws_secret_access_key="admin",
        )  # fmt: skip


PLACE = Place()


@dataclass(frozen=True)
class Made:
    """What ``Ref`` and ``Fn::GetAtt`` give."""

    id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


Make = Callable[[str, Json, str], Made]
_KEPT: list[type[CloudFormationModel]] = []


class _Resource(CloudFormationModel):
    """A resource that is made, and made anew at every update, by one function."""

    TYPE: ClassVar[str]
    NAME: ClassVar[str]
    make: ClassVar[Make]

    def __init__(self, name: str, made: Made, properties: Json) -> None:
        self.name, self.made, self.properties = name, made, properties

    @property
    def physical_resource_id(self) -> str:
        return self.made.id

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.made.attributes[attribute_name]

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(  # type: ignore[override]
        cls, resource_name: str, cloudformation_json: Json, account_id: str, region_name: str, **kwargs: Any
    ) -> _Resource:
        properties = cloudformation_json.get("Properties", {})
        return cls(resource_name, cls.make(resource_name, properties, region_name), properties)

    @classmethod
    def update_from_cloudformation_json(  # type: ignore[override]
        cls,
        original_resource: _Resource,
        new_resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
    ) -> _Resource:
        properties = cloudformation_json.get("Properties", {})
        if properties == original_resource.properties:
            return original_resource
        return cls(original_resource.name, cls.make(original_resource.name, properties, region_name), properties)

    @classmethod
    def delete_from_cloudformation_json(  # type: ignore[override]
        cls, resource_name: str, cloudformation_json: Json, account_id: str, region_name: str
    ) -> None:
        """Nothing: the server is thrown away as a whole."""


def _type(kind: str, name_property: str = "") -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        body = {
            "__module__": __name__,
            "make": staticmethod(make),
            "cloudformation_type": staticmethod(lambda: kind),
            "cloudformation_name_type": staticmethod(lambda: name_property),
        }
        _KEPT.append(type(kind.replace("::", ""), (_Resource,), body))
        return make

    return register


def _register() -> None:
    """moto keeps its list of types; ours come last in it."""
    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()
    own = {model.cloudformation_type(): model for model in _KEPT}
    parsing.get_model_map().update(own)
    parsing.get_name_type_map().update({kind: model.cloudformation_name_type() for kind, model in own.items()})


@_type("AWS::S3::Bucket", "BucketName")
def _bucket(name: str, properties: Json, region: str) -> Made:
    client = PLACE.client("s3", region)
    name = properties.get("BucketName", name).lower()
    client.create_bucket(Bucket=name)
    if status := properties.get("VersioningConfiguration", {}).get("Status"):
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
    if blocked := properties.get("PublicAccessBlockConfiguration"):
        client.put_public_access_block(
            Bucket=name, PublicAccessBlockConfiguration={key: value in (True, "true") for key, value in blocked.items()}
        )
    arn = f"arn:aws:s3:::{name}"
    domain = f"{name}.s3.{region}.amazonaws.com"
    return Made(name, {"Arn": arn, "RegionalDomainName": domain, "DomainName": f"{name}.s3.amazonaws.com"})


@_type("AWS::S3::BucketPolicy")
def _bucket_policy(name: str, properties: Json, region: str) -> Made:
    """Without what depends on conditions: moto ignores them, and a Deny without TLS would forbid everything."""
    document = properties["PolicyDocument"]
    kept = [statement for statement in document["Statement"] if "Condition" not in statement]
    if kept:
        policy = json.dumps({**document, "Statement": kept})
        PLACE.client("s3", region).put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
    return Made(name)


@_type("AWS::Batch::ComputeEnvironment", "ComputeEnvironmentName")
def _compute_environment(name: str, properties: Json, region: str) -> Made:
    resources = lowercase_first_key(properties["ComputeResources"])
    # moto knows few families, and nothing of types is emulated; what the template asks for is asserted on the template.
    resources |= {"instanceTypes": ["optimal"], "minvCpus": 0, "desiredvCpus": 0, "tags": {}}
    client = PLACE.client("batch", region)
    name = properties.get("ComputeEnvironmentName", name)
    found = client.create_compute_environment(
        computeEnvironmentName=name,
        type=properties["Type"].upper(),
        state=properties.get("State", "ENABLED").upper(),
        computeResources={key: value for key, value in resources.items() if key in _COMPUTE_FIELDS},
        serviceRole=properties.get("ServiceRole", BATCH_SERVICE_ROLE),
    )
    arn = found["computeEnvironmentArn"]
    return Made(arn, {"ComputeEnvironmentArn": arn})


_COMPUTE_FIELDS = {
    "type", "allocationStrategy", "minvCpus", "maxvCpus", "desiredvCpus", "instanceTypes", "subnets",
    "securityGroupIds", "instanceRole", "tags",
}  # fmt: skip


@_type("AWS::Batch::JobQueue", "JobQueueName")
def _job_queue(name: str, properties: Json, region: str) -> Made:
    order = [lowercase_first_key(item) for item in properties["ComputeEnvironmentOrder"]]
    found = PLACE.client("batch", region).create_job_queue(
        jobQueueName=properties.get("JobQueueName", name),
        state=properties.get("State", "ENABLED").upper(),
        priority=int(properties["Priority"]),
        computeEnvironmentOrder=[{**item, "order": int(item["order"])} for item in order],
    )
    return Made(found["jobQueueArn"], {"JobQueueArn": found["jobQueueArn"]})


@_type("AWS::Batch::JobDefinition", "JobDefinitionName")
def _job_definition(name: str, properties: Json, region: str) -> Made:
    container = lowercase_first_key(properties["ContainerProperties"])
    options = properties["ContainerProperties"].get("LogConfiguration", {}).get("Options")
    if options:
        container["logConfiguration"]["options"] = options
    found = PLACE.client("batch", region).register_job_definition(
        jobDefinitionName=properties.get("JobDefinitionName", name),
        type="container",
        containerProperties=_numbers(container),
        retryStrategy=_numbers(lowercase_first_key(properties.get("RetryStrategy", {}))),
        timeout=_numbers(lowercase_first_key(properties.get("Timeout", {}))),
        platformCapabilities=properties.get("PlatformCapabilities", ["EC2"]),
        propagateTags=properties.get("PropagateTags") in (True, "true"),
    )
    return Made(found["jobDefinitionArn"], {"JobDefinitionArn": found["jobDefinitionArn"]})


def _numbers(value: Any) -> Any:
    """Template values may be text; boto3 wants numbers and booleans where the API has them."""
    names = {"attempts", "attemptDurationSeconds", "sharedMemorySize", "maxSwap", "swappiness"}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: int(item) if key in names else _numbers(item) for key, item in value.items()}


@_type("AWS::StepFunctions::StateMachine", "StateMachineName")
def _state_machine(name: str, properties: Json, region: str) -> Made:
    client = PLACE.client("stepfunctions", region)
    name = properties.get("StateMachineName", name)
    definition, role = properties["DefinitionString"], properties["RoleArn"]
    known = {machine["name"]: machine["stateMachineArn"] for machine in client.list_state_machines()["stateMachines"]}
    if name in known:
        client.update_state_machine(stateMachineArn=known[name], definition=definition, roleArn=role)
        arn = known[name]
    else:
        arn = client.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    return Made(arn, {"Arn": arn, "Name": name})


@_type("AWS::Lambda::Version")
def _function_version(name: str, properties: Json, region: str) -> Made:
    found = PLACE.client("lambda", region).publish_version(FunctionName=properties["FunctionName"])
    return Made(found["FunctionArn"], {"FunctionArn": found["FunctionArn"], "Version": str(found["Version"])})


@_type("AWS::CloudWatch::Alarm", "AlarmName")
def _alarm(name: str, properties: Json, region: str) -> Made:
    settings = {key: value for key, value in properties.items() if key not in ("Tags", "AlarmName")}
    name = properties.get("AlarmName", name)
    PLACE.client("cloudwatch", region).put_metric_alarm(AlarmName=name, **settings)
    return Made(name, {"Arn": f"arn:aws:cloudwatch:{region}:123456789012:alarm:{name}"})


@_type("AWS::SNS::Subscription")
def _subscription(name: str, properties: Json, region: str) -> Made:
    found = PLACE.client("sns", region).subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        ReturnSubscriptionArn=True,
    )
    return Made(found["SubscriptionArn"], {"Arn": found["SubscriptionArn"]})


def _accepted(name: str, properties: Json, region: str) -> Made:
    """Taken without effect; what it asks for is asserted on the template."""
    return Made(name, {"Arn": f"arn:aws:local:{region}:123456789012:{name}"})


for _kind in (
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::CDK::Metadata",
):
    _type(_kind)(_accepted)


@contextmanager
def own_types(endpoint: str) -> Iterator[None]:
    """Let stacks be made with the types above."""
    PLACE.endpoint = endpoint
    _register()
    try:
        yield
    finally:
        PLACE.endpoint = ""
