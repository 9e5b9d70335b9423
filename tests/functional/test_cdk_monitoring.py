"""Alarms and dashboard: what they look at is written by the functions, and every trouble of a run raises its alarm."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cdk.alarms import ALARMS
from cdk.documents import SHOWN_VARIANTS, stale_documents
from cdk.idle_cost import FREE_ALARMS, FREE_DASHBOARDS
from cdk.settings import Settings
from tests.cdk_policies import allows, filled, key_statements, roles, statements
from tests.cdk_templates import VARIANTS, only, resources, template
from tests.emitted_metrics import QUIET, TROUBLES, names_in_the_code, written
from tests.localcloud.alarms import evaluate_alarms, metrics_in_log, put_metrics

REGION = "us-east-1"
RUNBOOK = Path("docs/aws/alarms.md")
PARTS = ("What happened: ", "What it means: ", "What to do: ", "Read on: ")
ALARM = "AWS::CloudWatch::Alarm"


def alarms(variant: str = "default") -> dict[str, dict[str, Any]]:
    """Properties of each alarm, by what its name ends with."""
    stage = template(variant)["Outputs"]["Stage"]["Value"]
    return {item["AlarmName"].removeprefix(f"casemill-{stage}-"): item for item in resources(variant, ALARM).values()}


def dashboard(variant: str = "default") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(filled(only(variant, "AWS::CloudWatch::Dashboard")["DashboardBody"]))
    return found


@pytest.mark.parametrize(
    ("name", "metric", "statistic", "comparison", "threshold"),
    [
        ("run-failed", "RunsFailed", "Sum", "GreaterThanOrEqualToThreshold", 1),
        ("verification-failed", "VerificationsFailed", "Sum", "GreaterThanOrEqualToThreshold", 1),
        ("success-rate", "SuccessRate", "Minimum", "LessThanThreshold", 95),
        ("over-budget", "BudgetAtRisk", "Maximum", "GreaterThanOrEqualToThreshold", 1),
        ("reclaims", "ReclaimsLastHour", "Maximum", "GreaterThanOrEqualToThreshold", 3),
        ("no-progress", "NoProgress", "Maximum", "GreaterThanOrEqualToThreshold", 1),
        ("queue-blocked", "QueueBlocked", "Maximum", "GreaterThanOrEqualToThreshold", 1),
    ],
)
def test_alarms_of_the_stage_whatever_the_workload(
    name: str, metric: str, statistic: str, comparison: str, threshold: float
) -> None:
    alarm = alarms()[name]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("Casemill", metric, statistic)
    assert alarm["Dimensions"] == [{"Name": "stage", "Value": "production"}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == (comparison, threshold)


@pytest.mark.parametrize(
    ("name", "namespace", "metric", "dimension", "resource"),
    [
        ("not-told", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "MonitoringDeadLetters"),
        ("notify-errors", "AWS/Lambda", "Errors", "FunctionName", "WorkflowNotifyFunction"),
        ("notify-throttles", "AWS/Lambda", "Throttles", "FunctionName", "WorkflowNotifyFunction"),
    ],
)
def test_alarms_for_mails_that_do_not_go_out(
    name: str, namespace: str, metric: str, dimension: str, resource: str
) -> None:
    alarm = alarms()[name]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == (namespace, metric, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    (found,) = alarm["Dimensions"]
    assert found["Name"] == dimension
    assert filled(found["Value"]).startswith(resource)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_alarm_tells_somebody_what_to_do(variant: str) -> None:
    outputs = template(variant)["Outputs"]
    sections = set(re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.M))
    assert set(alarms(variant)) == {spec.name for spec in ALARMS} == sections
    for name, alarm in alarms(variant).items():
        assert alarm["AlarmActions"] == [outputs["Topic"]["Value"]]
        assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (300, 3, 1)
        assert alarm["TreatMissingData"] == "notBreaching"
        text = filled(alarm["AlarmDescription"])
        assert [line[: len(part)] for line, part in zip(text.splitlines(), PARTS, strict=True)] == list(PARTS)
        assert f"docs/aws/alarms.md#{name} and {filled(outputs['Dashboard']['Value'])}" in text
        # The longest region is longer than the one filled in.
        assert len(text) < 1024 - 100


def test_what_alarms_and_dashboard_cost_is_what_is_free() -> None:
    assert len(ALARMS) <= FREE_ALARMS
    assert len(resources("default", "AWS::CloudWatch::Dashboard")) <= FREE_DASHBOARDS
    assert not resources("default", "AWS::CloudWatch::CompositeAlarm")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_topic_lets_the_alarms_of_this_stage_in(variant: str) -> None:
    statements = only(variant, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (statement,) = [item for item in statements if item["Sid"] == "Alarms"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sns:Publish")
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    pattern = filled(statement["Condition"]["ArnLike"]["aws:SourceArn"])
    stage = template(variant)["Outputs"]["Stage"]["Value"]
    assert pattern == f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:casemill-{stage}-*"


def test_the_key_serves_those_that_send_to_the_topic() -> None:
    (key,) = resources("hardened", "AWS::KMS::Key").values()
    served = {}
    for item in key["KeyPolicy"]["Statement"]:
        services = item["Principal"].get("Service", [])
        for service in [services] if isinstance(services, str) else services if isinstance(services, list) else []:
            served[service] = {action.rstrip("*") for action in item["Action"]}
    for service in ("budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"):
        assert served[service] == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert allows(key_statements("hardened"), "kms:GenerateDataKey", "any")


def test_messages_are_sent_with_the_stacks_key_where_the_bucket_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {**VARIANTS["existing-bucket"], "casemill:kms": True}
    monkeypatch.setattr("tests.cdk_templates.VARIANTS", {**VARIANTS, "both keys": both})
    (key,) = resources("both keys", "AWS::KMS::Key")
    for name in ("WorkflowNotifyFunctionRole", "WorkflowPublishFunctionRole"):
        (role,) = [role for role in roles("both keys") if role.startswith(name)]
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert allows(statements("both keys", role), action, f"arn:{key}"), (name, action)


def test_a_figure_is_written_of_the_workload_and_of_the_stage_and_of_nothing_else() -> None:
    found = list(metrics_in_log(written({**QUIET, "SuccessRate": 99.0})))
    assert {tuple(item["Name"] for item in metric["Dimensions"]) for metric in found} == {
        ("workload", "stage"),
        ("stage",),
    }
    assert {metric["Namespace"] for metric in found} == {"Casemill"}
    for name in {metric["MetricName"] for metric in found}:
        values = {
            tuple(item["Value"] for item in metric["Dimensions"]) for metric in found if metric["MetricName"] == name
        }
        assert values == {("vitaldb", "production"), ("production",)}


def test_every_figure_that_is_looked_at_is_written() -> None:
    looked_at = {item["MetricName"] for item in alarms().values() if item["Namespace"] == "Casemill"}
    dimensions = set()
    for widget in dashboard()["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if metric[0] == "Casemill":
                looked_at.add(metric[1])
                dimensions.add(tuple(part for part in metric[2:] if isinstance(part, str)))
            elif isinstance(metric[0], dict):
                query = metric[0]["expression"]
                assert "{Casemill,workload,stage}" in query
                assert 'stage="production"' in query
                looked_at.add(re.findall(r'MetricName="(\w+)"', query)[0])
    assert len(looked_at) > 12
    assert looked_at <= names_in_the_code()
    assert dimensions == {("stage", "production")}


def test_the_first_rows_say_whether_all_is_well() -> None:
    first, second = ([item for item in dashboard()["widgets"] if item["y"] == y] for y in (0, 6))
    assert [item["type"] for item in first] == ["alarm", "text"]
    assert len(first[0]["properties"]["alarms"]) == len(ALARMS)
    assert [item["properties"]["metrics"][0][1] for item in second] == [
        "RunsSucceeded", "SuccessRate", "CostUsd", "ReclaimsLastHour",
    ]  # fmt: skip
    (cost,) = [item for item in dashboard()["widgets"] if "projected" in item["properties"].get("title", "")]
    (line,) = cost["properties"]["annotations"]["horizontal"]
    assert line["value"] == Settings().budget_usd_per_run


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_dashboard_is_where_the_output_says(variant: str) -> None:
    name = filled(only(variant, "AWS::CloudWatch::Dashboard")["DashboardName"])
    assert filled(template(variant)["Outputs"]["Dashboard"]["Value"]).endswith(f"#dashboards/dashboard/{name}")


def raised(text: str) -> set[str]:
    """The alarms that what was written raises, as CloudWatch would evaluate them."""
    with mock_aws():
        client, sns = (boto3.client(service, region_name=REGION) for service in ("cloudwatch", "sns"))
        topic = sns.create_topic(Name="casemill")["TopicArn"]
        for name, alarm in alarms().items():
            settings = {key: value for key, value in alarm.items() if key not in ("Tags", "AlarmName")}
            dimensions = [{"Name": item["Name"], "Value": filled(item["Value"])} for item in alarm["Dimensions"]]
            settings |= {"AlarmActions": [topic], "Dimensions": dimensions, "AlarmDescription": name}
            client.put_metric_alarm(AlarmName=name, **settings)
        put_metrics(client, text)
        return set(evaluate_alarms(client, sns))


def test_every_trouble_raises_its_alarm_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    told = set()
    for happened, figures, wanted in TROUBLES:
        assert set(figures) <= names_in_the_code()
        assert raised(written(figures)) == wanted, happened
        told |= wanted
    assert told == {name for name, item in alarms().items() if item["Namespace"] == "Casemill"}
    assert raised(written({**QUIET, "NoProgress": 1.0}, workload="another")) == {"no-progress"}


def test_tables_and_pictures_in_the_documents_are_fresh() -> None:
    stale = stale_documents({name: template(name) for name in SHOWN_VARIANTS})
    assert not stale, "run: make picture"
