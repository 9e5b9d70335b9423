"""Settings of the stack: what they take, and what they say of what they cannot take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdk.settings import FAMILIES, BadSettingsError, Settings, read_settings

KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"


def read(**settings: object) -> Settings:
    return read_settings({f"casemill:{name}": value for name, value in settings.items()})


def problems(**settings: object) -> tuple[str, ...]:
    with pytest.raises(BadSettingsError) as caught:
        read(**settings)
    return caught.value.problems


def test_nothing_is_needed_and_keys_of_others_are_passed_over() -> None:
    settings = read_settings({"@aws-cdk/core:something": True, "aws:cdk:enable-path-metadata": True})
    assert settings == Settings()
    assert (settings.stage, settings.budget_usd_per_run, settings.kms, settings.isolated) == (
        "production", 20.0, False, False,
    )  # fmt: skip


def test_cdk_json_holds_settings_that_can_be_used() -> None:
    assert read_settings(json.loads(Path("cdk.json").read_text())["context"]) == Settings()


def test_every_setting_says_what_it_wants() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("job_vcpus", "4", 4),
        ("budget_usd_per_run", "7.5", 7.5),
        ("kms", "true", True),
        ("log_retention_days", "30", 30),
        ("source_buckets", "open-cases, hospital/cases", ("open-cases", "hospital/cases")),
        ("source_buckets", '["open-cases"]', ("open-cases",)),
        ("source_buckets", "", ()),
        ("tags", '{"cost-centre": "1234"}', {"cost-centre": "1234"}),
        ("bucket", "", None),
        ("prefix", "", ""),
    ],
)
def test_the_command_line_gives_text(name: str, text: str, value: object) -> None:
    assert getattr(read(**{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("stage", "Production", "is 'Production'; wanted: 1 to 20 of"),
        ("job_vcpus", 0, "is 0; wanted: processors from 1 to 192"),
        ("job_memory_mib", "much", "is 'much'; wanted: MiB"),
        ("attempts", 11, "is 11; wanted: attempts in all from 1 to 10"),
        ("attempt_timeout_seconds", 59, "is 59; wanted: seconds from 60"),
        ("stuck_seconds", 300, "is 300; wanted: seconds from 600"),
        ("scratch_gb", 8, "is 8; wanted: GB from 30"),
        ("log_retention_days", 31, "is 31; wanted: a number of days that CloudWatch Logs offers"),
        ("architecture", "arm", "is 'arm'; wanted: x86_64 or arm64"),
        ("bucket", "My_Bucket", "is 'My_Bucket'; wanted: the name of a bucket"),
        ("prefix", "/casemill/", "is '/casemill/'; wanted: folders"),
        ("prefix", "case*", "is 'case*'; wanted: folders"),
        ("source_buckets", ["open-cases/*"], "is ['open-cases/*']; wanted: places as BUCKET"),
        ("source_buckets", ["s3://open-cases"], "is ['s3://open-cases']; wanted: places as BUCKET"),
        ("mail_addresses", ["on-call"], "is ['on-call']; wanted: mail addresses"),
        ("image_digest", "latest", "is 'latest'; wanted: sha256: and 64"),
        ("account", 123456789012, "is 123456789012; wanted: an account's 12 digits, in quotes"),
        ("budget_usd_per_run", 0, "is 0; wanted: dollars above 0"),
        ("kms", "perhaps", "is 'perhaps'; wanted: true or false"),
        ("tags", "cost-centre", "is 'cost-centre'; wanted: a table"),
    ],
)
def test_a_bad_value_is_told_with_its_key_and_what_is_wanted(name: str, value: object, found: str) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"casemill:{name} {found}")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"account": "123456789012", "region": "us-east-1"}, "availability_zones"),
        ({"account": "123456789012", "region": "us-east-1", "availability_zones": ["us-east-1a"] * 2},
         "availability_zones"),
        ({"account": "123456789012", "region": "us-east-1", "availability_zones": ["us-west-2a", "us-east-1b"]},
         "availability_zones"),
        ({"availability_zones": ["us-east-1a", "us-east-1b"]}, "region"),
        ({"account": "123456789012"}, "region"),
        ({"image_repository": "casemill"}, "image_digest"),
        ({"image_digest": "sha256:" + "0" * 64}, "image_repository"),
        ({"bucket_key": KEY}, "bucket"),
        ({"architecture": "arm64", "instance_families": ["c7g", "c6i"]}, "instance_families"),
        ({"instance_families": ["c7g"]}, "instance_families"),
        ({"staging_days": 60, "run_days": 30}, "staging_days"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other(settings: dict[str, Any], key: str) -> None:
    (problem,) = problems(**settings)
    assert problem.startswith(f"casemill:{key} ")
    assert "wanted: " in problem


def test_every_problem_is_told_at_once() -> None:
    found = problems(job_vcpu=2, attempts=0, stage="")
    assert [problem.split()[0] for problem in found] == ["casemill:job_vcpu", "casemill:attempts"]
    assert "job_vcpus" in found[0]


@pytest.mark.parametrize("architecture", sorted(FAMILIES))
def test_the_usual_families_are_many_and_of_one_architecture(architecture: str) -> None:
    families = FAMILIES[architecture]
    assert read(architecture=architecture, instance_families=families).families == families
    assert len({family[0] for family in families}) >= 3
    assert len({family[1] for family in families}) >= 2
