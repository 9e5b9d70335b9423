"""Pictures made from the template: what stands in the account and who reaches what, and the steps of the workflow.

In Mermaid's language, which repositories' web pages draw.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

Template = Mapping[str, Any]
Json = dict[str, Any]

SHAPES = {
    "AWS::StepFunctions::StateMachine": '[["{0}"]]',
    "AWS::Lambda::Function": '("{0} λ")',
    "AWS::Batch::JobQueue": '["{0} of jobs"]',
    "AWS::Batch::ComputeEnvironment": '["{0}"]',
    "AWS::Batch::JobDefinition": '[["workers"]]',
    "AWS::S3::Bucket": '[("{0}")]',
    "AWS::SNS::Topic": '{{{{"topic"}}}}',
    "AWS::SQS::Queue": '["queue: {0}"]',
    "AWS::Events::Rule": '>"event: {0}"]',
    "AWS::Budgets::Budget": '["budget of the month"]',
    "AWS::CloudWatch::Alarm": '["{1} alarms"]',
}
"""Types in the picture and how each is drawn: ``{0}`` its name, ``{1}`` how many of them there are."""

ONE_FOR_ALL = ("AWS::CloudWatch::Alarm",)
GRANTS = {"s3:GetObject": "reads", "s3:PutObject": "writes", "sns:Publish": "tells", "sqs:SendMessage": "sends to"}
CONSTRUCTS = re.compile(r"^(Monitoring|Workflow|Compute|Storage|Alarms|Overview)|[0-9A-F]{8}$")


def architecture(template: Template) -> str:
    """What stands in the account, and what the template lets it reach."""
    parts: dict[str, Json] = {
        name: item for name, item in template["Resources"].items() if item["Type"] in SHAPES and _shown(item)
    }
    nodes = {name: _node(name, item) for name, item in parts.items()}
    for name, item in template["Resources"].items():
        if item["Type"] == "AWS::Lambda::Version":
            (function,) = _references(item["Properties"]["FunctionName"])
            nodes[name] = nodes[function]
    lines = {nodes[name]: f"  {nodes[name]}{_drawn(name, item, parts)}" for name, item in parts.items()}
    edges: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, item in parts.items():
        for target, word in _reaches(item, template):
            if target in nodes and nodes[target] != nodes[name]:
                edges[nodes[name], nodes[target]].add(word)
    arrows = [f"  {one} -->|{', '.join(sorted(words))}| {other}" for (one, other), words in sorted(edges.items())]
    return "\n".join(["flowchart LR", *(lines[node] for node in sorted(lines)), *arrows])


def workflow(template: Template) -> str:
    """The state machine's steps; a dashed arrow is taken when a step has failed for good."""
    (machine,) = [item for item in template["Resources"].values() if item["Type"] == "AWS::StepFunctions::StateMachine"]
    definition = json.loads(_joined(machine["Properties"]["DefinitionString"]))
    return "\n".join(["flowchart TD", "  begin([execution])", *_steps(definition, "begin", "  ")])


def _shown(item: Mapping[str, Any]) -> bool:
    handler = item.get("Properties", {}).get("Handler", "handlers.")
    return str(handler).startswith("handlers.") and item.get("Properties", {}).get("LifecycleConfiguration") != _LOGS


_LOGS: Json = {"Rules": [{"ExpirationInDays": 90, "Id": "old-logs", "Status": "Enabled"}]}
"""The bucket of access logs is no part of the picture."""


def _node(name: str, item: Mapping[str, Any]) -> str:
    kind = item["Type"].rpartition("::")[2]
    return kind if item["Type"] in ONE_FOR_ALL else f"{kind}_{_words(name).replace(' ', '_').replace('-', '_')}"


def _words(logical_id: str) -> str:
    name = CONSTRUCTS.sub("", CONSTRUCTS.sub("", logical_id))
    name = re.sub(r"(Function|Environment)$", "", name)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("on demand", "on-demand")


