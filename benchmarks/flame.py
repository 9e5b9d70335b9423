"""Profiles of a whole case: a page with a flame graph for each layout, and the functions that take most time."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from pyinstrument import Profiler
from pyinstrument.frame import Frame

from benchmarks.files import BenchFolder
from benchmarks.measure import Spread
from benchmarks.ours import our_case
from benchmarks.sizes import Sizes
from benchmarks.table import Part, line
from core.recording.writer import Layout

INTERVAL_S = 0.0005
SHOWN = 8

FILE_READING = ("FileIO.read", "folder.py: read_file")
"""The functions whose own time reading a file is."""


def measure_profile(folder: BenchFolder, sizes: Sizes) -> Part:
    """Where the time of a whole case goes, by the functions' own time (calls into libraries count for the caller)."""
    lines = []
    for layout in Layout:
        recording = folder.recording(layout, sizes.case_s)
        with folder.scratch() as out:
            case = our_case(recording, out)
            case.whole()
            profiler = Profiler(interval=INTERVAL_S, async_mode="disabled")
            with profiler:
                for _ in range(sizes.profiled_calls):
                    case.whole()
        page = folder.root / f"profile-{layout.value}.html"
        page.write_text(profiler.output_html(), encoding="utf-8")
        root = profiler.last_session.root_frame() if profiler.last_session else None
        own = _own_seconds(root) if root else {}
        total = sum(own.values())
        for name, seconds in shown(own):
            share = 100 * seconds / total
            title = f"{layout.value.replace('_', ' ')}: {name}"
            detail = f"{seconds / sizes.profiled_calls * 1e3:.1f} ms a case"
            lines.append(line(title, Spread(share, share, share), "%", detail=detail))
    about = (
        "Share of the functions' own time; calls into compiled code count for the caller. Pages: bench/profile-*.html."
    )
    return Part(name="profile", title="Profile of a whole case", about=about, lines=tuple(lines))


def shown(own: dict[str, float]) -> list[tuple[str, float]]:
    """The functions that take most, and after them those that read the file, however little they take."""
    ranked = sorted(own.items(), key=lambda item: -item[1])
    return ranked[:SHOWN] + [found for found in ranked[SHOWN:] if found[0].endswith(FILE_READING)]


def _own_seconds(root: Frame) -> dict[str, float]:
    """Seconds by function, without those of the functions that it calls."""
    own: dict[str, float] = defaultdict(float)
    waiting = [root]
    while waiting:
        frame = waiting.pop()
        called = [child for child in frame.children if not child.is_synthetic_leaf]
        waiting += called
        own[f"{Path(frame.file_path or '').name}: {frame.function}"] += frame.time - sum(child.time for child in called)
    return dict(own)
