"""Growth by the number of cases: whole runs over many short recordings, planned, worked, verified and published."""

from __future__ import annotations

import time

from benchmarks.files import BenchFolder, link_cases
from benchmarks.measure import Spread
from benchmarks.runs import planned_run
from benchmarks.sizes import Sizes
from benchmarks.table import Line, Part, line
from core.cli.machine import processors
from core.run.pipeline import execute
from core.run.progress import read_progress
from core.workloads.registry import build_workload

SHORT_CASE_S = 460
"""Five windows."""


def measure_cohorts(folder: BenchFolder, sizes: Sizes) -> Part:
    """One run of each size: what a case costs, and the memory of the largest worker, must not grow."""
    recording = folder.short_recording(SHORT_CASE_S)
    lines: list[Line] = []
    seconds: dict[str, tuple[float, ...]] = {}
    for cases in sizes.cohorts:
        with folder.scratch() as scratch:
            link_cases(recording, scratch / "cases", cases)
            started = time.perf_counter()
            store, plan = planned_run(scratch / "cases", scratch / "out", thresholds=None)
            result = execute(store, plan, build_workload("vitaldb", {}), build_workload, processors())
            elapsed = time.perf_counter() - started
            if not result.verification.passed:
                raise RuntimeError([check.detail for check in result.verification.checks if not check.passed])
            peak = read_progress(store, plan).peak_memory_bytes / 1e6
        seconds[f"{cases} cases"] = (elapsed,)
        per_case = elapsed / cases * 1e3
        lines.append(line(f"{cases:,} cases: a case", _once(per_case), "ms", detail=f"{elapsed:.1f} s in all"))
        lines.append(line(f"{cases:,} cases: peak memory of the largest worker", _once(peak), "MB"))
    about = (
        f"Whole runs (plan, work, verify, publish) on {processors()} processes, started anew, over recordings of "
        f"{SHORT_CASE_S / 60:.1f} min without waves; one round."
    )
    title = "Growth by the number of cases"
    return Part(name="cohorts", title=title, about=about, lines=tuple(lines), times=seconds)


def _once(figure: float) -> Spread:
    return Spread(figure, figure, figure)