def _drawn(name: str, item: Mapping[str, Any], parts: Mapping[str, Json]) -> str:
    words = _words(name)
    if item["Type"] == "AWS::Batch::ComputeEnvironment":
        words += " machines"
    return SHAPES[item["Type"]].format(words, sum(other["Type"] == item["Type"] for other in parts.values()))


def _reaches(item: Mapping[str, Any], template: Template) -> Iterator[tuple[str, str]]:
    """Logical ids, and what is done to them."""
    properties = item.get("Properties", {})
    for field, word in (
        ("DefinitionString", "calls"),
        ("ComputeEnvironmentOrder", "fills"),
        ("AlarmActions", "tells"),
        ("NotificationsWithSubscribers", "tells"),
        ("RedrivePolicy", "gives up to"),
        ("DeadLetterConfig", "gives up to"),
    ):
        yield from ((name, word) for name in _references(properties.get(field)))
    for target in properties.get("Targets", []):
        yield from ((name, "tells") for name in _references(target["Arn"]))
        yield from ((name, "gives up to") for name in _references(target.get("DeadLetterConfig")))
    yield from _granted(properties, template)
    if item["Type"] == "AWS::Batch::ComputeEnvironment":
        # Jobs name their definition when they are submitted; every machine is for the one that there is.
        definitions = (name for name, other in template["Resources"].items() if other["Type"].endswith("JobDefinition"))
        yield from ((name, "run") for name in definitions)


def _granted(properties: Mapping[str, Any], template: Template) -> Iterator[tuple[str, str]]:
    role = properties.get("Role") or properties.get("RoleArn") or _job_role(properties)
    roles = set(_references(role))
    for item in template["Resources"].values():
        if item["Type"] != "AWS::IAM::Policy" or not roles & set(_references(item["Properties"]["Roles"])):
            continue
        for statement in item["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                word = "submits to" if action == "batch:SubmitJob" else GRANTS.get(action)
                if word:
                    yield from ((name, word) for name in _references(statement["Resource"]))


def _job_role(properties: Mapping[str, Any]) -> Any:
    return properties.get("ContainerProperties", {}).get("JobRoleArn")


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case dict():
            for part in value.values():
                yield from _references(part)
        case list():
            for part in value:
                yield from _references(part)


def _joined(value: Any) -> str:
    match value:
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(part if isinstance(part, str) else "".join(_references(part)) for part in parts)
        case str():
            return value
    raise ValueError(value)


def _steps(machine: Json, before: str, indent: str) -> Iterator[str]:
    states: dict[str, Json] = machine["States"]
    for name, state in states.items():
        inner = state.get("Branches") or [state[key] for key in ("ItemProcessor", "Iterator") if key in state]
        if inner:
            yield f'{indent}subgraph {name} ["{name}: {_kind(state)}"]'
            for branch in inner:
                yield from _steps(branch, "", indent + "  ")
            yield f"{indent}end"
        else:
            yield f"{indent}{name}{_SHAPE_OF.get(state['Type'], '[{0}]').format(name)}"
    if before:
        yield f"{indent}{before} --> {machine['StartAt']}"
    for name, state in states.items():
        for choice in state.get("Choices", []):
            yield f"{indent}{name} -->|{choice.get('StringEquals', 'yes')}| {choice['Next']}"
        if "Default" in state:
            yield f"{indent}{name} -->|else| {state['Default']}"
        if "Next" in state:
            yield f"{indent}{name} --> {state['Next']}"
        for target in dict.fromkeys(catch["Next"] for catch in state.get("Catch", [])):
            yield f"{indent}{name} -.-> {target}"


_SHAPE_OF = {"Choice": "{{{0}}}", "Succeed": "([{0}])", "Fail": "([{0}])", "Pass": "({0})", "Wait": "({0})"}


def _kind(state: Json) -> str:
    return "both at once" if state["Type"] == "Parallel" else "for each group of shards"
