"""The picture of docs/performance.md: where the time of a whole case goes, before and now."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import vl_convert
from pydantic import BaseModel, ConfigDict

from benchmarks.flame import FILE_READING
from benchmarks.table import Results
from core.recording.writer import Layout

BEFORE = Path(__file__).with_name("before.json")
PICTURE = Path(__file__).parents[1] / "docs" / "performance.svg"

REST = "cleaning, grid, windows, packing, GZIP, writing"
READING = "from the file to the reader"
STAGES = (READING, "inflating", "SHA-256 of the records", REST)

_MEASURED = {"inflating": "our inflate", "SHA-256 of the records": "hash"}
"""Stages that are contestants of their own, by the names of their times."""

_COLOURS = ("#b35806", "#7f8fa9", "#542788", "#1b7837")


class Stages(BaseModel):
    """Milliseconds of processor time of a whole case, by layout and stage, and what they were measured with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    casemill: str
    processor: str
    milliseconds: dict[str, dict[str, float]]


def stages_of(results: Results) -> Stages:
    """The median of a whole case, divided by what was measured beside it; reading the file as the profile says.

    Raises
    ------
    KeyError
        The result has no profile, or not all layouts.
    """
    parts = {part.name: part for part in results.parts}
    shares = {found.what: found.figure / 100 for found in parts["profile"].lines}
    found = {}
    for layout in Layout:
        times = parts[layout.value].times
        whole = median(times["ours"]) * 1e3
        prefix = f"{layout.value.replace('_', ' ')}: "
        read = sum(share for what, share in shares.items() if what.startswith(prefix) and what.endswith(FILE_READING))
        stages = {READING: read * whole}
        stages |= {stage: median(times[name]) * 1e3 for stage, name in _MEASURED.items()}
        found[layout.value] = {stage: round(spent, 2) for stage, spent in stages.items()}
        found[layout.value][REST] = round(whole - sum(stages.values()), 2)
    return Stages(casemill=results.machine["casemill"], processor=results.machine["processor"], milliseconds=found)


def chart(before: Stages, now: Stages) -> dict[str, Any]:
    """A Vega-Lite chart: for each layout a bar before and a bar now, cut into stages."""
    rows = [
        {"layout": layout.replace("_", " "), "when": when, "stage": stage, "order": order, "ms": figure}
        for when, stages in (("before", before), ("now", now))
        for layout, figures in sorted(stages.milliseconds.items())
        for order, (stage, figure) in enumerate(figures.items())
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "data": {"values": rows},
        "mark": "bar",
        "width": 560,
        "height": 52,
        "encoding": {
            "row": {"field": "layout", "title": None, "header": {"labelAngle": 0, "labelAlign": "left"}},
            "y": {"field": "when", "title": None, "sort": ["before", "now"]},
            "x": {"field": "ms", "type": "quantitative", "title": "processor time of a whole case of 3 h, ms"},
            "color": {
                "field": "stage",
                "title": None,
                "scale": {"domain": list(STAGES), "range": list(_COLOURS)},
                "legend": {"orient": "bottom", "columns": 2, "labelLimit": 400},
            },
            "order": {"field": "order"},
        },
    }


def write_picture(results: Results, path: Path = PICTURE) -> None:
    """The stages of the stored ``before.json`` beside those of a result, as SVG."""
    before = Stages.model_validate_json(BEFORE.read_bytes())
    path.write_text(vl_convert.vegalite_to_svg(chart(before, stages_of(results))) + "\n", encoding="utf-8")
