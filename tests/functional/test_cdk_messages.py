"""Who is told of what: topic, budget, quarantine, blocked queues; and what the command line finds in the outputs."""

from __future__ import annotations

import pytest
from aws_cdk.assertions import Match

from cdk.outputs import OUTPUTS
from tests.cdk_templates import VARIANTS, asserted, only, resources, template


@pytest.mark.parametrize("variant", VARIANTS)
def test_messages_travel_by_tls_only(variant: str) -> None:
    statements = only(variant, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (denial,) = [item for item in statements if item["Effect"] == "Deny"]
    assert (denial["Principal"], denial["Condition"]) == ("*", {"Bool": {"aws:SecureTransport": "false"}})
    publishers = {item["Principal"]["Service"] for item in statements if item["Effect"] == "Allow"}
    assert publishers == {"budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"}


def test_mail_goes_to_whom_the_settings_name() -> None:
    assert resources("default", "AWS::SNS::Subscription") == {}
    subscription = only("arm64", "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.org")


def test_the_month_has_a_budget_for_what_carries_the_tag() -> None:
    topic = template("default")["Outputs"]["Topic"]["Value"]
    asserted("default").has_resource_properties(
        "AWS::Budgets::Budget",
        {
            "Budget": {
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": 200, "Unit": "USD"},
                "CostFilters": {"TagKeyValue": ["user:casemill:stage$production"]},
            },
            "NotificationsWithSubscribers": [
                {
                    "Notification": Match.object_like({"NotificationType": kind, "Threshold": percentage}),
                    "Subscribers": [{"SubscriptionType": "SNS", "Address": topic}],
                }
                for kind, percentage in (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
            ],
        },
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_quarantined_cases_wait_in_an_encrypted_queue(variant: str) -> None:
    queues = resources(variant, "AWS::SQS::Queue")
    (name,) = [name for name in queues if name.startswith("MonitoringQuarantine")]
    (dead,) = set(queues) - {name}
    assert queues[name]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]},
        "maxReceiveCount": 1000,
    }
    for queue in queues.values():
        assert queue["MessageRetentionPeriod"] == 14 * 86_400
        assert queue.get("SqsManagedSseEnabled") or queue.get("KmsMasterKeyId")
    for policy in resources(variant, "AWS::SQS::QueuePolicy").values():
        (denial,) = [item for item in policy["PolicyDocument"]["Statement"] if item["Effect"] == "Deny"]
        assert (denial["Effect"], denial["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_a_blocked_queue_is_told_in_plain_words() -> None:
    rule = only("default", "AWS::Events::Rule", "MonitoringQueueBlocked")
    outputs = template("default")["Outputs"]
    assert rule["EventPattern"] == {
        "source": ["aws.batch"],
        "detail-type": ["Batch Job Queue Blocked"],
        "detail": {"jobQueue": [outputs["SpotQueue"]["Value"], outputs["OnDemandQueue"]["Value"]]},
    }
    (target,) = rule["Targets"]
    assert target["Arn"] == outputs["Topic"]["Value"]
    text = target["InputTransformer"]["InputTemplate"]
    for word in ("<detail-jobName>", "<detail-jobQueue>", "<detail-statusReason>", "30 minutes"):
        assert word in text


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_command_line_finds_its_way(variant: str) -> None:
    outputs = template(variant)["Outputs"]
    assert set(outputs) == set(OUTPUTS)
    assert outputs["Stage"]["Value"] == ("test" if variant == "arm64" else "production")


@pytest.mark.parametrize("variant", VARIANTS)
def test_everything_that_can_carries_the_tags(variant: str) -> None:
    wanted = {"casemill": "true", "casemill:stage": "test" if variant == "arm64" else "production"}
    if variant == "existing-bucket":
        wanted["cost-centre"] = "1234"
    for resource_type in (
        "AWS::S3::Bucket",
        "AWS::EC2::VPC",
        "AWS::Logs::LogGroup",
        "AWS::IAM::Role",
        "AWS::SQS::Queue",
    ):
        for name, item in resources(variant, resource_type).items():
            tags = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
            assert wanted.items() <= tags.items(), name
