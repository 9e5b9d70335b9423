"""Growth by the length of a case, and the peak memory of a worker: one partition in a process of its own."""

from __future__ import annotations

from benchmarks.files import BenchFolder
from benchmarks.measure import Spread, Times, spread
from benchmarks.processes import child, environment, told
from benchmarks.runs import planned_run
from benchmarks.sizes import Sizes
from benchmarks.table import Goal, Line, Part, at_most, line, raw
from core.recording.writer import Layout

MEMORY_GOALS_MB = {3.0: 100.0, 10.0: 150.0}


def measure_hours(folder: BenchFolder, sizes: Sizes) -> Part:
    """Half an hour to ten hours, with waves, in the layout that costs most and in the one with the largest packets."""
    env = environment(folder)
    lines: list[Line] = []
    times: dict[str, Times] = {}
    for layout in (Layout.INTERLEAVED, Layout.PACKED):
        for hours in sizes.hours:
            name = f"{layout.value} case of {hours:g} h"
            peaks, seconds = _work(folder, sizes, layout, hours, env)
            times[name] = seconds
            goal: Goal | None = at_most(MEMORY_GOALS_MB[hours]) if hours in MEMORY_GOALS_MB else None
            lines.append(line(f"{name}: peak memory of the whole process", peaks, "MB", goal))
            per_hour = f"{seconds.median / hours * 1e3:,.0f} ms an hour of recording"
            lines.append(line(f"{name}: worked, imports included", spread(seconds), "s", detail=per_hour))
    about = "One case with waves is the one partition of a run, worked by a process of its own."
    title = "Growth by the length of a case"
    return Part(name="hours", title=title, about=about, lines=tuple(lines), times=raw(times))


def _work(folder: BenchFolder, sizes: Sizes, layout: Layout, hours: float, env: dict[str, str]) -> tuple[Spread, Times]:
    recording = folder.recording(layout, round(hours * 3600))
    peaks, seconds = [], []
    for _ in range(sizes.few_rounds + 1):
        with folder.scratch() as out:
            _, plan = planned_run(recording.folder, out)
            answer = told(child("partition", out, plan.request.run_id, 0), env)
        peaks.append(answer["peak_bytes"] / 1e6)
        seconds.append(answer["seconds"])
    # The first start compiles what is not compiled yet.
    return spread(Times(tuple(peaks[1:]))), Times(tuple(seconds[1:]))
