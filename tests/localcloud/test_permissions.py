"""Each permission of each role, taken away: who asks for it, and what a person reads where it is missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.localcloud.cloud import LocalCloud
from tests.localcloud.iam import Call, is_allowed, listed
from tests.localcloud.jobs import LocalJob
from tests.localcloud.scenario import CloudRun, faults, while_reading
from tests.storage_faults import Rule

SLOW_SECONDS = 1.5


class Grant(NamedTuple):
    """One action on one resource (with ``*``) that a role may do."""

    role: str
    action: str
    resource: str

    def matches(self, silent: tuple[str, str, str]) -> bool:
        """Whether a line of :data:`SILENT` is about it."""
        return all(re.fullmatch(pattern, text) for pattern, text in zip(silent, self, strict=True))


SILENT: dict[tuple[str, str, str], str] = {
    (".*Function", "logs:.*", ".*"): "Lambda itself writes the function's log",
    (".*", "xray:.*", ".*"): "Lambda and Step Functions themselves send traces",
    ("Execution", ".*", ".*"): "the machine's agent pulls the image and opens the log stream; there is no machine here",
    ("VpcFlowLogIAM", ".*", ".*"): "there is no network here whose flows would be logged",
    ("Workflow", "logs:.*", ".*"): "Step Functions itself delivers its log",
    ("Workflow", "events:.*", ".*"): "Step Functions itself makes the rule by which it hears of jobs; polled here",
    ("Workflow", "batch:TerminateJob", ".*"): "Step Functions itself ends the job of a stopped execution",
    ("Workflow", "batch:SubmitJob", ".*:job-definition/[^:]*"): "a run pins the revision; Batch may ask without it",
    ("NotifyFunction", "sqs:SendMessage", ".*"): "Lambda itself sets aside an event that could not be delivered",
    ("NotifyFunction", "batch:TerminateJob", ".*"): "only where Step Functions ended no job itself (test_happy.py)",
    ("NotifyFunction", "s3:DeleteObject", ".*"): "only where the report's function failed too (tests of the functions)",
    ("Job", "s3:GetObject", ".*/datasets/.*"): "only where an earlier attempt left a shard's object without its record",
    ("Job", "s3:ListBucket", ".*:recordings"): "only where a recording has gone since the plan (test_cases.py)",
    ("VerifyFunction", "s3:ListBucket", ".*"): "S3 asks for it only before it says that an object is missing",
    ("Workflow", "batch:SubmitJob", ".*OnDemandQueue.*"): "only where spot capacity is gone (test_reclaims.py)",
    ("NotifyFunction", "s3:GetObject", ".*/datasets/.*"): "only where a failed run's data set was published before",
    (
        "PlanFunction",
        "s3:DeleteObject",
        ".*/plan/.*",
    ): "only where another plan was left (test_run_submission.py)",
    ("PublishFunction", "s3:DeleteObject", ".*"): "only where a published data set is spoiled (test_happy.py)",
}
"""Grants (role, action and resource as patterns) that no run here can be seen to need, and why."""

MADE_BY_OTHERS = ("local-batch-service", "cdk-hnb659fds-")
"""Roles that are not the stack's."""


