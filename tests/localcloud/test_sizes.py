"""The smallest cohorts: one case, none, and one partition."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from tests.command_line import casemill
from tests.localcloud.cloud import LocalCloud
from tests.localcloud.scenario import CloudRun

SECONDS = 20.0
"""A refusal comes before any machine is asked for; the margin is for a machine under load."""


@pytest.fixture(scope="module")
def runs(new_run: Callable[..., CloudRun]) -> dict[str, CloudRun]:
    """A cohort of one case and one in one partition, when both have ended."""
    found = {"one-case": new_run("one-case", "5"), "one-partition": new_run("one-partition", "1-8", partitions=1)}
    for run in found.values():
        run.start()
    for run in found.values():
        ended = run.wait()
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    return found


@pytest.mark.parametrize(("name", "cases"), [("one-case", 1), ("one-partition", 8)])
def test_one_partition_is_a_plain_job(runs: dict[str, CloudRun], name: str, cases: int) -> None:
    run = runs[name]
    assert [(job.index, job.status) for job in run.jobs] == [(None, "SUCCEEDED")]
    assert [plan.partitions for plan in run.rounds] == [(0,)]
    assert run.manifest.outcomes == {"done": cases}
    assert run.is_published
    assert f"{cases} planned; in committed shards: {cases} done" in run.mail().text


def test_a_cohort_of_none_is_refused_within_seconds(new_run: Callable[..., CloudRun]) -> None:
    run = new_run("none", "900-901")
    begun = time.monotonic()
    ended = run.execute()
    assert time.monotonic() - begun < SECONDS
    assert ended.status == "FAILED"
    assert run.jobs == []
    mail = run.mail()
    assert mail.subject.endswith("was refused")
    for text in (mail.text, run.report):
        assert "[empty_cohort]" in text
        assert "Widen the selection." in text
        assert not re.search(r"^cost ", text, re.MULTILINE), "nothing was spent"


def test_the_command_line_says_the_same_and_starts_nothing(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    answer = casemill(
        "submit", "--source", "s3://recordings/vital", "--clinical", "s3://recordings/clinical_data.csv", "--cases",
        "900-901", "--name", "none-by-command", "--wait",
    )  # fmt: skip
    assert (answer.code, answer.out) == (64, ""), answer.out + answer.err
    assert answer.err.startswith("error [empty_cohort] --cases: none of the 12 recordings is selected")
    assert "Widen the selection." in answer.err
