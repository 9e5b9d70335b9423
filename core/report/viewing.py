"""The case viewer's data: which cases are shown, and their traces thinned for the screen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.report.model import OddLine, ViewedCase, ViewedTrace, Viewer
from core.report.words import count
from core.reporting import CaseTraces, Oddity, Trace
from core.workload import Case

SAMPLE_CASES = 6
MOST_ODD = 10

MOST_POINTS = 100_000
"""Of all lines of all cases together: about 1.5 MB of the page."""

LEAST_LINE_POINTS, MOST_LINE_POINTS = 120, 800
MOST_STRETCHES = 200
MOST_WINDOWS = 300

Floats = NDArray[np.float64]


def sample_ids(case_ids: Iterable[str], most: int = SAMPLE_CASES) -> tuple[str, ...]:
    """Some of the cases: always the same ones for the same cohort, and not chosen for what is in them.

    >>> sample_ids([f"{number:04d}" for number in range(1, 9)], 2)
    ('0004', '0008')
    """
    ranked = sorted(case_ids, key=lambda case_id: (hashlib.sha256(case_id.encode()).digest(), case_id))
    return tuple(sorted(ranked[:most]))


def view_cases(
    reasons: Mapping[str, str], cases: Mapping[str, Case], look: Callable[[Case], CaseTraces | str | None]
) -> Viewer:
    """Look at each case that there is a reason for; ``look`` gives its traces, why there are none, or None where such
    cases have no time axis."""
    found: list[tuple[str, CaseTraces]] = []
    missing: dict[str, list[str]] = {}
    for case_id, why in reasons.items():
        seen = look(cases[case_id]) if case_id in cases else "it is not in the plan"
        if isinstance(seen, str):
            missing.setdefault(seen, []).append(case_id)
        elif seen is not None:
            found.append((why, seen))
    lines = 2 * sum(sum(len(trace.raw_times) > 0 for trace in seen.traces) for _, seen in found)
    points = min(MOST_LINE_POINTS, max(LEAST_LINE_POINTS, MOST_POINTS // max(lines, 1)))
    remarks = [
        f"{count(len(ids), 'case')} cannot be shown ({', '.join(ids)}): {why}" for why, ids in sorted(missing.items())
    ]
    if not found and not remarks:
        remarks.append("There is no case to show.")
    return Viewer(tuple(view(seen, why, points) for why, seen in found), tuple(remarks))


def view(seen: CaseTraces, why: str, points: int = MOST_LINE_POINTS) -> ViewedCase:
    """One case, at most ``points`` a line. Features without any sample are named only."""
    shown = [trace for trace in seen.traces if len(trace.raw_times)]
    step = -(-len(seen.windows) // MOST_WINDOWS) or 1
    absent = tuple(
        f"{trace.name} = {_short(float(trace.signal[0])):g} {trace.unit}".rstrip()
        for trace in seen.traces
        if not len(trace.raw_times) and len(trace.signal)
    )
    return ViewedCase(
        case_id=seen.case_id,
        why=why,
        seconds=seen.seconds,
        window_count=len(seen.windows),
        window_step=step,
        windows=seen.windows[::step],
        remarks=seen.remarks,
        traces=tuple(_view_trace(trace, points, seen.step_seconds) for trace in shown),
        imputed_features=absent,
    )


def _view_trace(trace: Trace, points: int, step_seconds: float) -> ViewedTrace:
    sound = np.isfinite(trace.raw_values) & np.isfinite(trace.raw_times)
    order = np.argsort(trace.raw_times[sound], kind="stable")
    raw_times, raw_values = thin(trace.raw_times[sound][order], trace.raw_values[sound][order], points)
    places, signal_values = thin(*_steps(trace.signal), points)
    return ViewedTrace(
        name=trace.name,
        unit=trace.unit,
        minimum=trace.minimum,
        maximum=trace.maximum,
        sources=trace.sources,
        samples=len(trace.raw_times),
        measured_share=float(np.mean(trace.measured)) if len(trace.measured) else 0.0,
        raw_times=tuple(round(value, 1) for value in raw_times.tolist()),
        raw_values=tuple(_short(value) for value in raw_values.tolist()),
        signal_times=tuple((places * step_seconds).tolist()),
        signal_values=tuple(_short(value) for value in signal_values.tolist()),
        imputed=tuple((start * step_seconds, end * step_seconds) for start, end in stretches(~trace.measured)),
    )


def thin(times: Floats, values: Floats, most: int) -> tuple[Floats, Floats]:
    """At most ``most`` of the points [n]: of each of ``most / 2`` equal spans of time the lowest and the highest, so
    that no spike is lost.

    >>> times, values = thin(np.arange(1000.0), np.where(np.arange(1000) == 777, 9.0, 1.0), 100)
    >>> len(times) <= 100, 777.0 in times
    (True, True)
    """
    if len(times) <= most:
        return times, values
    spans = most // 2
    edges = np.linspace(times[0], times[-1], spans + 1)[1:-1]
    starts = np.concatenate([[0], np.searchsorted(times, edges), [len(times)]])
    kept = set()
    for first, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        if end > first:
            kept |= {first + int(values[first:end].argmin()), first + int(values[first:end].argmax())}
    chosen = np.array(sorted(kept))
    return times[chosen], values[chosen]


def _steps(signal: Floats) -> tuple[Floats, Floats]:
    """The places in which the signal [T] changes, its first and its last, with their values."""
    starts = np.flatnonzero(np.diff(signal, prepend=np.nan) != 0)
    places = np.unique(np.append(starts, max(0, len(signal) - 1)))[: len(signal)]
    places = places[np.isfinite(signal[places])]
    return places.astype(np.float64), signal[places]


def stretches(mask: NDArray[np.bool_], most: int = MOST_STRETCHES) -> tuple[tuple[int, int], ...]:
    """Where the mask [T] holds, as [start, end); of more than ``most`` the longest.

    >>> stretches(np.array([True, True, False, True]))
    ((0, 2), (3, 4))
    """
    changes = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    found = list(zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True))
    longest = sorted(found, key=lambda item: (item[0] - item[1], item[0]))[:most]
    return tuple(sorted(longest))


def _short(value: float) -> float:
    """Four digits are more than a screen shows."""
    return float(f"{value:.4g}")


def odd_lines(oddities: Sequence[Oddity], viewer: Viewer) -> tuple[OddLine, ...]:
    """The oddest cases, with whether the viewer shows them."""
    shown = {case.case_id for case in viewer.cases}
    return tuple(OddLine(item.case_id, item.score, item.words, item.case_id in shown) for item in oddities)
