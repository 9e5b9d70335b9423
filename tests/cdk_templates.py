"""The synthesised templates: each variant of the settings once a process, for tests and for cfn-lint.

``python -m tests.cdk_templates FOLDER`` writes one template for each variant.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk.assertions import Template

from cdk.application import STACK_NAME, build_app

VARIANTS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "hardened": {
        "casemill:isolated": True,
        "casemill:kms": True,
        "casemill:source_buckets": ["open-cases", "hospital/cases/2026"],
        "casemill:source_keys": ["arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"],
    },
    "arm64": {
        "casemill:account": "123456789012",
        "casemill:region": "us-east-1",
        "casemill:availability_zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        "casemill:architecture": "arm64",
        "casemill:stage": "test",
        "casemill:image_repository": "casemill",
        "casemill:image_digest": "sha256:" + "5" * 64,
        "casemill:mail_addresses": ["on-call@example.org"],
    },
    "existing-bucket": {
        "casemill:bucket": "research-data",
        "casemill:bucket_key": "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000",
        "casemill:prefix": "",
        "casemill:tags": {"cost-centre": "1234"},
    },
}

FUNCTION_PACKAGES = ("handlers", "workflow")


def stand_in_functions(folder: Path) -> Path:
    """Folders as ``make build`` assembles them, with next to nothing inside."""
    for package in FUNCTION_PACKAGES:
        (folder / package).mkdir(parents=True, exist_ok=True)
        (folder / package / "empty.py").write_text("def handler(event, context):\n    return event\n")
    return folder


@functools.cache
def synthesised(variant: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Template and metadata of one variant, past every rule of cdk-nag."""
    with tempfile.TemporaryDirectory() as scratch:
        functions = stand_in_functions(Path(scratch) / "functions")
        app = build_app(VARIANTS[variant], outdir=Path(scratch) / "out", built_functions=functions)
        app.synth()
        documents = [Path(scratch) / "out" / f"{STACK_NAME}.{kind}.json" for kind in ("template", "metadata")]
        found, metadata = (json.loads(document.read_text()) for document in documents)
    return found, metadata


def template(variant: str) -> dict[str, Any]:
    """The template of one variant."""
    return synthesised(variant)[0]


def acknowledged(variant: str) -> list[tuple[str, str, str]]:
    """Where, which rule, why: every exception from the rules, but for those of the CDK from its own templates."""
    return [
        (path, rule, reason)
        for path, entries in synthesised(variant)[1].items()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for rule, reason in entry["data"].items()
        if not rule.startswith("CloudFormation-Validate::")
    ]


@functools.cache
def asserted(variant: str) -> Template:
    """The template of one variant with the CDK's own assertions."""
    return Template.from_json(template(variant))


def resources(variant: str, resource_type: str) -> dict[str, dict[str, Any]]:
    """Properties of the resources of one type, by logical id."""
    found = template(variant)["Resources"].items()
    return {name: item.get("Properties", {}) for name, item in found if item["Type"] == resource_type}


def only(variant: str, resource_type: str, logical_id: str = "") -> dict[str, Any]:
    """Properties of the one resource of this type whose logical id starts so."""
    (properties,) = [item for name, item in resources(variant, resource_type).items() if name.startswith(logical_id)]
    return properties


def main(folder: Path) -> None:
    """Write the templates, in place of those of earlier variants."""
    for earlier in folder.glob("*.template.json"):
        earlier.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for variant in VARIANTS:
        (folder / f"{variant}.template.json").write_text(json.dumps(template(variant), indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
