"""Machines that are taken away: every one of them, deaf to the signal, and more often than there are attempts."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.localcloud.alarms import Mailbox
from tests.localcloud.cloud import LocalCloud
from tests.localcloud.jobs import HOST_LOST, LocalJob
from tests.localcloud.scenario import FORTY, CloudRun, faults, on_running, while_reading

ATTEMPTS = 5
"""Of a job, by the settings of the stack (``casemill:attempts``)."""


@pytest.fixture(scope="module")
def runs(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> Iterator[dict[str, CloudRun]]:
    """Three runs at the same time, each with its own misfortune, when all have ended."""
    twice = new_run("twice", "all", **FORTY)
    deaf = new_run("deaf", "all", partitions=2, checkpoint_seconds=0.001)
    beyond = new_run("beyond", "all")

    def lose_what_begins(job: LocalJob) -> None:
        """Of the first partition every machine on spot capacity, as soon as there is one."""
        first = job.index == 0 and job.attempt > 1
        if job.run_id == beyond.run_id and job.on_spot and (first or job.index is None):
            job.lose()

    def reclaim_a_deaf_one(job: LocalJob) -> None:
        job.signal(signal.SIGSTOP)
        job.reclaim(grace_seconds=0.3)

    with (
        faults(
            cloud,
            while_reading(twice, LocalJob.reclaim, nth=3, when=lambda job: job.attempt <= 2),
            while_reading(deaf, reclaim_a_deaf_one, nth=4, when=lambda job: job.index == 0 and job.attempt == 1),
            while_reading(beyond, LocalJob.reclaim, when=lambda job: job.index == 0 and job.attempt == 1),
        ),
        on_running(cloud, lose_what_begins),
    ):
        found = {run.request.data_set or "": run.start() for run in (twice, deaf, beyond)}
        for run in found.values():
            ended = run.wait()
            assert ended.status == "SUCCEEDED", (run.request.data_set, ended.error, ended.cause)
        yield found


def test_every_child_reclaimed_twice_in_the_middle_of_a_case_loses_nothing(
    runs: dict[str, CloudRun], root_of_forty: str
) -> None:
    run = runs["twice"]
    assert run.root_hash == root_of_forty
    assert [len(job.attempts) for job in run.jobs] == [3, 3, 3]
    assert [job.attempts[0]["container"].get("exitCode") for job in run.jobs] == [75, 75, 75]
    assert [attempt.why for attempt in run.attempts] == 3 * ["reclaimed", "reclaimed", "finished"]
    assert run.cases_worked == 40, "no case was worked twice"
    assert all(attempt.restored for attempt in run.attempts if attempt.attempt > 1), "each took up what was saved"
    assert len(run.rounds) == 1


def test_its_mail_and_its_cost_show_what_the_reclaims_took(runs: dict[str, CloudRun]) -> None:
    run = runs["twice"]
    for text in (run.mail().text, run.report):
        assert "3 finished, 6 reclaimed" in text
        assert "lost to reclaimed machines" in text
    assert run.mail().subject.endswith("is verified")
    by_end = run.cost["by_end"]
    assert by_end["reclaimed"]["attempts"] == 6
    assert float(by_end["reclaimed"]["usd"]) > 0


def test_so_many_reclaims_raise_the_alarm(cloud: LocalCloud, mailbox: Mailbox, runs: dict[str, CloudRun]) -> None:
    cloud.evaluate_alarms()
    alarm = mailbox.alarm("reclaims")
    assert alarm is not None
    assert "AWS took back at least 3 spot machines from a run within an hour" in alarm.text
    assert "What to do: Nothing, if it stays at a few." in alarm.text


def test_a_child_that_ignores_the_signal_is_killed_and_its_last_checkpoint_taken_up(runs: dict[str, CloudRun]) -> None:
    run = runs["deaf"]
    job = next(job for job in run.jobs if job.index == 0)
    killed, second = job.attempts
    assert killed["statusReason"] == HOST_LOST
    assert "exitCode" not in killed["container"]
    assert second["container"]["exitCode"] == 0
    told = [attempt for attempt in run.attempts if attempt.partition == 0]
    assert [attempt.why for attempt in told] == ["reclaimed", "finished"]
    assert told[0].detail == f"AWS Batch: {HOST_LOST}", "its successor took it for a crash; Batch knows better"
    assert told[1].restored >= 2, "three cases were read, and the third may not have been saved"
    assert Counter(case.outcome.value for commit in run.commits.values() for case in commit.cases) == {"done": 12}


def test_reclaims_beyond_the_attempts_leave_a_hole_that_the_last_round_fills_on_demand(
    runs: dict[str, CloudRun],
) -> None:
    run = runs["beyond"]
    assert [plan.partitions for plan in run.rounds] == [(0, 1, 2), (0,), (0,)]
    assert [(job.index, job.on_spot) for job in run.jobs] == [
        (0, True), (1, True), (2, True), (None, True), (None, False),
    ]  # fmt: skip
    assert [len(job.attempts) for job in run.jobs] == [ATTEMPTS, 1, 1, ATTEMPTS, 1]
    made_by = {(commit.made_by.partition, commit.made_by.capacity) for commit in run.commits.values()}
    assert made_by - {(0, "spot")} == {(0, "on-demand"), (1, "spot"), (2, "spot")}
    assert run.cases_worked == 12
    assert run.mail().subject.endswith("is verified")


def test_its_cost_is_that_of_both_kinds_of_machine(runs: dict[str, CloudRun]) -> None:
    cost = runs["beyond"].cost
    assert {capacity: line["attempts"] for capacity, line in cost["by_capacity"].items()} == {"on-demand": 1, "spot": 3}
    assert all(float(line["usd"]) > 0 for line in cost["by_capacity"].values())
    assert "have no price" not in runs["beyond"].report
