"""A run that is projected to cost more than it may: stopped, told, and gone on with."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.localcloud.alarms import Mailbox
from tests.localcloud.cloud import LocalCloud
from tests.localcloud.prices import SPOT_USD_A_SECOND
from tests.localcloud.scenario import FORTY, CloudRun, faults, slow_reading

SLOW_SECONDS = 1.0
ENOUGH_FOR = Decimal("0.4")
"""The budget as a share of what forty slow cases cost, at the least."""


@pytest.fixture(scope="module")
def dear(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> CloudRun:
    """A run that its guard has stopped because of what it would cost in all."""
    run = new_run("dear-forty", "all", **FORTY)
    budget = float(ENOUGH_FOR * 40 * Decimal(SLOW_SECONDS) * SPOT_USD_A_SECOND)
    with faults(cloud, slow_reading(run, SLOW_SECONDS)):
        ended = run.execute(budget)
    assert ended.status == "FAILED"
    return run


def test_the_mail_tells_the_projection_the_limit_and_what_to_do(dear: CloudRun) -> None:
    mail = dear.mail(1)
    assert mail.subject.endswith("was stopped by its budget")
    assert re.search(r"projected to cost at least \$0\.\d+, the budget is \$0\.\d+", mail.text)
    assert "Submit the same run again with a higher budget: only what is missing is done." in mail.text
    assert not dear.is_published


def test_the_cost_of_what_was_done_is_told_and_is_within_the_limit(dear: CloudRun) -> None:
    assert 0 < Decimal(str(dear.cost["total_usd"])) <= dear.budgets[0]
    assert re.search(r"^cost +\$0\.\d+", dear.mail(1).text, re.MULTILINE)
    assert "lost to reclaimed machines" not in dear.mail(1).text, "the guard ended them, nobody took them away"


def test_its_machines_are_ended(dear: CloudRun) -> None:
    assert all(job.status in ("FAILED", "SUCCEEDED") for job in dear.jobs)
    assert any("projected" in (job.job_stopped_reason or "") for job in dear.jobs)
    assert {attempt.why for attempt in dear.attempts} <= {"interrupted", "finished"}


def test_the_alarm_is_raised(cloud: LocalCloud, mailbox: Mailbox, dear: CloudRun) -> None:
    cloud.evaluate_alarms()
    alarm = mailbox.alarm("over-budget")
    assert alarm is not None
    assert "The guard stopped a run because it would have cost more than its budget, or no price" in alarm.text


def test_with_a_higher_limit_it_goes_on_with_what_is_missing(dear: CloudRun, root_of_forty: str) -> None:
    before = {key: dear.get(key) for key in dear.keys(dear.layout.commits)}
    spent = Decimal(str(dear.cost["total_usd"]))
    ended = dear.execute(20.0)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert dear.root_hash == root_of_forty
    assert {key: dear.get(key) for key in before} == before
    assert dear.cases_worked == 40, "what was saved is not worked again"
    assert Decimal(str(dear.cost["total_usd"])) > spent, "the bill is the whole run's"
    assert dear.mail().subject.endswith("is verified")
