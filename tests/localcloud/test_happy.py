"""The deployed template at work: functions and containers as processes, each under its own role."""

from __future__ import annotations

import fnmatch
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdk.assemble import assemble
from cdk.permissions import WITHOUT_RESOURCE
from core.run.models import Manifest
from core.run.pipeline import execute
from core.run.submission import AskedRun, AskedSelection, plan_asked, submission_id
from core.store import open_store
from core.workloads.registry import build_workload
from tests.localcloud.alarms import Mailbox
from tests.localcloud.cloud import Execution, LocalCloud, local_cloud
from tests.localcloud.iam import read_statements
from tests.storage_faults import Rule
from tests.tiny_recordings import SHORT_WINDOWS, TinyCohort

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FUNCTIONS = ("plan", "inspect", "guard", "verify", "publish", "notify")
READ_AND_WRITE = {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}
PRICES = {"ec2:DescribeSpotPriceHistory", "pricing:GetProducts"}
NEEDED = {
    "plan": {*READ_AND_WRITE, "s3:DeleteObject"},
    "inspect": READ_AND_WRITE,
    "guard": {*READ_AND_WRITE, *PRICES, "batch:ListJobs", "batch:DescribeJobs", "batch:TerminateJob"},
    "verify": READ_AND_WRITE,
    "publish": {*READ_AND_WRITE, *PRICES, "s3:DeleteObject", "sqs:SendMessage"},
    # Lambda itself puts an event that could not be delivered into the queue of dead letters.
    "notify": {*READ_AND_WRITE, "s3:DeleteObject", "sns:Publish", "sqs:SendMessage"},
}
"""What the code of each function asks for; the stack grants exactly this, beside the function's own log and traces."""

