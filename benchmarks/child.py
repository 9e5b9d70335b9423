"""What the benchmarks let run in a process of its own: ``python -m benchmarks.child TASK …``.

Each task imports only what it needs, and ends with one line of JSON: seconds, and its peak memory (``VmHWM``; what
``/usr/bin/time`` calls the maximum resident set, without what the starting process held before ``exec``).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable


def work_partition(out: str, run_id: str, partition: str) -> None:
    """What a worker process does: open the plan, work one partition."""
    from core.run.memory import keep_freed_memory
    from core.run.partition import read_partition
    from core.run.plan_store import read_request
    from core.run.source import open_source
    from core.run.worker import PartitionWorker
    from core.store import open_store
    from core.workloads.registry import build_workload

    keep_freed_memory()
    store = open_store(out)
    request = read_request(store, run_id)
    workload = build_workload(request.workload, request.configuration)
    plan = read_partition(store, request, int(partition))
    PartitionWorker(store, plan, workload, open_source(request.source), int(partition)).run()


def plan_cohort(source: str, clinical: str, out: str) -> None:
    """Plan all cases and write the plan."""
    from core.run.plan import PlanOptions, make_plan
    from core.run.plan_store import write_plan
    from core.run.source import open_source
    from core.store import open_store
    from core.workloads.registry import build_workload

    selection = {"cases": "all", "clinical": clinical, "where": None}
    plan = make_plan(build_workload("vitaldb", {}), open_source(source), selection, PlanOptions(data_set="bench"))
    write_plan(open_store(out, create=True), plan)


def import_worker() -> None:
    """Everything that a worker process imports before its first case."""
    import core.run.local
    import core.run.worker
    import core.workloads.vitaldb.workload  # noqa: F401


def publish_run(out: str, run_id: str, workers: str) -> None:
    """Verify every shard of a run of the counting workload, and publish it."""
    from benchmarks.counting import build_counting
    from core.run.plan_store import read_plan
    from core.run.publish import publish
    from core.store import open_store

    store = open_store(out)
    plan = read_plan(store, run_id)
    workload = build_counting(plan.request.workload, plan.request.configuration)
    published = publish(store, plan, workload, int(workers))
    if not published.verification.passed:
        raise RuntimeError([check.detail for check in published.verification.checks if not check.passed])


TASKS: dict[str, Callable[..., None]] = {
    "partition": work_partition,
    "plan": plan_cohort,
    "import": import_worker,
    "publish": publish_run,
}


def main(arguments: list[str]) -> None:
    """Do one task and tell about it."""
    from core.run.threads import limit_threads

    # As a worker is started, here and in the container; only what imports numpy and pydantic sees it.
    limit_threads(os.environ)
    started = time.perf_counter()
    TASKS[arguments[0]](*arguments[1:])
    seconds = time.perf_counter() - started
    from core.run.memory import peak_memory_bytes

    sys.stdout.write(json.dumps({"seconds": seconds, "peak_bytes": peak_memory_bytes()}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
