"""The quality gates: what the figures of a whole data set must be like (spec/trajectory, "Quality gates")."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.judging import Gate
from core.workloads.trajectory.audit import NUMBER_BITS, AuditFigures, hash_numbers
from core.workloads.trajectory.classes import CLASS_NAMES
from core.workloads.trajectory.configuration import Configuration, OutOfFrame
from core.workloads.trajectory.shape_figures import (
    MOST_CIRCULAR_DEVIATION,
    MOST_HELICAL_DEVIATION,
    NO_NUMBER,
    least_rise,
    most_chord_distance,
)

MOST_DUPLICATES = 0.01
MOST_STILL = 0.05
MOST_PROJECTION_ERROR_PX = 0.01
MOST_DOT_ERROR_PX = 0.1
_NUMBERS_AT_ONCE = 1 << 20
_DONE = {OutOfFrame.MASK: "not shown", OutOfFrame.CLIP: "moved to the border"}


def judge(figures: AuditFigures, configuration: Configuration) -> tuple[Gate, ...]:
    """Every gate with its figure. ``figures`` are those of the whole data set; nothing at all passes no gate."""
    return (
        *_rows(figures, configuration),
        *_pictures(figures),
        *_views(figures, configuration),
        *_shapes(figures, configuration),
    )


def _rows(figures: AuditFigures, configuration: Configuration) -> Iterator[Gate]:
    counts, samples = figures.counts, configuration.samples
    yield Gate("rows", counts["rows"] == samples, counts["rows"], f"exactly {samples:,}")
    same = counts["rows"] == samples and counts["numbers_hash"] == _hash_of_all(samples)
    yield Gate("each sample once", same, float(not same), "samples 0 to the last, each once (0 is yes)")
    by_class = [counts[f"rows_{name}"] for name in CLASS_NAMES]
    off = max(abs(4 * count - samples) for count in by_class) / 4
    yield Gate("balance", off <= 1, off, "each class within 1 of samples/4")
    yield Gate("labels", counts["mislabelled"] == 0, counts["mislabelled"], "label is sample mod 4, without exception")


def _hash_of_all(samples: int) -> int:
    pieces = (
        hash_numbers(np.arange(first, min(first + _NUMBERS_AT_ONCE, samples)))
        for first in range(0, samples, _NUMBERS_AT_ONCE)
    )
    return sum(pieces) % (1 << NUMBER_BITS)


def _pictures(figures: AuditFigures) -> Iterator[Gate]:
    share = figures.videos.duplicate_share
    yield Gate("duplicates", share < MOST_DUPLICATES, share, f"below {MOST_DUPLICATES:.0%} of the videos")
    still = figures.counts["still_frames"] / max(figures.counts["frame_pairs"], 1)
    yield Gate("still frames", still < MOST_STILL, still, f"below {MOST_STILL:.0%} of the frames after the first")
    error = figures.largest["dot_error_px"]
    wanted = f"at most {MOST_DOT_ERROR_PX:g} px between the disc and its point"
    yield Gate("disc in place", error <= MOST_DOT_ERROR_PX, error, wanted)


def _views(figures: AuditFigures, configuration: Configuration) -> Iterator[Gate]:
    counts = figures.counts
    visible = counts["points_visible"] / max(counts["points"], 1)
    if configuration.out_of_frame is OutOfFrame.REJECT:
        yield Gate("visible", counts["points_visible"] == counts["points"], visible, "100 % of the points")
    else:
        yield Gate("visible", True, visible, f"none: points out of frame are {_DONE[configuration.out_of_frame]}")
    wrong = counts["points_misflagged"]
    yield Gate("visible flags", wrong == 0, wrong, "the flag is what the camera sees, without exception")
    yield Gate("finite", counts["not_finite"] == 0, counts["not_finite"], "every number")
    yield Gate("in range", counts["out_of_range"] == 0, counts["out_of_range"], "every example")
    error = figures.largest["projection_error_px"]
    wanted = f"at most {MOST_PROJECTION_ERROR_PX:g} px between projected and the camera's view of the path"
    yield Gate("projection", error <= MOST_PROJECTION_ERROR_PX, error, wanted)


def _shapes(figures: AuditFigures, configuration: Configuration) -> Iterator[Gate]:
    """The worst path decides."""
    chord = f"below {most_chord_distance(configuration):g}"
    rise = f"above {least_rise(configuration):.3g} a frame"
    for name, counted, figure, sign, limit in (
        ("linear: distance to chord", "linear_off_chord", "linear_chord_distance", 1, chord),
        ("circular: std of radius", "circular_off_radius", "circular_deviation", 1, f"below {MOST_CIRCULAR_DEVIATION}"),
        ("helical: std of radius", "helical_off_radius", "helical_deviation", 1, f"below {MOST_HELICAL_DEVIATION}"),
        ("helical: mean step along z", "helical_without_rise", "helical_rise_negated", -1, rise),
    ):
        yield Gate(name, figures.counts[counted] == 0, sign * _known(figures.largest[figure]), f"{limit}, every path")


def _known(figure: float) -> float:
    """The figure of no path at all is 0."""
    return 0.0 if figure == -NO_NUMBER else figure