EVERYWHERE = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""Asked for by Lambda itself, and not by the emulator."""

SLOW = Rule("slow", method="GET", path="/recordings/vital/.+", seconds=2.0)
"""So that a job lasts for some looks of the guard."""

RARE = {
    ("publish", "sqs:SendMessage"): "only where a case has failed (tests of the functions)",
    ("notify", "s3:DeleteObject"): "only where the report's function failed too (tests of the functions)",
    ("notify", "sqs:SendMessage"): "only Lambda itself does",
    ("verify", "s3:ListBucket"): "S3 asks for it before it says that an object is missing",
}


def asked(cohort_cases: str, **options: Any) -> AskedRun:
    """Cases of the cohort in the source bucket, in shards of two."""
    return AskedRun(
        source="s3://recordings/vital",
        workload="vitaldb",
        settings=SHORT_WINDOWS,
        selection=AskedSelection(cases=cohort_cases, clinical="s3://recordings/clinical.csv"),
        **{"shard_cases": 2, "partitions": 3, **options},
    )


def submission(request: AskedRun, budget_usd: float = 20.0) -> dict[str, Any]:
    return {"run_id": submission_id(request), "asked": json.loads(request.to_bytes()), "budget_usd": budget_usd}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, tiny_cohort: TinyCohort) -> Iterator[LocalCloud]:
    """The stack with short pauses, deployed, and a bucket with the recordings."""
    from cdk.node_runtime import use_packaged_node

    use_packaged_node()
    from cdk.application import build_app

    folder = tmp_path_factory.mktemp("cloud")
    assemble(folder / "built" / "workflow", python=f"{sys.version_info.major}.{sys.version_info.minor}")
    context = json.loads((Path(__file__).parents[2] / "cdk.json").read_text(encoding="utf-8"))["context"]
    context |= {"casemill:guard_seconds": 1, "casemill:retry_seconds": 1, "casemill:source_buckets": ["recordings"]}
    build_app(context, outdir=folder / "assembly", built_functions=folder / "built").synth()
    scratch = folder / "scratch"
    scratch.mkdir()
    with local_cloud(scratch) as found:
        found.deploy(folder / "assembly", "Casemill")
        s3 = found.client("s3")
        s3.create_bucket(Bucket="recordings")
        for path in sorted(tiny_cohort.source.iterdir()):
            s3.upload_file(str(path), "recordings", f"vital/{path.name}")
        s3.upload_file(str(tiny_cohort.clinical), "recordings", "clinical.csv")
        yield found


@pytest.fixture(scope="module")
def mailbox(cloud: LocalCloud) -> Mailbox:
    return cloud.mailbox()


@pytest.fixture(scope="module")
def whole(cloud: LocalCloud, mailbox: Mailbox) -> Execution:
    """All twelve cases."""
    return cloud.run(submission(asked("all", data_set="whole")), "whole", 240)


def stored(cloud: LocalCloud, key: str) -> bytes:
    _, _, prefix = cloud.outputs["Output"].removeprefix("s3://").partition("/")
    answer = cloud.client("s3").get_object(Bucket=cloud.outputs["Bucket"], Key=f"{prefix}/{key}")
    return bytes(answer["Body"].read())


def exists(cloud: LocalCloud, key: str) -> bool:
    try:
        stored(cloud, key)
    except cloud.client("s3").exceptions.NoSuchKey:
        return False
    return True


def page(cloud: LocalCloud, run_id: str) -> str:
    """The run's page, written under the function's own role."""
    return stored(cloud, f"runs/{run_id}/report.html").decode()


def test_a_run_ends_verified_with_one_mail_and_the_root_hash_of_one_machine(
    cloud: LocalCloud, mailbox: Mailbox, whole: Execution, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    assert whole.status == "SUCCEEDED", (whole.error, whole.cause)
    request = asked("all", data_set="whole")
    here = request.model_copy(
        update={
            "source": str(tiny_cohort.source),
            "selection": AskedSelection(cases="all", clinical=str(tiny_cohort.clinical)),
        }
    )
    plan, workload = plan_asked(here, build_workload)
    alone = execute(open_store(tmp_path, create=True), plan, workload, build_workload, 1)
    manifest = Manifest.model_validate_json(stored(cloud, "datasets/whole/manifest.json"))
    assert manifest.root_hash == alone.manifest.root_hash
    assert json.loads(stored(cloud, "datasets/whole/_SUCCESS"))["root_hash"] == manifest.root_hash
    [mail] = mailbox.read()
    assert mail.subject.endswith("is verified")
    assert manifest.root_hash in mail.text
    assert f"runs/{manifest.run_id}/report.html" in mail.text
    assert "<title>Verified" in page(cloud, manifest.run_id)
    assert f"casemill report {cloud.outputs['Output']}/runs/{manifest.run_id}" in page(cloud, manifest.run_id)
    jobs = [job for job in cloud.machines.jobs if job.index is not None]
    assert len(jobs) == 3, "an array of three children"


def test_the_same_submission_again_finds_everything_done(cloud: LocalCloud, mailbox: Mailbox, whole: Execution) -> None:
    before = len(cloud.machines.jobs)
    again = cloud.run(submission(asked("all", data_set="whole")), "again", 120)
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    assert len(cloud.machines.jobs) == before
    assert len(mailbox.read()) == 1


def test_an_object_that_was_spoiled_since_takes_the_seal_back(
    cloud: LocalCloud, mailbox: Mailbox, whole: Execution
) -> None:
    manifest = Manifest.model_validate_json(stored(cloud, "datasets/whole/manifest.json"))
    _, _, prefix = cloud.outputs["Output"].removeprefix("s3://").partition("/")
    key = f"{prefix}/datasets/whole/{manifest.shards[0].path}"
    cloud.client("s3").put_object(Bucket=cloud.outputs["Bucket"], Key=key, Body=b"spoiled")
    found = cloud.run(submission(asked("all", data_set="whole")), "spoiled", 120)
    assert (found.status, found.error) == ("FAILED", "NotVerified")
    assert not exists(cloud, "datasets/whole/_SUCCESS")
    [mail] = mailbox.read()
    assert "FAILED its verification" in mail.subject


def test_a_run_over_its_budget_is_stopped_and_goes_on_with_a_higher_one(cloud: LocalCloud, mailbox: Mailbox) -> None:
    request = asked("1-6", data_set="dear")
    cloud.faults.reset(SLOW)
    found = cloud.run(submission(request, 1e-12), "dear", 120)
    cloud.faults.reset()
    assert found.status == "FAILED"
    [mail] = mailbox.read()
    assert "was stopped by its budget: $" in mail.text
    assert "<title>Over budget" in page(cloud, submission_id(request))
    assert not exists(cloud, "datasets/dear/_SUCCESS")
    found = cloud.run(submission(request, 20.0), "paid", 120)
    assert found.status == "SUCCEEDED", (found.error, found.cause)
    assert len(mailbox.read()) == 1


def test_a_run_that_is_stopped_has_a_mail(cloud: LocalCloud, mailbox: Mailbox) -> None:
    cloud.faults.reset(SLOW)
    request = asked("7-12", data_set="stopped")
    arn = cloud.start(submission(request), "stopped")
    while not cloud.machines.running():
        time.sleep(0.05)
    cloud.stop(arn)
    assert cloud.wait(arn, 60).status == "ABORTED"
    cloud.faults.reset()
    [mail] = mailbox.read()
    assert mail.subject.endswith("was stopped")
    deadline = time.monotonic() + 60  # the mail comes first
    while not exists(cloud, f"runs/{submission_id(request)}/report.html") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "<title>Stopped" in page(cloud, submission_id(request))


def test_a_submission_that_cannot_be_done_has_a_mail(cloud: LocalCloud, mailbox: Mailbox) -> None:
    found = cloud.run(submission(asked("900-901")), "nothing", 60)
    assert found.status == "FAILED"
    [mail] = mailbox.read()
    assert "was refused" in mail.subject
    assert "[empty_cohort]" in mail.text


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_is_granted_what_it_needs_and_nothing_else(cloud: LocalCloud, function: str) -> None:
    """After the runs above; every call was held against the role's own policies by action and resource."""
    role = _role(cloud, function)
    statements = list(read_statements(cloud.client("iam"), role))
    granted = {action for statement in statements for action in _listed(statement["Action"])}
    assert granted - EVERYWHERE == NEEDED[function]
    assert not [action for action in granted if "*" in action]
    assert [call for name, call in cloud.permissions.refused if name == role] == []
    seen = cloud.permissions.seen[role]
    unused = NEEDED[function] - {call.action for call in seen}
    assert {(function, action) for action in unused} <= set(RARE)
    for statement in statements:
        actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
        if "*" in resources:
            assert set(actions) <= set(WITHOUT_RESOURCE), "each of them has its reason there"
        for action in {"s3:PutObject", "s3:DeleteObject"} & set(actions) - unused:
            touched = [call.resource for call in seen if call.action == action]
            idle = [where for where in resources if not any(fnmatch.fnmatchcase(key, where) for key in touched)]
            assert idle == [], "every place that may be written is written"


def _role(cloud: LocalCloud, function: str) -> str:
    names = [role["RoleName"] for role in cloud.client("iam").list_roles()["Roles"]]
    [found] = [name for name in names if f"{function.capitalize()}Function" in name]
    return found


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
