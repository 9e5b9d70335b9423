"""Augmentation of paths: noise, then a rotation about the camera's axis, then a translation (spec/trajectory)."""

from __future__ import annotations

import numpy as np

from core.workloads.trajectory.arithmetic import Floats, cosine_sine, normals

SIGMA = (0.002, 0.006)
CLASSIC_SIGMA = (0.01, 0.03)
"""Standard deviation of the noise, uniform between the two; that of older data stands in issue 8."""

MOST_TURNS = 15.0 / 360.0
MOST_TRANSLATION = 0.1
FIRST_NUMBER = 9
"""Where the augmentation's six uniform numbers begin among a sample's parameters; those before are the path's."""


def noise_numbers(frames: int) -> int:
    """Uniform numbers that the noise of one path takes: an even number, at least one for each coordinate."""
    return 2 * -(-frames * 3 // 2)


def sigma_of(classic: bool) -> tuple[float, float]:
    """The least and the largest standard deviation of the noise."""
    return CLASSIC_SIGMA if classic else SIGMA


def augment(points: Floats, parameters: Floats, noise: Floats, probability: float, classic: bool) -> Floats:
    """Points [n, frames, 3], some of them augmented.

    ``parameters`` [n, 20] and ``noise`` [n, noise_numbers(frames)] are the samples' uniform numbers. The decision and
    every figure are drawn for each sample, augmented or not, so that no number depends on another's use.
    """
    chosen, sigma, angle, *translation = (parameters[:, FIRST_NUMBER + at, None] for at in range(6))
    count, frames, _ = points.shape
    low, high = sigma_of(classic)
    shaken = normals(noise)[:, : frames * 3].reshape(count, frames, 3) * (low + (high - low) * sigma)[..., None]
    x, y, z = (points[..., axis] + shaken[..., axis] for axis in range(3))
    cosine, sine = cosine_sine((angle * 2.0 - 1.0) * MOST_TURNS)
    shift = [(number * 2.0 - 1.0) * MOST_TRANSLATION for number in translation]
    moved = np.stack([x * cosine - y * sine + shift[0], x * sine + y * cosine + shift[1], z + shift[2]], axis=2)
    return np.where((chosen < probability)[..., None], moved, points)
