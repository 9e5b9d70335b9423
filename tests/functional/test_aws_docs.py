"""The documents on AWS: links, policies and figures hold (what is made from templates: test_cdk_monitoring.py)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from cdk.alarms import ALARMS, PERIOD, PERIODS
from cdk.compute import LONGEST_UPDATE
from cdk.documents import document_parts, idle_cost_table, settings_table, stale_documents
from cdk.idle_cost import IdleCost
from cdk.monitoring import KEPT
from cdk.network import ENDPOINTS
from cdk.settings import Settings
from cdk.storage import ACCESS_LOG_DAYS
from cdk.workflow import LONGEST_SECONDS, MOST_GROUPS_AT_ONCE, MOST_LOOKS
from core.run.guard import NO_PROGRESS_SECONDS
from core.run.limits import DEFAULT_LARGEST_CASE_BYTES
from core.run.rounds import MOST_ROUNDS

FOLDER = Path("docs/aws")
DOCUMENTS = sorted(FOLDER.glob("*.md"))
SERVICES = {"states": "stepfunctions", "s3": "s3", "ce": "ce"}
OPERATIONS = {"s3:ListBucket": "ListObjectsV2"}
"""Where IAM calls a service or an action otherwise than the API does."""


def text_of(name: str) -> str:
    """A document on one line, as a reader takes it."""
    return " ".join((FOLDER / name).read_text().split())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", path.read_text()):
        document = path.parent / target[0] if target[0] else path
        assert document.exists(), target
        if target[1]:
            assert f"## {target[1][1:]}\n" in document.read_text(), target


def test_every_document_is_in_the_list() -> None:
    assert set(re.findall(r"\]\((\S+\.md)\)", (FOLDER / "README.md").read_text())) == {
        path.name for path in DOCUMENTS if path.name != "README.md"
    }


def policies() -> list[dict[str, Any]]:
    blocks = re.findall(r"```json\n(.*?)```", (FOLDER / "permissions.md").read_text(), re.S)
    return [json.loads(block) for block in blocks]


def test_policies_name_actions_that_exist_and_give_nobody_the_data() -> None:
    deploying, submitting = policies()
    session = boto3.Session(region_name="us-east-1")
    for policy in (deploying, submitting):
        assert policy["Version"] == "2012-10-17"
        assert len(json.dumps(policy, separators=(",", ":"))) < 6144  # of a managed policy
        for statement in policy["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            for action in actions:
                service, operation = OPERATIONS.get(action, action.partition(":")[2]), action.partition(":")[0]
                client = session.client(SERVICES.get(operation, operation))
                assert service in client.meta.service_model.operation_names, action
                assert action.partition(":")[2] not in ("PutObject", "DeleteObject", "PassRole"), action
    everywhere = [item for item in submitting["Statement"] if item["Resource"] == "*"]
    assert [item["Sid"] for item in everywhere] == ["LookAround"]
    assert all(re.match(r"\w+:(Describe|Get|List)", action) for action in everywhere[0]["Action"])


def test_the_settings_in_the_examples_can_be_used() -> None:
    text = (FOLDER / "deploy.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", text, re.S)
    given = {name.removeprefix("casemill:"): value for name, value in json.loads(example).items()}
    assert Settings.model_validate(given).region == "eu-north-1"
    for path in DOCUMENTS:
        for name in re.findall(r"casemill:([a-z_]+)", path.read_text()):
            assert name in Settings.model_fields, (path, name)


def test_the_table_of_settings_has_every_default() -> None:
    table = settings_table()
    assert len(table.splitlines()) == 2 + len(Settings.model_fields)
    assert "| `casemill:guard_seconds` | `60` |" in table
    assert "| `casemill:kms` | `false` |" in table
    assert "| `casemill:bucket` | none |" in table


def test_the_table_of_costs_adds_up() -> None:
    lines = (IdleCost("AWS::KMS::Key", 1, 1.0, "1 each"), IdleCost("AWS::SQS::Queue", 2, 0.0, "by use only"))
    table = idle_cost_table({"one": lines, "other": (*lines, IdleCost("image", 1, 0.5, "gigabytes"))})
    assert "| KMS::Key | 1.00 (1) | 1.00 (1) | 1 each |" in table
    assert "| image | – | 0.50 (1) | gigabytes |" in table
    assert "| everything else | 0.00 | 0.00 | by use only (2 and 2 resources) |" in table
    assert "| **sum** | **1.00** | **1.50** |" in table


def test_a_stale_document_is_found_and_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdk.documents.document_parts", lambda templates: {"settings": "| new |"})
    kept = "before\n<!-- made by the code: settings -->\n{}\n<!-- end -->\nafter\n"
    (tmp_path / "old.md").write_text(kept.format("| old |\n| older |"))
    (tmp_path / "new.md").write_text(kept.format("| new |"))
    (tmp_path / "other.md").write_text("nothing of ours\n")
    assert stale_documents({}, tmp_path) == {tmp_path / "old.md": kept.format("| new |")}
    (tmp_path / "wrong.md").write_text(kept.replace("settings", "no-such-part").format(""))
    with pytest.raises(KeyError, match="no-such-part"):
        stale_documents({}, tmp_path)


def test_every_part_is_in_a_document() -> None:
    asked = {name for path in DOCUMENTS for name in re.findall(r"made by the code: ([a-z-]+)", path.read_text())}
    assert asked == {"settings", "alarms", "idle-cost", "architecture", "workflow"}
    assert document_parts.__doc__


def test_the_picture_shows_who_reaches_what() -> None:
    picture = (FOLDER / "architecture.md").read_text()
    for function in ("plan", "inspect", "guard", "verify", "publish", "notify"):
        assert f"StateMachine_state_machine -->|calls| Function_{function}\n" in picture
        assert f"Function_{function} -->|reads, writes| Bucket_bucket\n" in picture
    for arrow in (
        "StateMachine_state_machine -->|submits to| JobQueue_spot_queue",
        "JobQueue_spot_queue -->|fills| ComputeEnvironment_spot",
        "JobDefinition_job_definition -->|reads, writes| Bucket_bucket",
        "Alarm -->|tells| Topic_topic",
        "Rule_ended -->|tells| Function_notify",
        "Queue_quarantine -->|gives up to| Queue_dead_letters",
        "GuardArray --> GoesOnArray",
        "Publish -.-> ReportFailure",
    ):
        assert f"{arrow}\n" in picture
    assert f'Alarm["{len(ALARMS)} alarms"]' in picture
    assert "-->|tells| Bucket" not in picture
    assert len(picture) < 100_000


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("architecture.md", f"at the usual {Settings().guard_seconds} seconds"),
        ("architecture.md", f"({MOST_LOOKS * Settings().guard_seconds // 3600} hours at the usual"),
        ("architecture.md", f"| rounds of an execution | {MOST_ROUNDS}, the last on on-demand"),
        ("architecture.md", f"| length of an execution | {MOST_LOOKS:,} looks of the guard"),
        ("architecture.md", f"and {LONGEST_SECONDS // 86_400} days at the most |"),
        ("architecture.md", f"| groups of shards verified at once | {MOST_GROUPS_AT_ONCE} |"),
        ("architecture.md", f"| a case | {DEFAULT_LARGEST_CASE_BYTES >> 30} GiB unpacked"),
        ("run.md", f"in the quarantine queue for {KEPT.to_days():g} days"),
        ("teardown.md", f"messages go after {KEPT.to_days():g} days"),
        ("teardown.md", f"empties it within {ACCESS_LOG_DAYS} days"),
        ("rollback.md", f"for up to {LONGEST_UPDATE.to_hours():g} hours"),
        ("alarms.md", f"for {NO_PROGRESS_SECONDS / 60:.0f} minutes no case was finished"),
        ("alarms.md", f"about {PERIODS * PERIOD.to_minutes():.0f} minutes after the last bad figure"),
        ("idle-cost.md", f"needs {['', 'one', 'two', 'three', 'four', 'five', 'six'][len(ENDPOINTS)]} interface"),
    ],
)
def test_figures_in_the_text_are_those_of_the_code(document: str, said: str) -> None:
    assert said in text_of(document)
