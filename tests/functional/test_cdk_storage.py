"""The bucket of the stack, new or existing: protection, versions, what is removed when."""

from __future__ import annotations

from typing import Any

import pytest

from cdk.storage import STAGING_TAG as RULE_TAG
from core.run.segment import STAGING_TAG
from tests.cdk_templates import only, resources, template

NEW = ("default", "hardened", "arm64")


def rules(variant: str) -> dict[str, dict[str, Any]]:
    found = only(variant, "AWS::S3::Bucket", "StorageBucket")["LifecycleConfiguration"]["Rules"]
    assert {rule.pop("Status") for rule in found if "Status" in rule} <= {"Enabled"}
    return {rule["Id"]: {key: value for key, value in rule.items() if key != "Id"} for rule in found}


@pytest.mark.parametrize("variant", NEW)
def test_versions_are_kept_and_accesses_logged(variant: str) -> None:
    bucket = only(variant, "AWS::S3::Bucket", "StorageBucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    logs = bucket["LoggingConfiguration"]["DestinationBucketName"]["Ref"]
    assert logs.startswith("StorageAccessLogs")
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.parametrize("variant", NEW)
def test_no_bucket_can_be_public_and_each_wants_tls(variant: str) -> None:
    buckets = resources(variant, "AWS::S3::Bucket")
    policies = {item["Bucket"]["Ref"]: item["PolicyDocument"]["Statement"] for item in
                resources(variant, "AWS::S3::BucketPolicy").values()}  # fmt: skip
    assert set(policies) == set(buckets)
    for name, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        denials = [item for item in policies[name] if item["Effect"] == "Deny"]
        assert [item["Condition"] for item in denials] == [
            {"Bool": {"aws:SecureTransport": "false"}},
            {"NumericLessThan": {"s3:TlsVersion": 1.2}},
        ]
        assert {(item["Action"], item["Principal"]["AWS"], len(item["Resource"])) for item in denials} == {
            ("s3:*", "*", 2)
        }
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def test_what_goes_when() -> None:
    assert rules("default") == {
        "staging": {
            "Prefix": "casemill/runs/",
            "TagFilters": [{"Key": "casemill", "Value": "staging"}],
            "ExpirationInDays": 14,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
        "old-runs": {"Prefix": "casemill/runs/", "ExpirationInDays": 180},
        "old-versions": {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
        "delete-markers": {"ExpiredObjectDeleteMarker": True},
        "incomplete-uploads": {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
    }


def test_no_rule_reaches_the_current_data_sets() -> None:
    removing = [rule for rule in rules("default").values() if "ExpirationInDays" in rule]
    assert {rule["Prefix"] for rule in removing} == {"casemill/runs/"}


def test_the_rule_looks_for_the_tag_that_segments_carry() -> None:
    assert RULE_TAG == STAGING_TAG


def test_a_key_of_the_stacks_own_only_where_asked_for() -> None:
    assert resources("default", "AWS::KMS::Key") == {}
    (key,) = resources("hardened", "AWS::KMS::Key")
    (rule,) = only("hardened", "AWS::S3::Bucket", "StorageBucket")["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert rule["BucketKeyEnabled"] is True
    assert rule["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": {"Fn::GetAtt": [key, "Arn"]},
    }
    assert only("hardened", "AWS::KMS::Key")["EnableKeyRotation"] is True


def test_with_a_key_everything_is_encrypted_with_it() -> None:
    (key,) = resources("hardened", "AWS::KMS::Key")
    arn = {"Fn::GetAtt": [key, "Arn"]}
    groups = resources("hardened", "AWS::Logs::LogGroup").values()
    queues = resources("hardened", "AWS::SQS::Queue").values()
    assert [item["KmsKeyId"] for item in groups] == [arn] * len(groups)
    assert [item["KmsMasterKeyId"] for item in queues] == [arn] * len(queues)
    assert only("hardened", "AWS::SNS::Topic")["KmsMasterKeyId"] == arn


def test_a_key_lets_services_in_only_for_this_account() -> None:
    statements = only("hardened", "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    # The account itself, and EventBridge as the CDK lets it in for a rule's target, which knows no conditions.
    others = [item for item in statements if "kms:*" not in item["Action"] and "Sid" in item]
    assert [item["Principal"] for item in statements if item not in others][1:] == [{"Service": "events.amazonaws.com"}]
    assert {item["Sid"] for item in others} == {"Logs", "Publishers", "Disks"}
    for item in others:
        assert item["Condition"]
        assert not any("*" in action for action in item["Action"])
    (disks,) = [item for item in others if item["Sid"] == "Disks"]
    assert set(disks["Condition"]["StringEquals"]) == {"kms:CallerAccount", "kms:ViaService"}


def test_a_bucket_that_is_there_is_left_as_it_is() -> None:
    assert resources("existing-bucket", "AWS::S3::Bucket") == {}
    assert resources("existing-bucket", "AWS::S3::BucketPolicy") == {}
    outputs = template("existing-bucket")["Outputs"]
    assert outputs["Bucket"]["Value"] == "research-data"
    assert outputs["Output"]["Value"] == "s3://research-data"


@pytest.mark.parametrize("variant", NEW)
def test_data_and_logs_outlive_the_stack(variant: str) -> None:
    kept = {"AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::KMS::Key", "AWS::SQS::Queue"}
    for name, item in template(variant)["Resources"].items():
        if item["Type"] in kept:
            assert (item["DeletionPolicy"], item["UpdateReplacePolicy"]) == ("Retain", "Retain"), name
