"""AWS Batch as the template says it: machines, queues, the worker's container, and when what is tried again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from batch_image.settings import Settings as WorkerSettings
from cdk.assemble import PLATFORMS, PYTHON
from cdk.functions import RUNTIME
from cdk.settings import FAMILIES
from core.errors import EXIT_BUG, EXIT_RETRY
from tests.cdk_templates import VARIANTS, only, resources, template

ENVIRONMENTS = ("ComputeSpotEnvironment", "ComputeOnDemandEnvironment")
DOCKERFILE = Path("batch_image/Dockerfile")


def environment(variant: str, logical_id: str) -> dict[str, Any]:
    return only(variant, "AWS::Batch::ComputeEnvironment", logical_id)


def container(variant: str) -> dict[str, Any]:
    found: dict[str, Any] = only(variant, "AWS::Batch::JobDefinition")["ContainerProperties"]
    return found


def test_spot_machines_come_from_many_pools() -> None:
    machines = environment("default", "ComputeSpot")["ComputeResources"]
    assert (machines["Type"], machines["AllocationStrategy"]) == ("SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED")
    assert "BidPercentage" not in machines
    assert tuple(machines["InstanceTypes"]) == FAMILIES["x86_64"]
    assert (machines["MinvCpus"], machines["MaxvCpus"]) == (0, 256)


def test_on_demand_machines() -> None:
    machines = environment("default", "ComputeOnDemand")["ComputeResources"]
    assert (machines["Type"], machines["AllocationStrategy"]) == ("EC2", "BEST_FIT_PROGRESSIVE")
    assert (machines["MinvCpus"], machines["MaxvCpus"]) == (0, 64)


@pytest.mark.parametrize(("logical_id", "capacity"), [*zip(ENVIRONMENTS, ("spot", "on-demand"), strict=True)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_worker_reads_the_capacity_in_the_name(variant: str, logical_id: str, capacity: str) -> None:
    name = environment(variant, logical_id)["ComputeEnvironmentName"]
    assert re.fullmatch(r"[A-Za-z0-9][\w-]{1,127}", name)
    job = {"CASEMILL_OUTPUT": "s3://b/p", "CASEMILL_RUN": "r", "AWS_BATCH_CE_NAME": name}
    assert WorkerSettings.model_validate(job).capacity == capacity


@pytest.mark.parametrize("logical_id", ENVIRONMENTS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_machines_run_amazon_linux_2023_and_are_tagged(variant: str, logical_id: str) -> None:
    machines = environment(variant, logical_id)["ComputeResources"]
    assert machines["Ec2Configuration"] == [{"ImageType": "ECS_AL2023"}]
    assert machines["Tags"]["casemill:stage"] == ("test" if variant == "arm64" else "production")


@pytest.mark.parametrize("logical_id", ENVIRONMENTS)
def test_a_deployment_lets_running_jobs_go_on(logical_id: str) -> None:
    found = environment("default", logical_id)
    assert found["UpdatePolicy"] == {"TerminateJobsOnUpdate": False, "JobExecutionTimeoutMinutes": 360}
    assert found["ReplaceComputeEnvironment"] is False
    assert found["ComputeResources"]["UpdateToLatestImageVersion"] is True


def test_graviton_by_setting() -> None:
    for logical_id in ENVIRONMENTS:
        found = environment("arm64", logical_id)
        assert tuple(found["ComputeResources"]["InstanceTypes"]) == FAMILIES["arm64"]
        assert found["ComputeEnvironmentName"].endswith("-arm64")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_machines_metadata_takes_a_token_and_reaches_the_container(variant: str) -> None:
    data = only(variant, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}


@pytest.mark.parametrize("variant", VARIANTS)
def test_disks_are_encrypted(variant: str) -> None:
    (device,) = only(variant, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["BlockDeviceMappings"]
    disk = device["Ebs"]
    assert device["DeviceName"] == "/dev/xvda"
    assert (disk["Encrypted"], disk["VolumeType"], disk["VolumeSize"], disk["DeleteOnTermination"]) == (
        True, "gp3", 40, True,
    )  # fmt: skip
    assert ("KmsKeyId" in disk) == (variant == "hardened")


@pytest.mark.parametrize("logical_id", ["ComputeSpotQueue", "ComputeOnDemandQueue"])
def test_a_job_that_cannot_start_is_given_up(logical_id: str) -> None:
    queue = only("default", "AWS::Batch::JobQueue", logical_id)
    (order,) = queue["ComputeEnvironmentOrder"]
    assert order["ComputeEnvironment"]["Fn::GetAtt"][0].startswith(logical_id.replace("Queue", "Environment"))
    limits = {item["Reason"]: item for item in queue["JobStateTimeLimitActions"]}
    assert set(limits) == {
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    }
    assert {(item["State"], item["Action"], item["MaxTimeSeconds"]) for item in limits.values()} == {
        ("RUNNABLE", "CANCEL", 1800)
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_tried_again_in_this_order(variant: str) -> None:
    assert only(variant, "AWS::Batch::JobDefinition")["RetryStrategy"] == {
        "Attempts": 5,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "RETRY", "OnExitCode": str(EXIT_RETRY)},
            {"Action": "RETRY", "OnReason": "CannotPullContainerError:*"},
            {"Action": "RETRY", "OnExitCode": str(EXIT_BUG)},
            {"Action": "EXIT", "OnReason": "*"},
        ],
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_job_outlives_a_deployment_and_hands_its_tags_on(variant: str) -> None:
    job = only(variant, "AWS::Batch::JobDefinition")
    assert job["ResourceRetentionPolicy"] == {"SkipDeregisterOnUpdate": True}
    assert job["PropagateTags"] is True
    assert job["Timeout"] == {"AttemptDurationSeconds": 14_400}
    assert job["PlatformCapabilities"] == ["EC2"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_container_may_write_to_scratch_only(variant: str) -> None:
    found = container(variant)
    assert found["ReadonlyRootFilesystem"] is True
    assert found["User"] == "10001:10001"
    assert not found.get("Privileged", False)
    assert found["MountPoints"] == [{"ContainerPath": "/scratch", "SourceVolume": "scratch", "ReadOnly": False}]
    # A path of the machine would belong to root, and the user could not write to it.
    assert found["Volumes"] == [{"Name": "scratch", "Host": {}}]


def test_the_image_prepares_the_scratch_folder_for_its_user() -> None:
    dockerfile = DOCKERFILE.read_text()
    assert "install -d -o 10001 -g 10001 -m 0700 /scratch" in dockerfile
    assert 'VOLUME ["/scratch"]' in dockerfile
    assert "USER 10001:10001" in dockerfile


def test_functions_run_where_the_wheels_do() -> None:
    """Wheels of manylinux_2_28 need the C library of Amazon Linux 2023, which Lambda has from Python 3.12 on."""
    assert f"python{PYTHON}" == RUNTIME.name
    assert tuple(map(int, PYTHON.split("."))) >= (3, 12)
    assert set(PLATFORMS.values()) == {"x86_64-manylinux_2_28", "aarch64-manylinux_2_28"}


def test_what_the_worker_is_told() -> None:
    found = container("default")
    said = {item["Name"]: item["Value"] for item in found["Environment"]}
    assert set(said) == {"AWS_REGION", "CASEMILL_OUTPUT", "CASEMILL_VCPUS"}
    assert said["CASEMILL_OUTPUT"] == template("default")["Outputs"]["Output"]["Value"]
    assert {item["Type"]: item["Value"] for item in found["ResourceRequirements"]} == {"VCPU": "1", "MEMORY": "1792"}
    assert "Command" not in found


def test_the_log_goes_to_its_own_group() -> None:
    log = container("default")["LogConfiguration"]
    group = log["Options"]["awslogs-group"]["Ref"]
    assert log["LogDriver"] == "awslogs"
    assert group == template("default")["Outputs"]["JobLogGroup"]["Value"]["Ref"]
    assert resources("default", "AWS::Logs::LogGroup")[group]["RetentionInDays"] == 90


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_log_has_an_end(variant: str) -> None:
    assert {item["RetentionInDays"] for item in resources(variant, "AWS::Logs::LogGroup").values()} == {90}


def test_the_image_by_digest_or_built_here() -> None:
    by_digest = str(container("arm64")["Image"])
    assert "casemill@sha256:" + "5" * 64 in by_digest
    assert ":latest" not in by_digest
    assert "container-assets" in container("default")["Image"]["Fn::Sub"]