@pytest.fixture(scope="module")
def unreported(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> CloudRun:
    """A run whose report cannot be written."""
    run = new_run("denied-report", "1-2", partitions=1)
    with withdrawn(cloud, "PublishFunction", "s3:PutObject"):
        found = run.execute()
    assert (found.status, found.error) == ("FAILED", "RunFailed")
    return run


@pytest.fixture(scope="module")
def asked_for(cloud: LocalCloud, new_run: Callable[..., CloudRun], unreported: CloudRun) -> dict[str, set[Call]]:
    """What each role asked for while runs ended in each of the ways there are."""
    spoiled = b"no recording"
    cloud.client("s3").put_object(Bucket="recordings", Key="withdrawn/0001.csv", Body=spoiled)
    runs = [
        new_run("granted", "1-12", shard_cases=1),
        new_run("granted-single", "1-2", partitions=1),
        new_run("granted-spoiled", "1", folder="withdrawn", partitions=1),
        new_run("granted-nothing", "900-901"),
    ]
    # Its first attempt saves what it has finished; the second takes that up.
    reclaimed = new_run("granted-reclaimed", "1-6", shard_cases=6, partitions=1)
    dear = new_run("granted-dear", "1-6")
    slow = Rule("slow", method="GET", path="/recordings/vital/.+", seconds=SLOW_SECONDS, when=dear.asks)
    with faults(cloud, slow, while_reading(reclaimed, LocalJob.reclaim, nth=3)):
        dear.start(1e-12)
        for run in (*runs, reclaimed):
            run.start()
        assert dear.wait().status == "FAILED"
        assert reclaimed.wait().status == "SUCCEEDED"
        assert [run.wait().status for run in runs] == ["SUCCEEDED", "SUCCEEDED", "FAILED", "FAILED"]
    assert runs[0].execute().status == "SUCCEEDED", "taken up again"
    return {role: set(calls) for role, calls in cloud.permissions.seen.items()}


def test_every_grant_that_is_taken_away_is_missed(cloud: LocalCloud, asked_for: dict[str, set[Call]]) -> None:
    missed, unmissed = set(), set()
    for name, role in roles(cloud).items():
        grants = list(grants_of(cloud, role))
        for grant in grants:
            rest = [other for other in grants if other != grant]
            calls = asked_for.get(name, set())
            needed = any(may(grants, call) and not may(rest, call) for call in calls)
            (missed if needed else unmissed).add(grant)
    unexplained = sorted(grant for grant in unmissed if not any(grant.matches(silent) for silent in SILENT))
    assert "; ".join(" ".join(grant) for grant in unexplained) == "", (
        "grant less, or say in SILENT why it cannot be seen here"
    )
    assert len(missed) >= 60, "most of what is granted is asked for here"


def test_no_line_of_what_cannot_be_seen_is_about_nothing(cloud: LocalCloud) -> None:
    grants = [grant for role in roles(cloud).values() for grant in grants_of(cloud, role)]
    assert [silent for silent in SILENT if not any(grant.matches(silent) for grant in grants)] == []


def test_a_worker_that_may_not_write(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> None:
    run = new_run("denied-worker", "1-4", partitions=2)
    with withdrawn(cloud, "Job", "s3:PutObject"):
        found = run.execute()
    assert (found.status, found.error) == ("FAILED", "RunFailed")
    assert not run.is_published
    for text in (run.report, run.mail().text):
        assert "0 of 2 committed" in text


def test_a_guard_that_may_not_end_a_job(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> None:
    run = new_run("denied-guard", "1-6")
    slow = Rule("slow", method="GET", path="/recordings/vital/.+", seconds=SLOW_SECONDS, when=run.asks)
    with withdrawn(cloud, "GuardFunction", "batch:TerminateJob"), faults(cloud, slow):
        found = run.execute(1e-12)
    assert (found.status, found.error) == ("FAILED", "RunFailed")
    for text in (run.report, run.mail().text):
        assert "TerminateJob" in text
        assert "[aws_refused]" in text
        assert "Look at the function's permissions" in text


def test_a_notification_that_may_not_be_sent(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> None:
    """Nobody gets a mail; the execution says so, and the report is there."""
    run = new_run("denied-mail", "1-2", partitions=1)
    with withdrawn(cloud, "NotifyFunction", "sns:Publish"):
        found = run.execute()
    assert (found.status, found.error) == ("FAILED", "NotTold")
    assert found.cause == "The run has ended, but the notification could not be sent."
    assert run.report.startswith("SUCCESS")
    assert run.is_published
    again = run.execute()
    assert again.status == "SUCCEEDED"
    assert run.mail().subject.endswith("is verified")


def test_a_report_that_may_not_be_written(unreported: CloudRun) -> None:
    """The function of the reports fails twice, for the run and for its failure: the mail names the first reason."""
    assert not unreported.is_published
    for text in (unreported.report, unreported.mail().text):
        assert "access is denied [storage_denied]" in text
        assert "cases" in text


def test_a_state_machine_that_may_not_call_a_function(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> None:
    """Not even those that tell of it: the alarm on failed executions is what is left."""
    run = new_run("denied-machine", "1-2", partitions=1)
    with withdrawn(cloud, "Workflow", "lambda:InvokeFunction"):
        found = run.execute()
    assert (found.status, found.error) == ("FAILED", "RunFailed")
    failures = [event for event in cloud.history(run.executions[-1]) if event["type"] == "LambdaFunctionFailed"]
    assert (
        "is not authorized to perform: lambda:InvokeFunction"
        in failures[0]["lambdaFunctionFailedEventDetails"]["cause"]
    )
    assert run.mail().subject.endswith("broke"), "told by the event of the end"


@contextmanager
def withdrawn(cloud: LocalCloud, role: str, action: str) -> Iterator[None]:
    """An action that a role may not do any more, until the end of the block; its refusals are forgotten then."""
    [name] = [name for name, word in roles(cloud).items() if word == role]
    cloud.permissions.withdrawn.add((name, action))
    try:
        yield
        assert any(who == name and call.action == action for who, call in cloud.permissions.refused), "not asked for"
    finally:
        cloud.permissions.withdrawn.discard((name, action))
        cloud.permissions.refused[:] = [
            (who, call) for who, call in cloud.permissions.refused if (who, call.action) != (name, action)
        ]


def roles(cloud: LocalCloud) -> dict[str, str]:
    """A word for each role of the stack, by its full name."""
    pages = cloud.client("iam").get_paginator("list_roles").paginate()
    names = [role["RoleName"] for page in pages for role in page["Roles"]]
    own = [name for name in names if not name.startswith(MADE_BY_OTHERS)]
    return {name: _word(name) for name in own}


def _word(name: str) -> str:
    found = re.fullmatch(r"Casemill-(Workflow|Compute|Network)(\w*?)Role[0-9A-F]{8}-\w+", name)
    assert found, name
    return found[2] or found[1]


def grants_of(cloud: LocalCloud, role: str) -> Iterator[Grant]:
    """All that a role may do."""
    [name] = [name for name, word in roles(cloud).items() if word == role]
    for statement in cloud.permissions.statements(name):
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield Grant(role, action, resource)


def may(grants: list[Grant], call: Call) -> bool:
    """Whether these grants allow a call, by the policy engine that every request passes."""
    return is_allowed(
        ({"Effect": "Allow", "Action": grant.action, "Resource": grant.resource} for grant in grants), call
    )
