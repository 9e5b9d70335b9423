"""Bad cases, cases that are not there, and a worker with a bug."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.localcloud.alarms import Mailbox
from tests.localcloud.cloud import Launcher, LocalCloud
from tests.localcloud.jobs import Container, LocalJob
from tests.localcloud.scenario import FORTY, CloudRun, on_running
from tests.localcloud.synthesis import SOURCE_BUCKET
from tests.tiny_recordings import TinyCohort

POISONED, VANISHING = "0007", "0020"

BUG = """
import core.run.worker as worker

def broken(*arguments):
    raise ZeroDivisionError("age of 63.5")

worker.PartitionWorker._work_case = broken
from batch_image.entrypoint import main

raise SystemExit(main())
"""
"""The image's entry point, and a defect in it that no case is to blame for."""


@pytest.fixture(scope="module")
def runs(cloud: LocalCloud, new_run: Callable[..., CloudRun], forty: TinyCohort) -> Iterator[dict[str, CloudRun]]:
    """Three runs at the same time, when all have ended."""
    cloud.upload(SOURCE_BUCKET, "poisoned", forty.source)
    s3 = cloud.client("s3")
    s3.put_object(Bucket=SOURCE_BUCKET, Key=f"poisoned/{POISONED}.vital", Body=b"\x1f\x8b no recording")
    source = {**FORTY, "folder": "poisoned"}
    few = new_run("few-bad", "all", **source)
    many = new_run("many-bad", "1-10,41", **source)
    buggy = new_run("buggy", "all", **FORTY)

    def take_away(job: LocalJob) -> None:
        if job.run_id == few.run_id:
            s3.delete_object(Bucket=SOURCE_BUCKET, Key=f"poisoned/{VANISHING}.vital")

    launch = cloud.machines.launch
    assert isinstance(launch, Launcher)
    command = [str(launch.image.python), "-c", BUG]

    def launch_buggy(container: Container) -> Any:
        return launch(container, command if container.environment["CASEMILL_RUN"] == buggy.run_id else None)

    cloud.machines.launch = launch_buggy
    try:
        with on_running(cloud, take_away):
            found = {run.request.data_set or "": run.start() for run in (few, many, buggy)}
            for run in found.values():
                run.wait()
            yield found
    finally:
        cloud.machines.launch = launch


def test_a_poisoned_case_and_one_that_vanished_are_set_aside_and_the_run_succeeds(
    cloud: LocalCloud, runs: dict[str, CloudRun]
) -> None:
    """Of forty cases 38 are done, exactly the 95 % that are asked for."""
    run = runs["few-bad"]
    assert run.is_published
    assert run.manifest.success_rate == 0.95
    assert list(run.quarantine) == [POISONED, VANISHING]
    assert run.quarantine[VANISHING] == "not_found"
    assert [attempt.why for attempt in run.attempts] == 3 * ["finished"], "a bad case never stops a run"
    waiting = _quarantined(cloud, run.run_id)
    assert {item["case_id"]: item["reason"] for item in waiting} == run.quarantine


def test_its_report_and_its_mail_name_the_cases_and_the_reasons(runs: dict[str, CloudRun]) -> None:
    run = runs["few-bad"]
    for text in (run.report, run.mail().text):
        assert "2 failed" in text
        for case, reason in run.quarantine.items():
            assert re.search(rf"^quarantine +{case} {reason}$", text, re.MULTILINE)
    assert run.mail().subject.endswith("is verified")


def test_too_many_bad_cases_fail_the_run_and_the_mail_says_which_and_why(
    cloud: LocalCloud, mailbox: Mailbox, runs: dict[str, CloudRun]
) -> None:
    run = runs["many-bad"]
    ended = run.wait()
    assert (ended.status, ended.error) == ("FAILED", "NotVerified")
    assert not run.is_published
    assert list(run.quarantine) == [POISONED, "0041"]
    mail = run.mail()
    assert mail.subject.endswith("has too many failed cases")
    assert "81.8%, wanted 95.0%" in mail.text
    assert "mend the source, or lower the threshold" in mail.text
    for text in (run.report, mail.text):
        for case, reason in run.quarantine.items():
            assert re.search(rf"^quarantine +{case} {reason}$", text, re.MULTILINE)
    cloud.evaluate_alarms()
    alarm = mailbox.alarm("success-rate")
    assert alarm is not None
    assert "Fewer than 95 % of a run's cases were usable." in alarm.text


def test_a_worker_with_a_bug_is_tried_once_more_and_the_report_says_what_broke(
    cloud: LocalCloud, mailbox: Mailbox, runs: dict[str, CloudRun]
) -> None:
    run = runs["buggy"]
    ended = run.wait()
    assert ended.status == "FAILED"
    assert [len(job.attempts) for job in run.jobs] == [2, 2, 2], "one round, and each child twice"
    codes = [[attempt["container"]["exitCode"] for attempt in job.attempts] for job in run.jobs]
    assert codes == 3 * [[70, 71]]
    assert [attempt.why for attempt in run.attempts] == 6 * ["crashed"]
    assert run.commits == {}
    mail = run.mail()
    assert mail.subject.endswith("is incomplete")
    cloud.evaluate_alarms()
    alarm = mailbox.alarm("run-failed")
    assert alarm is not None
    assert "A run ended without a verified data set." in alarm.text
    for text in (run.report, mail.text):
        assert (
            "3 partitions are open and another attempt would end the same way; "
            "the last attempts ended: 3 crashed [bug ZeroDivisionError]"
        ) in text
        assert "63.5" not in text, "the words of an error may quote a recording"
        assert "6 crashed" in text
        assert re.search(r"^cost +\$", text, re.MULTILINE)


def _quarantined(cloud: LocalCloud, run_id: str) -> list[dict[str, Any]]:
    """The run's messages in the queue, by case."""
    sqs, found = cloud.client("sqs"), []
    while messages := sqs.receive_message(
        QueueUrl=cloud.outputs["QuarantineQueue"], MaxNumberOfMessages=10, VisibilityTimeout=60
    ).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
    return sorted((item for item in found if item["run_id"] == run_id), key=lambda item: str(item["case_id"]))
