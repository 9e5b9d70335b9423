"""Starting twice at once, starting what is finished, stopping in mid-run and going on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.localcloud.cloud import LocalCloud
from tests.localcloud.scenario import FORTY, CloudRun, faults, slow_reading


@pytest.fixture(scope="module")
def doubled(new_run: Callable[..., CloudRun]) -> CloudRun:
    """The same submission started twice within a moment, when both have ended."""
    run = new_run("doubled", "all", **FORTY)
    run.start().start()
    for number in (1, 2):
        ended = run.wait(number)
        assert ended.status == "SUCCEEDED", (number, ended.error, ended.cause)
    return run


def test_a_duplicate_start_spoils_nothing(doubled: CloudRun, root_of_forty: str) -> None:
    assert doubled.root_hash == root_of_forty
    assert doubled.manifest.outcomes == {"done": 40}
    assert len(doubled.commits) == len(doubled.manifest.shards), "each shard has one commit record"
    shards = [key for key in doubled.keys(doubled.data_set.root) if key.endswith(".tfrecord.gz")]
    assert len(shards) == len(doubled.manifest.shards), "and one object"


def test_each_of_the_two_executions_has_its_mail(doubled: CloudRun) -> None:
    for number in (1, 2):
        assert doubled.mail(number).subject.endswith("is verified")
    assert doubled.mail(1).text != doubled.mail(2).text, "each names its own execution and report"


def test_a_start_of_a_finished_run_starts_no_machine_and_says_so(doubled: CloudRun) -> None:
    jobs, seal = len(doubled.jobs), doubled.get(doubled.data_set.success)
    rounds = len(doubled.rounds)
    ended = doubled.execute()
    assert ended.status == "SUCCEEDED"
    assert (len(doubled.jobs), len(doubled.rounds)) == (jobs, rounds)
    assert doubled.get(doubled.data_set.success) == seal
    assert doubled.mail().subject.endswith("is verified")


@pytest.fixture(scope="module")
def stopped(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> CloudRun:
    """A run that was stopped when it had committed something."""
    run = new_run("stopped", "all", **FORTY)
    with faults(cloud, slow_reading(run, 0.4)):
        run.start()
        ends_at = time.monotonic() + 60
        while not run.keys(run.layout.commits):
            assert time.monotonic() < ends_at, "nothing is committed"
            time.sleep(0.1)
        assert run.stop().status == "ABORTED"
    for job in run.jobs:
        job.join(30)
    return run


def test_a_stopped_run_says_so_and_keeps_what_it_committed(stopped: CloudRun) -> None:
    assert not stopped.is_published
    mail = stopped.mail(1)
    assert mail.subject.endswith("was stopped")
    assert "Submit the same run again to go on where it stopped." in mail.text
    assert 0 < len(stopped.commits) < 10
    assert {attempt.why for attempt in stopped.attempts} <= {"interrupted", "finished"}
    assert "lost to reclaimed machines" not in mail.text, "somebody ended them, nobody took them away"


def test_started_again_it_goes_on_where_it_stopped(stopped: CloudRun, root_of_forty: str) -> None:
    before = {key: stopped.get(key) for key in stopped.keys(stopped.layout.commits)}
    begun = len(stopped.attempts)
    assert stopped.execute().status == "SUCCEEDED"
    assert stopped.root_hash == root_of_forty
    assert {key: stopped.get(key) for key in before} == before, "what was committed is not made again"
    later = [attempt for attempt in stopped.attempts if attempt.attempt > 1 or attempt.why == "finished"]
    assert len(stopped.attempts) > begun
    assert any(attempt.restored for attempt in later)
    assert stopped.cases_worked == 40, "no case was worked twice"
    assert stopped.mail().subject.endswith("is verified")
