"""Whether each path has the form of its class (spec/trajectory, "Quality gates"), as figures that add up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.workloads.trajectory.classes import PathClass
from core.workloads.trajectory.configuration import Configuration

Floats = NDArray[np.float64]

MOST_CHORD_DISTANCE = 0.1
CLASSIC_CHORD_DISTANCE = 0.3
"""Noise of sigma 0.03 takes 1 % of older data's lines beyond 0.1 at 8 frames, 13 % at 256; beyond 0.3, no point in
10^10: it and the chord's two ends differ by a normal variable of variance 2 sigma² at most on each axis."""

MOST_CIRCULAR_DEVIATION = 0.1
MOST_HELICAL_DEVIATION = 0.15
LEAST_RISE = 0.01
NO_NUMBER = 1e300
"""Stands for what is not finite: JSON has no infinity."""

SURE_RISE, CLASSIC_SURE_RISE = 0.4, 0.25
"""A helix moves by 0.5 or more along z; this is left after noise. Over many frames it is less than 0.01 for each."""


@dataclass(frozen=True)
class ShapeFigures:
    """Paths that miss the limit of their class, and the worst figure of each kind."""

    counts: dict[str, int]
    largest: dict[str, float]


def most_chord_distance(configuration: Configuration) -> float:
    """How far from its chord a point of a line may be: 0.1, and more only with older data's noise."""
    return CLASSIC_CHORD_DISTANCE if configuration.classic else MOST_CHORD_DISTANCE


def least_rise(configuration: Configuration) -> float:
    """The least mean step along z of a helix by frame: 0.01, and less only where many frames leave no room for it."""
    sure = CLASSIC_SURE_RISE if configuration.classic else SURE_RISE
    return min(LEAST_RISE, sure / (configuration.frames - 1))


def shape_figures(points: Floats, labels: NDArray[np.int64], configuration: Configuration) -> ShapeFigures:
    """Figures of paths [n, frames, 3]; a path that is not finite misses its limit."""
    linear, circular, helical = (
        points[labels == kind] for kind in (PathClass.LINEAR, PathClass.CIRCULAR, PathClass.HELICAL)
    )
    # The last point of a closed circle is its first; two of one place would pull the centre there.
    chord = chord_distance(linear)
    circle = radius_deviation(circular if configuration.open_circle else circular[:, :-1])
    helix = radius_deviation(helical[:, :-1])
    rise = np.abs(helical[:, -1, 2] - helical[:, 0, 2]) / (configuration.frames - 1)
    return ShapeFigures(
        counts={
            "linear_off_chord": _missed(chord < most_chord_distance(configuration)),
            "circular_off_radius": _missed(circle < MOST_CIRCULAR_DEVIATION),
            "helical_off_radius": _missed(helix < MOST_HELICAL_DEVIATION),
            "helical_without_rise": _missed(rise > least_rise(configuration)),
        },
        largest={
            "linear_chord_distance": _worst(chord),
            "circular_deviation": _worst(circle),
            "helical_deviation": _worst(helix),
            "helical_rise_negated": _worst(-rise),
        },
    )


def chord_distance(points: Floats) -> Floats:
    """The largest distance [n] of a path's points [n, frames, 3] from the line through its first and last one."""
    along = points[:, -1:] - points[:, :1]
    away = points - points[:, :1]
    length = (along * along).sum(axis=2)
    share = (away * along).sum(axis=2) / np.maximum(length, 1e-12)
    off = away - share[..., None] * along
    distance: Floats = np.sqrt((off * off).sum(axis=2)).max(axis=1)
    return distance


def radius_deviation(points: Floats) -> Floats:
    """The standard deviation [n] of the points' distances from their mean in the x-y plane."""
    plane = points[..., :2]
    off = plane - plane.mean(axis=1, keepdims=True)
    deviation: Floats = np.sqrt((off * off).sum(axis=2)).std(axis=1)
    return deviation


def _missed(good: NDArray[np.bool_]) -> int:
    return int((~good).sum())


def _worst(values: Floats) -> float:
    return float(np.nan_to_num(values, nan=NO_NUMBER, posinf=NO_NUMBER).max(initial=-NO_NUMBER))
