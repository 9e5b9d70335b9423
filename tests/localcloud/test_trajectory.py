"""Trajectories in the cloud: an array of four, one machine taken away, and every gate judged by the functions."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.run.findings import GroupFindings
from core.run.models import Verification
from core.run.pipeline import execute
from core.run.submission import AskedRun, plan_asked
from core.store import open_store
from core.workloads.registry import build_workload
from tests.localcloud.alarms import Mailbox
from tests.localcloud.cloud import LocalCloud
from tests.localcloud.scenario import CloudRun, faults
from tests.storage_faults import Rule

SAMPLES = 4000
SETTINGS = {"samples": SAMPLES, "block_size": 250}
RECLAIMED = 1
"""The child whose machine is taken away while it commits its second shard."""


def asked(**options: Any) -> AskedRun:
    return AskedRun(workload="trajectory", settings=SETTINGS, **{"shard_cases": 3, "partitions": 4, **options})


def while_committing(run: CloudRun, nth: int = 2) -> Rule:
    """Reclaims the child's machine while its ``nth`` commit record is on its way."""
    seen: Counter[int] = Counter()

    def hits(environ: dict[str, Any]) -> bool:
        job = run.cloud.asker(environ)
        if job is None or not run.asks(environ) or job.index != RECLAIMED or job.attempt != 1:
            return False
        seen[job.attempt] += 1
        if seen[job.attempt] != nth:
            return False
        threading.Timer(0.2, job.reclaim).start()
        return True

    return Rule("slow", method="PUT", path=run.key_pattern("shards/"), seconds=0.5, when=hits)


@pytest.fixture(scope="module")
def run(cloud: LocalCloud, mailbox: Mailbox) -> CloudRun:
    found = CloudRun(cloud, mailbox, asked(data_set="moving"))
    with faults(cloud, while_committing(found)):
        ended = found.execute()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    return found


def test_an_array_of_four_and_one_reclaim(run: CloudRun) -> None:
    assert [job.index for job in run.jobs] == [0, 1, 2, 3]
    assert [len(job.attempts) for job in run.jobs] == [1, 2, 1, 1]
    assert Counter(attempt.why for attempt in run.attempts) == {"finished": 4, "reclaimed": 1}
    assert len(run.rounds) == 1


def test_the_root_hash_is_that_of_one_machine(run: CloudRun, tmp_path: Path) -> None:
    plan, workload = plan_asked(run.request, build_workload)
    alone = execute(open_store(str(tmp_path), create=True), plan, workload, build_workload, 1)
    assert alone.verification.passed
    assert run.root_hash == alone.manifest.root_hash
    assert run.manifest.records == SAMPLES
    verification = Verification.model_validate_json(run.get(run.layout.verification))
    assert verification.checks == alone.verification.checks
    assert verification.figures == alone.verification.figures


def test_the_gates_were_judged_by_what_the_functions_read_back(run: CloudRun) -> None:
    verification = Verification.model_validate_json(run.get(run.layout.verification))
    gates = [check for check in verification.checks if check.name.startswith("gate: ")]
    assert len(gates) == 16
    assert all(gate.passed for gate in gates)
    findings = GroupFindings.model_validate_json(run.get(run.layout.group_findings(0)))
    assert sum(shard.figures["counts"]["rows"] for shard in findings.shards) == SAMPLES
    assert run.mail().subject.endswith("is verified")


def test_what_reads_nothing_takes_no_source(cloud: LocalCloud, mailbox: Mailbox) -> None:
    refused = CloudRun(cloud, mailbox, asked(data_set="refused", source="s3://recordings/vital"))
    assert refused.execute().status == "FAILED"
    assert "[bad_option]" in refused.mail().text
    assert not refused.is_published
