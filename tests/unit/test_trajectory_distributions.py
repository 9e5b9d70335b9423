"""Paths as they are written, held against the distributions of spec/trajectory, which stand here once more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest, norm, uniform

from core.workloads.trajectory.augmentation import augment, noise_numbers
from core.workloads.trajectory.classes import PathClass
from core.workloads.trajectory.configuration import resolve_configuration
from core.workloads.trajectory.examples import place_scenes
from core.workloads.trajectory.streams import PARAMETERS, Purpose, uniforms

Floats = NDArray[np.float64]
Measured = dict[str, tuple[Floats, Callable[[Floats], Floats]]]

SAMPLES_OF_A_CLASS = 10_000
LEAST_PROBABILITY = 1e-4
"""About 50 tests at fixed seeds: a right generator would fail one of them in 1 of 200 choices of the seeds."""


def between(low: float, high: float) -> Callable[[Floats], Floats]:
    """The distribution function of U(low, high)."""
    return uniform(low, high - low).cdf  # type: ignore[no-any-return]


def displacement(values: Floats) -> Floats:
    """The distribution function of U(-0.3, 0.3) among the values of at least 0.11 in size."""
    size = np.clip((np.abs(values) - 0.11) / 0.19, 0.0, 1.0)
    return np.where(values < 0, 0.5 - 0.5 * size, 0.5 + 0.5 * size)


def linear(points: Floats, classic: bool) -> Measured:
    start, moved = points[:, 0], points[:, -1] - points[:, 0]
    law = between(-0.3, 0.3) if classic else displacement
    return {
        "x": (start[:, 0], between(-0.5, 0.5)),
        "y": (start[:, 1], between(-0.5, 0.5)),
        "z": (start[:, 2], between(1.5, 2.5)),
        **{f"d{axis}": (moved[:, at], law) for at, axis in enumerate("xyz")},
    }


def turning(points: Floats) -> tuple[Floats, Floats]:
    """Centre and radius; the last point is left out because it may stand at the first one's place."""
    centre = points[:, :-1, :2].mean(axis=1)
    return centre, np.linalg.norm(points[:, 0, :2] - centre, axis=1)


def circular(points: Floats, classic: bool) -> Measured:
    centre, radius = turning(points)
    return {
        "radius": (radius, between(0.3, 0.6)),
        "centre x": (centre[:, 0], between(-0.2, 0.2)),
        "centre y": (centre[:, 1], between(-0.2, 0.2)),
        "z": (points[:, 3, 2], between(1.8, 2.2)),
    }


def helical(points: Floats, classic: bool) -> Measured:
    centre, radius = turning(points)
    return {
        "radius": (radius, between(0.3, 0.5)),
        "centre x": (centre[:, 0], between(-0.2, 0.2)),
        "centre y": (centre[:, 1], between(-0.2, 0.2)),
        "first z": (points[:, 0, 2], between(1.5, 2.0)),
        "last z": (points[:, -1, 2], between(2.5, 3.0)),
    }


def parabolic(points: Floats, classic: bool) -> Measured:
    first, steps = points[:, 0], points.shape[1] - 1
    # Second differences of a parabola are constant; taken over the whole path, rounding to float32 does not show.
    pulled = (points[:, 0] - points[:, 3] - points[:, 4] + points[:, -1]) * steps**2 / 12
    thrown = points[:, -1] - first - pulled / 2
    free, bent = (1, 2) if classic else (2, 1)
    measured: Measured = {
        "x0": (first[:, 0], between(-0.3, 0.3)),
        "y0": (first[:, 1], between(-0.3, 0.3)),
        "z0": (first[:, 2], between(2.0, 2.3)),
        "vx": (thrown[:, 0], between(0.3, 0.8)),
        "vy": (thrown[:, 1], between(-0.2, 0.2)),
        "vz": (thrown[:, 2], between(0.2, 0.6)),
        "g": (pulled[:, bent] * (-1 if classic else 1), between(0.8, 1.5)),
    }
    assert np.abs(pulled[:, (0, free)]).max() < 1e-4
    return measured


MEASURES: dict[PathClass, Callable[[Floats, bool], Measured]] = {
    PathClass.LINEAR: linear,
    PathClass.CIRCULAR: circular,
    PathClass.HELICAL: helical,
    PathClass.PARABOLIC: parabolic,
}


