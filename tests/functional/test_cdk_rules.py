"""The gates: cdk-nag before a template comes out, exceptions one by one, what the idle stack costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import aws_s3

from cdk.application import STACK_NAME, build_app
from cdk.idle_cost import Leftovers, UnknownPriceError, idle_costs
from tests.cdk_templates import VARIANTS, acknowledged, stand_in_functions, template


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_passes_the_rules(variant: str) -> None:
    assert template(variant)["Resources"]


def test_a_resource_that_breaks_a_rule_gives_no_template(tmp_path: Path) -> None:
    app = build_app(outdir=tmp_path / "out", built_functions=stand_in_functions(tmp_path / "functions"))
    aws_s3.Bucket(app.node.find_child(STACK_NAME), "Bare")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = (tmp_path / "out" / "validation-report.json").read_text()
    for rule in ("AwsSolutions-S1", "AwsSolutions-S10", "HIPAA.Security-S3BucketVersioningEnabled"):
        assert rule in report


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_exception_has_a_reason_at_its_resource(variant: str) -> None:
    found = acknowledged(variant)
    assert found
    for path, rule, reason in found:
        assert path.count("/") >= 3, (path, rule)
        assert len(reason) > 30, (path, rule)
        assert "[" in rule or "IAM5" not in rule, (path, rule)


def test_the_idle_stack_costs_less_than_a_dollar_a_month() -> None:
    costs = idle_costs(template("default"))
    assert 0 < sum(line.usd for line in costs) < 1.0
    assert {line.resource_type for line in costs if line.usd} == {
        "AWS::Logs::LogGroup", "AWS::S3::Bucket", "image in ECR",
    }  # fmt: skip
    assert sum(line.count for line in costs if "::" in line.resource_type) == len(template("default")["Resources"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_price_of_every_resource_is_known(variant: str) -> None:
    assert idle_costs(template(variant))


def test_isolation_and_a_key_have_their_price() -> None:
    costs = {line.resource_type: line for line in idle_costs(template("hardened"))}
    assert costs["AWS::KMS::Key"].usd == 1.0
    assert costs["AWS::EC2::VPCEndpoint"].usd == pytest.approx(6 * 2 * 0.01 * 730)


def resources_of(*types: str, **properties: object) -> dict[str, object]:
    return {"Resources": {str(n): {"Type": kind, "Properties": properties} for n, kind in enumerate(types)}}


@pytest.mark.parametrize(
    ("types", "properties", "usd"),
    [
        (["AWS::CloudWatch::Alarm"] * 10, {}, 0.0),
        (["AWS::CloudWatch::Alarm"] * 12, {}, 0.2),
        (
            ["AWS::CloudWatch::Alarm"] * 5,
            {"Metrics": [{"MetricStat": {}}, {"MetricStat": {}}, {"Expression": "a"}]},
            0.0,
        ),
        (["AWS::CloudWatch::Alarm"] * 4, {"Metrics": [{"MetricStat": {}}], "ThresholdMetricId": "band"}, 0.2),
        (["AWS::CloudWatch::CompositeAlarm"], {}, 0.5),
        (["AWS::CloudWatch::Dashboard"] * 3, {}, 0.0),
        (["AWS::CloudWatch::Dashboard"] * 4, {}, 3.0),
        (["AWS::EC2::NatGateway", "AWS::EC2::EIP"], {}, 36.5),
        (["AWS::EC2::VPCEndpoint"], {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b", "c"]}, 21.9),
        (["AWS::EC2::VPCEndpoint"], {"VpcEndpointType": "Gateway"}, 0.0),
    ],
)
def test_what_things_cost(types: list[str], properties: dict[str, object], usd: float) -> None:
    costs = idle_costs(resources_of(*types, **properties), Leftovers(0, 0, 0))
    assert sum(line.usd for line in costs) == pytest.approx(usd)


def test_a_new_type_wants_its_price_looked_up() -> None:
    with pytest.raises(UnknownPriceError, match="AWS::RDS::DBInstance"):
        idle_costs(resources_of("AWS::RDS::DBInstance"))


def test_the_app_tells_a_bad_setting_in_a_line_and_needs_no_docker() -> None:
    environment = {**os.environ, "CDK_CONTEXT_JSON": '{"casemill:job_vcpus": "many"}', "PATH": "/nonexistent"}
    done = subprocess.run([sys.executable, "app.py"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()) == (
        1, ["casemill:job_vcpus is 'many'; wanted: processors from 1 to 192."],
    )  # fmt: skip
