"""The parts by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.files import BenchFolder
from benchmarks.sizes import Sizes
from benchmarks.table import Part
from core.recording.writer import Layout

Measure = Callable[[BenchFolder, Sizes], Part]


def parts() -> dict[str, Measure]:
    """Every part; what a part imports (TensorFlow takes seconds) is imported with it."""
    from benchmarks.cache import measure_cache
    from benchmarks.cohorts import measure_cohorts
    from benchmarks.flame import measure_profile
    from benchmarks.hours import measure_hours
    from benchmarks.plan import measure_plan
    from benchmarks.protocol import measure_protocol
    from benchmarks.startup import measure_startup
    from benchmarks.verify import measure_verify
    from benchmarks.workers import measure_workers

    return {
        "packed": partial(_whole, layout=Layout.PACKED),
        "track-by-track": partial(_whole, layout=Layout.TRACK_BY_TRACK),
        "interleaved": partial(_whole, layout=Layout.INTERLEAVED),
        "writer": _writer,
        "cache": measure_cache,
        "workers": measure_workers,
        "hours": measure_hours,
        "cohorts": measure_cohorts,
        "startup": measure_startup,
        "plan": measure_plan,
        "verify": measure_verify,
        "protocol": measure_protocol,
        "profile": measure_profile,
    }


GROUPS = {"reader": ("packed", "track-by-track", "interleaved"), "memory": ("hours",)}
"""Other names for ``--only``."""


def _whole(folder: BenchFolder, sizes: Sizes, layout: Layout) -> Part:
    from benchmarks.whole import measure_whole_case

    return measure_whole_case(folder, sizes, layout)


def _writer(folder: BenchFolder, sizes: Sizes) -> Part:
    from benchmarks.writer import measure_writer

    return measure_writer(folder, sizes)
