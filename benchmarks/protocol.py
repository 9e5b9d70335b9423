"""A run of 100,000 cases in 2,000 shards: worked, looked at with ``casemill status``, verified and published."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.counting import build_counting
from benchmarks.files import BenchFolder
from benchmarks.measure import Spread, Times, spread
from benchmarks.processes import child, command_line, environment, timed, told
from benchmarks.sizes import Sizes
from benchmarks.table import Part, at_most, line
from core.cli.machine import processors
from core.run.layout import RunLayout
from core.run.local import LocalJob, run_locally
from core.run.plan import PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.store import open_store


def measure_protocol(folder: BenchFolder, sizes: Sizes) -> Part:
    """The run is worked once; what reads it is measured again and again."""
    env = environment(folder)
    with folder.scratch() as out:
        run_id, shards, worked = _work(out, sizes.planned_cases)
        command = [*command_line(), "status", str(out / RunLayout(run_id).root)]
        looks = Times(tuple(timed(command, env) for _ in range(sizes.few_rounds + 1))[1:])
        answers = [_publish(out, run_id, env) for _ in range(sizes.few_rounds)]
    published = Times(tuple(answer["seconds"] for answer in answers))
    peaks = Times(tuple(answer["peak_bytes"] / 1e6 for answer in answers))
    per_case = worked / sizes.planned_cases * 1e3
    lines = (
        line(f"casemill status of {shards:,} shards", spread(looks), "s", at_most(2), "whole program"),
        line("a case of next to nothing", Spread(per_case, per_case, per_case), "ms",
             detail=f"{worked:.1f} s on {processors()} processes"),
        line("verified and published", spread(published), "s", detail="one process"),
        line("verified and published: peak memory", spread(peaks), "MB"),
    )  # fmt: skip
    title = f"The run protocol at {sizes.planned_cases:,} cases"
    about = f"{shards:,} shards on a folder; a workload that reads nothing and writes one small record a case."
    times = {"work": (worked,), "status": looks.seconds, "publish": published.seconds}
    return Part(name="protocol", title=title, about=about, lines=lines, times=times)


def _work(out: Path, cases: int) -> tuple[str, int, float]:
    """Plan and work the run; its id, its shards, and the seconds of the work."""
    store = open_store(out, create=True)
    settings = {"cases": cases}
    plan = make_plan(build_counting("counting", settings), None, {}, PlanOptions(data_set="bench"))
    write_plan(store, plan)
    started = time.perf_counter()
    job = LocalJob(store.uri, plan.request.run_id, build_counting)
    run_locally(job, list(range(plan.shards.partitions)), processors())
    return plan.request.run_id, len(plan.shards.shards), time.perf_counter() - started


def _publish(out: Path, run_id: str, env: dict[str, str]) -> dict[str, float]:
    """Verify and publish once more, as if it had never been."""
    layout = RunLayout(run_id)
    (out / layout.verification).unlink(missing_ok=True)
    answer = told(child("publish", out, run_id, 1), env)
    for name in ("_SUCCESS", "manifest.json"):
        (out / "datasets" / "bench" / name).unlink()
    return {"seconds": float(answer["seconds"]), "peak_bytes": float(answer["peak_bytes"])}
