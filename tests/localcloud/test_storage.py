"""Faults of the storage while everything works: containers and functions alike."""

from __future__ import annotations

from collections.abc import Callable

from tests.localcloud.cloud import LocalCloud
from tests.localcloud.scenario import FORTY, CloudRun, faults
from tests.storage_faults import Rule


def test_a_storage_that_slows_down_breaks_and_tears_connections_changes_nothing(
    cloud: LocalCloud, new_run: Callable[..., CloudRun], root_of_forty: str
) -> None:
    run = new_run("faulty", "all", **FORTY)
    own, data = run.key_pattern(), f"/[^/]+/casemill/{run.data_set.root}/.*"
    rules = [
        Rule("SlowDown", path=own, probability=0.1),
        Rule("InternalError", path=own, probability=0.1),
        Rule("reset", path=own, probability=0.05),
        Rule("lost", method="PUT", path=f"{own}|{data}", probability=0.1),
        Rule("SlowDown", path=data, probability=0.1),
        # The source fails too, for the run's containers.
        Rule("InternalError", path="/recordings/.*", probability=0.2, when=run.asks),
    ]
    before = cloud.faults.fired.copy()
    with faults(cloud, *rules):
        ended = run.execute()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    fired = cloud.faults.fired - before
    assert {"SlowDown", "InternalError", "reset", "lost"} <= set(fired), fired
    assert run.root_hash == root_of_forty
    assert run.manifest.outcomes == {"done": 40}, "nothing is held against a case"
    assert sum(attempt.storage_repeats for attempt in run.attempts) > 0
    assert run.mail().subject.endswith("is verified")
    assert len(run.commits) == len(run.manifest.shards)
