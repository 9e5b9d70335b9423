"""Updates of stacks as CloudFormation makes them: in the order of the references, and on to what refers to a new thing.

moto adds first and changes then, and only what the template itself spells differently: a function would be published as
a version before it learns the job definition's new revision, or never learn it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import Any
from unittest.mock import patch

from moto.cloudformation.parsing import ResourceMap, parse_and_update_resource

Json = dict[str, Any]


def references(resource: Json, names: set[str]) -> set[str]:
    """The resources among ``names`` that a resource refers to or waits for.

    >>> sorted(references({"A": {"Ref": "x"}, "B": {"Fn::Sub": "${y.Arn}"}, "DependsOn": ["z"]}, {"x", "y", "z"}))
    ['x', 'y', 'z']
    """
    waited = resource.get("DependsOn", [])
    found = set(waited if isinstance(waited, list) else [waited])

    def look(value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "Ref":
                    found.add(inner)
                elif key == "Fn::GetAtt":
                    found.add(inner[0] if isinstance(inner, list) else inner.partition(".")[0])
                elif key == "Fn::Sub":
                    found.update(re.findall(r"\$\{(\w+)", inner[0] if isinstance(inner, list) else inner))
                    look(inner)
                else:
                    look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(resource)
    return found & names


def _update(stack: ResourceMap, template: Json, parameters: Json | None = None) -> None:
    before, parsed = dict(stack._resource_json_map), stack._parsed_resources
    stack._template = template
    if parameters:
        stack.input_parameters = parameters
    stack.load_mapping()
    stack.load_parameters()
    stack.load_conditions()
    wanted: dict[str, Json] = template["Resources"]
    stack._resource_json_map = wanted
    needed = {name: references(resource, set(wanted)) for name, resource in wanted.items()}
    renewed: set[str] = set()
    for name in TopologicalSorter(needed).static_order():
        if name not in before:
            _ = stack[name]  # makes it
            renewed.add(name)
        elif name in parsed and (_spelt(before[name]) != _spelt(wanted[name]) or needed[name] & renewed):
            earlier = parsed[name]
            changed = parse_and_update_resource(name, wanted[name], stack, stack._account_id, stack._region_name)
            parsed[name] = changed
            if _id(changed) != _id(earlier):
                renewed.add(name)
    for name in before.keys() - wanted.keys():
        resource = parsed.pop(name, None)
        if resource is not None and before[name].get("DeletionPolicy") != "Retain":
            stack._delete_resource(resource, before[name])


def _spelt(resource: Json) -> str:
    return json.dumps(resource, sort_keys=True)


def _id(resource: Any) -> object:
    return getattr(resource, "physical_resource_id", None)


@contextmanager
def updates_in_order() -> Iterator[None]:
    """Let stacks be updated so."""
    with patch.object(ResourceMap, "update", _update):
        yield