@pytest.mark.parametrize("preset", ["default", "classic"])
@pytest.mark.parametrize("kind", PathClass)
def test_parameters_of_written_paths_follow_the_specification(kind: PathClass, preset: str) -> None:
    configuration = resolve_configuration({"augment": 0, "preset": preset, "seed": 2024})
    samples = np.arange(kind, kind + 4 * SAMPLES_OF_A_CLASS, 4)
    points = place_scenes(configuration, samples).points.astype(np.float64)
    measured = MEASURES[kind](points, preset == "classic")
    for name, (values, law) in measured.items():
        assert kstest(values, law).pvalue > LEAST_PROBABILITY, name
    # Parameters are independent of each other.
    table = np.corrcoef([values for values, _ in measured.values()])
    assert np.abs(table - np.eye(len(table))).max() < 0.05


def augmented_numbers() -> tuple[Floats, Floats]:
    samples = np.arange(SAMPLES_OF_A_CLASS)
    return (
        uniforms(11, samples, 0, Purpose.PARAMETERS, PARAMETERS),
        uniforms(11, samples, 0, Purpose.NOISE, noise_numbers(8)),
    )


def test_augmentation_turns_and_moves_as_specified() -> None:
    parameters, noise = augmented_numbers()
    points = np.broadcast_to(np.array([[0.0, 0.0, 2.0], [1.0, 0.0, 2.0]]).repeat(4, axis=0), (len(noise), 8, 3))
    moved = augment(points, parameters, np.zeros_like(noise), 1.0, classic=False)  # 0 gives no noise
    arm = moved[:, 4] - moved[:, 0]
    assert kstest(np.degrees(np.arctan2(arm[:, 1], arm[:, 0])), between(-15, 15)).pvalue > LEAST_PROBABILITY
    for axis, before in enumerate((0.0, 0.0, 2.0)):
        assert kstest(moved[:, 0, axis] - before, between(-0.1, 0.1)).pvalue > LEAST_PROBABILITY


@pytest.mark.parametrize(("classic", "low", "high"), [(False, 0.002, 0.006), (True, 0.01, 0.03)])
def test_noise_is_normal_with_the_specified_sigma(classic: bool, low: float, high: float) -> None:
    parameters, noise = augmented_numbers()
    still = parameters.copy()
    still[:, 11:15] = 0.5  # neither turned nor moved
    shaken = augment(np.zeros((len(noise), 8, 3)), still, noise, 1.0, classic)
    sigma = low + (high - low) * parameters[:, 10]
    standard = (shaken / sigma[:, None, None]).reshape(-1)
    assert kstest(standard, norm.cdf).pvalue > LEAST_PROBABILITY
    assert abs(np.corrcoef(standard[:-1], standard[1:])[0, 1]) < 0.01
    measured = shaken.reshape(len(noise), -1).std(axis=1)
    assert abs(measured.mean() - (low + high) / 2 * (1 - 1 / 48)) < (high - low) / 50


def test_half_of_the_paths_are_augmented() -> None:
    samples = np.arange(SAMPLES_OF_A_CLASS)
    plain, half = (place_scenes(resolve_configuration({"augment": share}), samples).points for share in (0, 0.5))
    share = (plain != half).any(axis=(1, 2)).mean()
    assert abs(share - 0.5) < 0.02


STATED_SHARES = {
    PathClass.LINEAR: (6.5, 15.5),
    PathClass.CIRCULAR: (10.6, 39.0),
    PathClass.HELICAL: (4.0, 27.3),
    PathClass.PARABOLIC: (10.5, 42.6),
}
"""Border points of older data: % of points and of videos (issue 8)."""


NOT_QUITE = {PathClass.CIRCULAR: 1.5, PathClass.HELICAL: 1.5}


def test_classic_reproduces_the_border_points_of_older_data() -> None:
    """A border point is one that is clipped to [0, 31]. Six of the eight shares are met within one percentage point.

    The shares of videos are 37.8 % for circles and 28.4 % for helices (of 1.2 million samples), 1.2 below and 1.1 above
    the stated ones. No reading with the stated augmentation meets both (docs/trajectory.md, "classic").
    """
    configuration = resolve_configuration({"preset": "classic", "seed": 7})
    blocks = [place_scenes(configuration, np.arange(first, first + 8_000)) for first in range(0, 80_000, 8_000)]
    projected = np.concatenate([block.projected for block in blocks])
    at_border = ((projected <= 0) | (projected >= 31)).any(axis=2)
    for kind, (points, videos) in STATED_SHARES.items():
        own = at_border[kind::4]
        assert abs(100 * own.mean() - points) < 1.0, kind
        assert abs(100 * own.any(axis=1).mean() - videos) < NOT_QUITE.get(kind, 1.0), kind
