"""One run in one process by the processor's clock: what `casemill fit` makes the time model's figures of.

    python benchmarks/measure_times.py COHORT OUT      # a folder of `casemill demo-data`, and where the run is written
    python benchmarks/measure_times.py trajectory OUT samples=3000 block_size=100    # a workload that reads nothing

Processor time does not count what other work on the machine takes, and leaves out waiting for the disk. The whole
process counts, its start and its imports too, as those of a worker do; making the plan does not.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from core.cli.workload_options import settings_of
from core.cost.estimate import EstimateOutcome, estimate_run
from core.run.layout import RunLayout
from core.run.plan import PlanOptions, make_plan
from core.run.plan_store import read_plan, write_plan
from core.run.publish import publish
from core.run.source import StoreSource, open_source
from core.run.worker import Clock, PartitionWorker
from core.store import open_store
from core.workload import Workload
from core.workloads.registry import build_workload, workload_names


def asked(given: str, settings: dict[str, Any]) -> tuple[Workload, StoreSource | None, dict[str, Any]]:
    """The workload, what it reads, and its selection."""
    if given in workload_names():
        return build_workload(given, settings), None, {}
    cohort = Path(given)
    selection = {"cases": "all", "clinical": str(cohort / "clinical_data.csv"), "where": None}
    return build_workload("vitaldb", settings), open_source(str(cohort / "vital_files")), selection


def measure(given: str, out: Path, settings: dict[str, Any]) -> None:
    """Plan, work every partition in turn, verify, and keep the time in ``estimate.json``."""
    began = time.process_time()
    workload, source, selection = asked(given, settings)
    planned = make_plan(workload, source, selection, PlanOptions())
    planning = time.process_time() - began
    store = open_store(out, create=True)
    write_plan(store, planned)
    plan = read_plan(store, planned.request.run_id)
    clock = Clock(now=time.process_time, elapsed=time.process_time)
    for partition in range(plan.shards.partitions):
        PartitionWorker(store, plan, workload, source, partition, clock=clock).run()
    publish(store, plan, workload)
    outcome = EstimateOutcome(
        run_id=plan.request.run_id,
        estimate=estimate_run(workload.name, None, plan.shards.shards, workers=1),
        took_seconds=time.process_time() - planning,
        whole_run=True,
    )
    store.put(RunLayout(plan.request.run_id).estimate, outcome.to_bytes())


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]), settings_of(None, sys.argv[3:]))
