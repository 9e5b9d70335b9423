"""The deployed template at work: functions and containers as processes, each under its own role."""

from __future__ import annotations

import fnmatch
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from cdk.permissions import WITHOUT_RESOURCE
from tests.localcloud.cloud import LocalCloud
from tests.localcloud.iam import read_statements
from tests.localcloud.jobs import LocalJob
from tests.localcloud.scenario import FORTY, CloudRun, faults, slow_reading, while_reading

FUNCTIONS = ("plan", "inspect", "guard", "verify", "publish", "notify")
READ_AND_WRITE = {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}
PRICES = {"ec2:DescribeSpotPriceHistory", "pricing:GetProducts"}
JOBS = {"batch:ListJobs", "batch:DescribeJobs", "batch:TerminateJob"}
NEEDED = {
    "plan": {*READ_AND_WRITE, "s3:DeleteObject"},
    "inspect": READ_AND_WRITE,
    "guard": {*READ_AND_WRITE, *PRICES, *JOBS},
    "verify": READ_AND_WRITE,
    "publish": {*READ_AND_WRITE, *PRICES, "s3:DeleteObject", "sqs:SendMessage", "batch:DescribeJobs"},
    # Lambda itself puts an event that could not be delivered into the queue of dead letters.
    "notify": {*READ_AND_WRITE, *JOBS, "s3:DeleteObject", "sns:Publish", "sqs:SendMessage"},
}
"""What the code of each function asks for; the stack grants exactly this, beside the function's own log and traces."""

EVERYWHERE = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""Asked for by Lambda itself, and not by the emulator."""

RARE = {
    ("publish", "sqs:SendMessage"): "only where a case has failed (tests of the functions)",
    ("publish", "batch:DescribeJobs"): "only where a record cannot know its attempt's end (tests of the functions)",
    ("plan", "s3:DeleteObject"): "only where an earlier planner left parts of another plan (tests of submissions)",
    ("notify", "s3:DeleteObject"): "only where the report's function failed too (tests of the functions)",
    ("notify", "sqs:SendMessage"): "only Lambda itself does",
    ("verify", "s3:ListBucket"): "S3 asks for it before it says that an object is missing",
}


@pytest.fixture(scope="module")
def whole(new_run: Callable[..., CloudRun]) -> CloudRun:
    """Forty cases in five partitions."""
    run = new_run("whole", "all", partitions=5, **FORTY)
    found = run.execute()
    assert found.status == "SUCCEEDED", (found.error, found.cause)
    return run


def test_a_run_ends_verified_with_one_mail_and_the_root_hash_of_one_machine(
    whole: CloudRun, root_of_forty: str
) -> None:
    assert whole.root_hash == whole.manifest.root_hash == root_of_forty
    assert sorted(job.index or 0 for job in whole.jobs) == [0, 1, 2, 3, 4], "an array of five children"
    assert whole.mail().subject.endswith("is verified")
    for text in (whole.mail().text, whole.report):
        assert whole.root_hash in text
        assert "40 planned; in committed shards: 40 done" in text
        assert re.search(r"^cost +\$0\.\d+$", text, re.MULTILINE)
    page = whole.get(f"{whole.layout.root}/report.html").decode()
    assert "<title>Verified" in page
    assert f"casemill report {whole.cloud.outputs['Output']}/{whole.layout.root}" in page
    assert whole.cases_worked == 40
    assert [attempt.why for attempt in whole.attempts] == 5 * ["finished"]


def test_the_same_submission_again_finds_everything_done(whole: CloudRun) -> None:
    jobs, cost = whole.jobs, whole.cost["total_usd"]
    again = whole.execute()
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    assert whole.jobs == jobs
    assert whole.mail().subject.endswith("is verified")
    assert whole.cost["total_usd"] == cost, "verifying it again takes no machine"


def test_an_object_that_was_spoiled_since_takes_the_seal_back(cloud: LocalCloud, whole: CloudRun) -> None:
    _, _, prefix = cloud.outputs["Output"].removeprefix("s3://").partition("/")
    key = f"{prefix}/{whole.data_set.key(whole.manifest.shards[0].path)}"
    cloud.client("s3").put_object(Bucket=cloud.outputs["Bucket"], Key=key, Body=b"spoiled")
    found = whole.execute()
    assert (found.status, found.error) == ("FAILED", "NotVerified")
    assert not whole.is_published
    assert "FAILED its verification" in whole.mail().subject


def test_a_run_over_its_budget_one_that_is_stopped_and_one_that_cannot_be_done(
    new_run: Callable[..., CloudRun],
) -> None:
    """What only their functions are granted is asked for here; more of each in its own file."""
    dear = new_run("dear", "1-6")
    with faults(dear.cloud, slow_reading(dear, 2.0)):
        assert dear.execute(1e-12).status == "FAILED"
        assert "was stopped by its budget: $" in dear.mail().text
        assert "<title>Over budget" in dear.get(f"{dear.layout.root}/report.html").decode()
    with faults(dear.cloud, slow_reading(dear, 6.0)):
        jobs = len(dear.jobs)
        dear.start()
        while not any(job.process for job in dear.jobs[jobs:]):
            time.sleep(0.05)
        assert dear.stop(with_jobs=False).status == "ABORTED"
        left = dear.jobs[jobs:]
        for job in left:
            job.join(60)
    assert any(job.job_stopped_reason == f"Casemill: execution {dear.run_id}-2 has ended" for job in left)
    assert dear.mail().subject.endswith("was stopped")
    assert new_run("nothing", "900-901").execute().status == "FAILED"


def test_a_machine_that_is_lost_without_a_word_is_told_so(new_run: Callable[..., CloudRun]) -> None:
    """While the run goes on, by its guard: the next attempts are slow enough for it to look."""
    run = new_run("lost", "1-12", partitions=2)
    lost = while_reading(run, LocalJob.lose, when=lambda job: job.index == 0 and job.attempt == 1)
    with faults(run.cloud, lost, slow_reading(run, 0.7)):
        assert run.execute().status == "SUCCEEDED"
    assert sorted(attempt.why for attempt in run.attempts) == ["finished", "finished", "reclaimed"]


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
