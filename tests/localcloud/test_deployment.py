"""Another version is deployed while a run works: the run ends with what it began with, the next one with the new."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from core.run.pins import CloudPins
from tests.localcloud.cloud import LocalCloud
from tests.localcloud.jobs import LocalJob
from tests.localcloud.scenario import FORTY, CloudRun, faults, on_running, slow_reading
from tests.localcloud.synthesis import synthesise


@pytest.fixture(scope="module")
def runs(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> dict[str, CloudRun]:
    """One run during which the stack is changed, with a round before and one after it, and one run that follows."""
    assembly = synthesise(cloud.scratch.parent, job_memory_mib=2048)
    early, late = new_run("early", "all", **FORTY), new_run("late", "1-4")

    def lose_the_first(job: LocalJob) -> None:
        if job.run_id == early.run_id and job.index == 0:
            job.lose()

    with on_running(cloud, lose_the_first), faults(cloud, slow_reading(early, 0.3)):
        early.start()
        _wait_for_a_worker(early)
        cloud.deploy(assembly, "Casemill")
        assert len(early.rounds) == 1, "the deployment came while the first round worked"
    late.start()
    for run in (early, late):
        ended = run.wait()
        assert ended.status == "SUCCEEDED", (run.request.data_set, ended.error, ended.cause)
    return {"early": early, "late": late}


def test_the_run_ends_on_its_own_revision(runs: dict[str, CloudRun], root_of_forty: str) -> None:
    run = runs["early"]
    assert len(run.rounds) == 2, "one before the deployment, one after it"
    assert {_revision(job) for job in run.jobs} == {_pinned(run)}
    assert run.root_hash == root_of_forty
    assert run.mail().subject.endswith("is verified")


def test_the_next_run_has_the_new_one(runs: dict[str, CloudRun]) -> None:
    assert {_revision(job) for job in runs["late"].jobs} == {_pinned(runs["late"])}
    assert _pinned(runs["late"]) == _pinned(runs["early"]) + 1


def _wait_for_a_worker(run: CloudRun) -> None:
    ends_at = time.monotonic() + 60
    while not any(job.process is not None and job.index for job in run.jobs):
        assert time.monotonic() < ends_at, "nothing works"
        time.sleep(0.05)


def _pinned(run: CloudRun) -> int:
    return int(CloudPins.model_validate_json(run.get(run.layout.pins)).job_definition.rpartition(":")[2])


def _revision(job: LocalJob) -> int:
    return int(job.job_definition.revision)
