"""The charts as Vega-Lite specifications (https://vega.github.io/vega-lite); colours are the page's own CSS variables.

Names and texts that come from the source stand in data and titles only, never in an expression.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from core.report.model import AttemptLine, Work
from core.report.words import share
from core.reporting import Distribution

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MOST_WORKERS = 60
"""Rows of the time line; the workers with the most attempts come first."""

END_COLOURS = {
    "finished": "var(--good)",
    "reclaimed": "var(--warn)",
    "interrupted": "var(--warn)",
    "timed out": "var(--bad)",
    "crashed": "var(--bad)",
    "transient": "var(--odd)",
    "no record": "var(--faint)",
}


def distribution_spec(item: Distribution) -> Spec:
    """A histogram over the feature's range, with what is outside it as a bar of its own at either side."""
    width = item.edges[1] - item.edges[0] if len(item.edges) > 1 else 1.0
    rows = [
        {"from": item.edges[place], "to": item.edges[place + 1], "count": count, "where": "in its range"}
        for place, count in enumerate(item.counts)
        if count
    ]
    low, high = item.edges[0], item.edges[-1]
    gap = width / 2
    if item.below:
        rows.append({"from": low - gap - 2 * width, "to": low - gap, "count": item.below, "where": "below its range"})
    if item.above:
        rows.append({"from": high + gap, "to": high + gap + 2 * width, "count": item.above, "where": "above its range"})
    bounds = [{"at": bound} for bound in (item.minimum, item.maximum) if bound is not None]
    x = {"type": "quantitative", "title": None, "scale": {"domain": [low - 3 * width, high + 3 * width], "nice": False}}
    bars: Spec = {
        "data": {"values": rows},
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": "from", **x, "axis": {"grid": False, "tickCount": 5}},
            "x2": {"field": "to"},
            "y": {
                "field": "count",
                "type": "quantitative",
                "title": None,
                "axis": {"tickCount": 2, "format": "~s", "domain": False, "ticks": False},
            },
            "y2": {"datum": 0},
            "color": {
                "field": "where",
                "type": "nominal",
                "legend": None,
                "scale": {
                    "domain": ["in its range", "below its range", "above its range"],
                    "range": ["var(--accent)", "var(--warn)", "var(--warn)"],
                },
            },
            "tooltip": [
                {"field": "from", "type": "quantitative", "format": ".4~g"},
                {"field": "to", "type": "quantitative", "format": ".4~g"},
                {"field": "count", "type": "quantitative", "format": ","},
                {"field": "where", "type": "nominal"},
            ],
        },
    }
    rules: Spec = {
        "data": {"values": bounds},
        "mark": {"type": "rule", "strokeDash": [3, 3], "color": "var(--faint)"},
        "encoding": {"x": {"field": "at", "type": "quantitative"}},
    }
    return {
        "$schema": SCHEMA,
        "description": distribution_words(item),
        "width": "container",
        "height": 90,
        "layer": [bars, rules] if bounds else [bars],
    }


def distribution_words(item: Distribution) -> str:
    """The chart in words."""
    total = sum(item.counts) + item.below + item.above
    if not total:
        return f"{item.name}: never measured."
    place = max(range(len(item.counts)), key=lambda place: item.counts[place])
    unit = f" {item.unit}" if item.unit not in ("", "–") else ""
    most = f"most often {item.edges[place]:g} to {item.edges[place + 1]:g}{unit}"
    outside = f"{share(item.below / total)} below and {share(item.above / total)} above"
    return f"Distribution of {item.name}: {most}; {outside} {item.edges[0]:g} to {item.edges[-1]:g}{unit}."


def timeline_spec(work: Work) -> Spec:
    """A row for each worker (partition), a bar for each of its attempts, coloured by how it ended."""
    shown = timeline_attempts(work)
    scale = 60.0 if work.attempts and max(line.end for line in work.attempts) >= 600 else 1.0
    rows = [
        {
            "worker": line.partition,
            "attempt": line.attempt,
            "from": round(line.start / scale, 3),
            "to": round(max(line.end, line.start) / scale, 3),
            "ended": line.why,
            "cases": line.cases,
            "place": line.place,
        }
        for line in shown
    ]
    ends = [why for why in END_COLOURS if any(line.why == why for line in shown)]
    count = len({line.partition for line in shown})
    return {
        "$schema": SCHEMA,
        "description": timeline_words(work),
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": (18 if count <= 30 else 10) * count,
        "data": {"values": rows},
        "mark": {"type": "bar", "cornerRadius": 2, "stroke": "var(--paper)", "strokeWidth": 0.5},
        "encoding": {
            "y": {
                "field": "worker",
                "type": "ordinal",
                "title": "worker",
                "axis": {"labelOverlap": True, "ticks": False, "domain": False},
            },
            "x": {
                "field": "from",
                "type": "quantitative",
                "title": "minutes since the first start" if scale > 1 else "seconds since the first start",
            },
            "x2": {"field": "to"},
            "color": {
                "field": "ended",
                "type": "nominal",
                "title": "ended",
                "scale": {"domain": ends, "range": [END_COLOURS[why] for why in ends]},
                "legend": {"orient": "top"},
            },
            "tooltip": [
                {"field": name, "type": "nominal"}
                for name in ("worker", "attempt", "from", "to", "ended", "cases", "place")
            ],
        },
    }


def timeline_attempts(work: Work) -> Sequence[AttemptLine]:
    """The attempts that the time line shows."""
    attempts = Counter(line.partition for line in work.attempts)
    chosen = {
        partition for partition, _ in sorted(attempts.items(), key=lambda item: (-item[1], item[0]))[:MOST_WORKERS]
    }
    return [line for line in work.attempts if line.partition in chosen]


def timeline_words(work: Work) -> str:
    """The chart in words."""
    ends = ", ".join(f"{line.attempts:,} {line.why}" for line in work.ends)
    workers = len({line.partition for line in work.attempts})
    return f"Time line of {workers:,} workers and their {len(work.attempts):,} attempts: {ends}."
