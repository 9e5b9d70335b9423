"""The construct of functions, with a stand-in for what ``make build`` assembles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdk.application import STACK_NAME, build_app
from cdk.exceptions import accept
from cdk.functions import Function, FunctionSpec
from cdk.permissions import NOT_THERE_YET, read
from cdk.settings import BadSettingsError
from cdk.stack import CasemillStack
from tests.cdk_templates import stand_in_functions


def synthesise(folder: Path, *, missing: bool = False, **settings: object) -> dict[str, Any]:
    """The resources of a stack with one function more, past the rules of cdk-nag."""
    functions = stand_in_functions(folder / "functions")
    app = build_app(
        {f"casemill:{name}": value for name, value in settings.items()},
        outdir=folder / "out",
        built_functions=functions,
    )
    stack = app.node.find_child(STACK_NAME)
    assert isinstance(stack, CasemillStack)
    props = stack.workflow_props
    spec = FunctionSpec(
        "no-such-package" if missing else "handlers",
        "empty.handler",
        memory_mib=512,
        timeout_seconds=90,
        environment=props.environment,
        statements=[read(props.storage, ("runs/*",))],
        wildcards={props.storage.objects("runs/*"): NOT_THERE_YET},
    )
    Function(stack, "Extra", spec=spec, settings=props.settings, key=props.key, built_functions=props.built_functions)
    app.synth()
    found: dict[str, Any] = json.loads((folder / "out" / f"{STACK_NAME}.template.json").read_text())["Resources"]
    return {name: item for name, item in found.items() if name.startswith("Extra")}


def one(found: dict[str, Any], resource_type: str) -> dict[str, Any]:
    (item,) = [item for item in found.values() if item["Type"] == resource_type]
    return dict(item)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return synthesise(tmp_path_factory.mktemp("default"))


def test_a_function_as_deployed(found: dict[str, Any]) -> None:
    function = one(found, "AWS::Lambda::Function")["Properties"]
    assert (function["Runtime"], function["Architectures"], function["Handler"]) == (
        "python3.13", ["x86_64"], "empty.handler",
    )  # fmt: skip
    assert (function["MemorySize"], function["Timeout"]) == (512, 90)
    assert function["TracingConfig"] == {"Mode": "Active"}
    (group,) = [name for name, item in found.items() if item["Type"] == "AWS::Logs::LogGroup"]
    assert function["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": group}}
    assert one(found, "AWS::Logs::LogGroup")["Properties"]["RetentionInDays"] == 90


def test_its_environment(found: dict[str, Any]) -> None:
    variables = one(found, "AWS::Lambda::Function")["Properties"]["Environment"]["Variables"]
    assert set(variables) >= {
        "CASEMILL_OUTPUT", "CASEMILL_STAGE", "CASEMILL_SPOT_QUEUE", "CASEMILL_ON_DEMAND_QUEUE",
        "CASEMILL_JOB_DEFINITION", "CASEMILL_TOPIC", "CASEMILL_QUARANTINE_QUEUE", "CASEMILL_JOB_LOG_GROUP",
        "CASEMILL_IMAGE", "CASEMILL_SOURCE_BUCKETS", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE",
    }  # fmt: skip
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Casemill"


def test_its_role_has_its_log_its_traces_and_its_statements(found: dict[str, Any]) -> None:
    statements = one(found, "AWS::IAM::Policy")["Properties"]["PolicyDocument"]["Statement"]
    assert {(str(item["Action"]), item["Resource"] == "*") for item in statements} == {
        ("['logs:CreateLogStream', 'logs:PutLogEvents']", False),
        ("s3:GetObject", False),
        ("['xray:PutTelemetryRecords', 'xray:PutTraceSegments']", True),
    }
    assert "ManagedPolicyArns" not in one(found, "AWS::IAM::Role")["Properties"]


def test_a_deployed_version_outlives_the_next(found: dict[str, Any]) -> None:
    version = one(found, "AWS::Lambda::Version")
    assert (version["DeletionPolicy"], version["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_graviton_and_key_by_setting(tmp_path: Path) -> None:
    made = synthesise(tmp_path, architecture="arm64", kms=True)
    function = one(made, "AWS::Lambda::Function")["Properties"]
    assert function["Architectures"] == ["arm64"]
    statements = one(made, "AWS::IAM::Policy")["Properties"]["PolicyDocument"]["Statement"]
    (own,) = [item for item in statements if item.get("Sid") == "OwnEnvironment"]
    assert (own["Action"], own["Resource"]) == ("kms:Decrypt", function["KmsKeyArn"])


def test_a_function_that_is_not_built_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsError, match=r"no-such-package is not there or is empty; wanted: .* make build"):
        synthesise(tmp_path, missing=True)


def test_accepting_needs_the_arn_as_granted(tmp_path: Path) -> None:
    app = build_app(outdir=tmp_path / "out", built_functions=stand_in_functions(tmp_path / "functions"))
    stack = app.node.find_child(STACK_NAME)
    assert isinstance(stack, CasemillStack)
    stack.compute.job_role.add_to_policy(read(stack.storage, ("other/*",)))
    accept(stack.compute.job_role, {"AwsSolutions-IAM5": "not granular"})
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()


def test_another_revision_of_the_job_definition_is_another_version_of_every_function(tmp_path: Path) -> None:
    """A version keeps its environment, and with it the revision: unpublished, new runs would stay with the old one."""
    first, same, changed = (
        _versions(tmp_path / name, memory) for name, memory in (("first", 1792), ("same", 1792), ("changed", 2048))
    )
    assert first == same
    assert len(first) == 6
    assert not first & changed


def _versions(folder: Path, memory: int) -> set[str]:
    functions = stand_in_functions(folder / "functions")
    build_app({"casemill:job_memory_mib": memory}, outdir=folder / "out", built_functions=functions).synth()
    found = json.loads((folder / "out" / f"{STACK_NAME}.template.json").read_text())["Resources"]
    return {name for name, resource in found.items() if resource["Type"] == "AWS::Lambda::Version"}
