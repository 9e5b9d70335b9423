"""Functions that time out or are throttled: each of them, the last ones at the worst moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.localcloud.cloud import LocalCloud
from tests.localcloud.scenario import FORTY, CloudRun, faults
from tests.storage_faults import Rule

FAULTS = {
    "Plan": ["throttled", "timeout 0.001"],
    "Inspect": ["throttled"],
    "Guard": ["timeout 0.001", "throttled"],
    "Verify": ["timeout 0.001"],
    # Long enough to write the documents, too short for the seal, which stalls below.
    "Publish": ["timeout 3"],
    "Notify": ["throttled", "timeout 0.001"],
}
"""What happens to the first calls of each function."""


@pytest.fixture(scope="module")
def run(cloud: LocalCloud, new_run: Callable[..., CloudRun]) -> CloudRun:
    """A run whose functions all fail at first, when it has ended."""
    run = new_run("stumbling", "all", **FORTY)
    left = {f"{name}Function.*{run.run_id}": list(todo) for name, todo in FAULTS.items()}
    cloud.functions.faults |= left
    seal = f"/[^/]+/casemill/{run.data_set.success}"
    with faults(cloud, Rule("stall", method="PUT", path=seal, seconds=5.0, times=1)):
        ended = run.execute()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert not any(left.values()), left
    return run


def test_every_function_is_tried_again_and_the_run_ends_as_any_other(run: CloudRun, root_of_forty: str) -> None:
    assert run.root_hash == root_of_forty
    assert run.manifest.outcomes == {"done": 40}
    assert len(run.jobs) == 3, "no round was started twice"
    assert run.cases_worked == 40


def test_there_is_one_mail_although_its_function_failed_twice(run: CloudRun) -> None:
    assert run.mail().subject.endswith("is verified")


def test_every_failed_call_is_in_the_history(cloud: LocalCloud, run: CloudRun) -> None:
    failed = [event for event in cloud.history(run.executions[0]) if event["type"].endswith("Failed")]
    errors = sorted(str(details.get("error")) for event in failed for details in event.values() if _has_error(details))
    assert errors == sorted(
        "Lambda.TooManyRequestsException" if fault == "throttled" else "Sandbox.Timedout"
        for todo in FAULTS.values()
        for fault in todo
    )


def _has_error(details: object) -> bool:
    return isinstance(details, dict) and "error" in details
