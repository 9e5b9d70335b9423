"""What the roles of a template may do: statements with their references filled in, and whether they allow a request."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any

from tests.cdk_templates import resources

KNOWN = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}


@dataclass(frozen=True)
class Statement:
    """One statement; ``conditions`` as text, empty where there are none."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: str


def roles(variant: str) -> tuple[str, ...]:
    """Logical ids of all roles."""
    return tuple(sorted(resources(variant, "AWS::IAM::Role")))


def managed_policies(variant: str, role: str) -> tuple[str, ...]:
    """Policies of AWS that a role has."""
    found = resources(variant, "AWS::IAM::Role")[role].get("ManagedPolicyArns", [])
    return tuple(filled(arn) for arn in found)


def statements(variant: str, role: str) -> tuple[Statement, ...]:
    """Every statement of a role, by its logical id."""
    own = resources(variant, "AWS::IAM::Role")[role].get("Policies", [])
    documents = [item["PolicyDocument"] for item in own]
    for policy in resources(variant, "AWS::IAM::Policy").values():
        if {"Ref": role} in policy["Roles"]:
            documents.append(policy["PolicyDocument"])
    return tuple(_statement(item) for document in documents for item in document["Statement"])


def key_statements(variant: str) -> tuple[Statement, ...]:
    """What the policies of keys allow to others than the account."""
    keys = resources(variant, "AWS::KMS::Key").values()
    found = [item for key in keys for item in key["KeyPolicy"]["Statement"]]
    return tuple(_statement(item) for item in found if item["Action"] != "kms:*")


def allows(granted: tuple[Statement, ...], action: str, resource: str) -> bool:
    """Whether one of the statements allows it; conditions are taken as met."""
    return any(
        item.effect == "Allow"
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in item.actions)
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in item.resources)
        for item in granted
    )


def filled(value: Any) -> str:
    """A value with its references as text; resources are called by their logical ids."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return KNOWN.get(name, str(name))
        case {"Fn::GetAtt": [name, "Arn"]}:
            return _arn(str(name))
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::Join": [between, parts]}:
            return str(between).join(filled(part) for part in parts)
        case {"Fn::Sub": text}:
            for name, meaning in KNOWN.items():
                text = text.replace(f"${{{name}}}", meaning)
            return str(text)
    raise ValueError(value)


def _arn(logical_id: str) -> str:
    # Of buckets the ARN is the start of their objects' ARNs; of the others nothing but the name matters here.
    return f"arn:aws:s3:::{logical_id}" if logical_id.startswith("Storage") else f"arn:{logical_id}"


def _statement(item: dict[str, Any]) -> Statement:
    return Statement(
        effect=item["Effect"],
        actions=tuple(_listed(item["Action"])),
        resources=tuple(filled(value) for value in _listed(item["Resource"])),
        conditions=str(item.get("Condition", "")),
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
