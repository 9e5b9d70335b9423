"""Exceptions from the rules of cdk-nag: each stands at its resource, for one finding, with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

INLINE_POLICY = {
    "HIPAA.Security-IAMNoInlinePolicy": "A policy of one role only; it comes and goes with the role, and no other "
    "role can take it up."
}
"""Of every role here: a managed policy would outlive its role and invite reuse."""


def accept(construct: IConstruct, *reasons: Mapping[str, str]) -> None:
    """Accept findings (rule, or ``rule[finding]``, and why) at a construct and what is below it."""
    for group in reasons:
        rules = [Acknowledgment(id=rule, reason=reason) for rule, reason in group.items()]
        Validations.of(construct).acknowledge(*rules)


def accept_wildcards(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept resources with ``*`` in a role's policy: ARN as in the statement, and why it is no narrower."""
    stack = Stack.of(construct)
    accept(
        construct, {f"AwsSolutions-IAM5[Resource::{_spelt(stack.resolve(arn))}]": why for arn, why in reasons.items()}
    )


def _spelt(resolved: object) -> str:
    """An ARN with its references as cdk-nag spells them."""
    match resolved:
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(_spelt(part) for part in parts)
        case {"Fn::GetAtt": [str(resource), str(attribute)]}:
            return f"<{resource}.{attribute}>"
        case {"Ref": str(name)}:
            return f"<{name}>"
        case str(text):
            return text
    raise ValueError(f"cdk-nag's spelling of {resolved!r} is not known")
