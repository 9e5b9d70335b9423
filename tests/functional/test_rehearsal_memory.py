"""The bound of a worker's memory that docs/rehearsal.md states, on a case of ten hours."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from core.workloads.vitaldb.demo.cases import write_case
from core.workloads.vitaldb.demo.patient import plan_case
from tests.command_line import REPOSITORY

_WORK = """
import gzip, sys
from core.run.memory import peak_memory_bytes
from core.run.plan import PlanOptions, make_plan
from core.run.plan_store import read_plan, write_plan
from core.run.source import open_source
from core.run.worker import PartitionWorker
from core.store import open_store
from core.workloads.registry import build_workload

source, store, workload = open_source(sys.argv[1]), open_store(sys.argv[2], create=True), build_workload("vitaldb", {})
plan = make_plan(workload, source, {"cases": "all", "clinical": None, "where": None}, PlanOptions(data_set="d"))
write_plan(store, plan)
plan = read_plan(store, plan.request.run_id)
before = peak_memory_bytes()
report = PartitionWorker(store, plan, workload, source, 0).run()
shards = [item.key for item in store.list("datasets") if item.key.endswith(".gz")]
print(report.cases, peak_memory_bytes() - before, sum(len(gzip.decompress(store.get(key))) for key in shards))
"""


@pytest.mark.slow
def test_case_of_ten_hours_keeps_within_the_stated_bound(tmp_path: Path) -> None:
    (tmp_path / "source" / "vital_files").mkdir(parents=True)
    write_case(tmp_path / "source", dataclasses.replace(plan_case(1, 7), seconds=36_000), waveforms=False)
    done = subprocess.run(
        [sys.executable, "-c", _WORK, str(tmp_path / "source" / "vital_files"), str(tmp_path / "out")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    cases, growth, examples = map(int, done.stdout.split())
    assert cases == 1
    assert examples > 15e6
    assert growth < 1.5 * examples + 10e6, f"{growth / 1e6:.0f} MB for {examples / 1e6:.0f} MB of examples"
