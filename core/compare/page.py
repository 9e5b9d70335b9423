"""The page of a comparison: one self-contained HTML file. The data is the comparison, the looks are the template's."""

from __future__ import annotations

from pathlib import Path

import jinja2
import numpy as np

from core.compare import text
from core.compare.comparison import Comparison, FeatureChange, FeatureSide
from core.compare.drift import LARGE_SHIFT, SMALL_SHIFT

MOST_BARS = 26
FULL_BAR_PSI = 2 * LARGE_SHIFT
"""The bar of an index of this or more is full."""


def comparison_page(comparison: Comparison) -> str:
    """HTML; everything that a document says is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    return template.render(
        comparison=comparison,
        text=text,
        bars=bars,
        psi_width=psi_width,
        figure_names=figure_names(comparison),
        small_shift=SMALL_SHIFT,
        large_shift=LARGE_SHIFT,
    )


def bars(change: FeatureChange) -> tuple[list[int], list[int]]:
    """Heights in percent of the bins of both sides, neighbours joined to at most :data:`MOST_BARS`; on one scale."""
    joined = [_joined(side) for side in (change.first, change.second)]
    highest = max((height for heights in joined for height in heights), default=0.0)
    first, second = ([round(100 * height / highest) if highest else 0 for height in heights] for heights in joined)
    return first, second


def _joined(side: FeatureSide) -> list[float]:
    shares = np.array(side.shares)
    if not shares.sum():
        return []
    width = -(-len(shares) // MOST_BARS)
    return [float(part) for part in np.add.reduceat(shares, np.arange(0, len(shares), width))]


def psi_width(change: FeatureChange) -> int:
    """The length of the bar of the stability index, in percent."""
    return round(100 * min((change.psi or 0.0) / FULL_BAR_PSI, 1.0))


def figure_names(comparison: Comparison) -> list[str]:
    """Every figure that a workload gives of some feature."""
    sides = [side.figures for change in comparison.features for side in (change.first, change.second)]
    return list(dict.fromkeys(name for figures in sides for name in figures))
