"""The pinhole camera: where it stands, how long its focal length is, and what it sees.

A camera is (focal length in px, x, y, z); it looks along +z without rotation, its principal point is the middle of the
frame. Coordinates in the picture run from 0 at the left and upper edge to ``image`` at the others; pixel k reaches from
k to k + 1. A point counts as in the frame from 0 to ``image - 1``, which is the border to which older data clipped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.workloads.trajectory.arithmetic import Floats

FILL = 0.7
"""Share of the frame's side that the longer side of the path's bounding box takes."""

LEAST_FOCAL, MOST_FOCAL = 50.0 / 32.0, 500.0 / 32.0
"""Focal length as a share of the frame's side: 50 to 500 px at 32 px (spec/trajectory), the same view at others."""

NEAREST = 0.2
"""How near to the camera a point may come along z."""


def fixed_cameras(count: int, focal_px: float) -> Floats:
    """Cameras [n, 4] at the origin."""
    return np.broadcast_to(np.array([focal_px, 0.0, 0.0, 0.0]), (count, 4))


def framing_cameras(points: Floats, image: int) -> Floats:
    """Cameras [n, 4] for paths [n, frames, 3], such that each fills 70 % of its frame and stands in its middle.

    Let ``slope`` be the least tangent of half the angle of view that takes in all points. Two points with coordinates
    a > b at depths d and e need (a - b)/(d + e) or more, from the place between them that suits both; the largest of
    all pairs on both axes suits all (it is the solution of the linear program, Helly's theorem on a line). The focal
    length follows from it. Where that is too short or too long, the camera moves along z to where the bound suits.
    """
    half = FILL / 2.0
    slope = np.maximum(_slope(points[..., 0], points[..., 2]), _slope(points[..., 1], points[..., 2]))
    # A path without any extent would have an endless focal length.
    suits = half / np.maximum(slope, 1e-9)
    focal = np.minimum(np.maximum(suits, LEAST_FOCAL), MOST_FOCAL)
    z = np.where(focal == suits, 0.0, _place(points, half / focal))
    depth = points[..., 2] - z[:, None]
    x, y = (_middle(points[..., axis], depth) for axis in (0, 1))
    return np.stack([focal * image, x, y, z], axis=1)


def project(points: Floats, cameras: Floats, image: int) -> Floats:
    """Where points [n, frames, 3] stand in the picture, [n, frames, 2], right and down in px."""
    depth = points[..., 2:] - cameras[:, None, 3:]
    return cameras[:, None, :1] * (points[..., :2] - cameras[:, None, 1:3]) / depth + image / 2.0


def in_frame(projected: Floats, image: int) -> NDArray[np.bool_]:
    """Whether each point [n, frames, 2] is in the frame, [n, frames]."""
    inside = (projected >= 0.0) & (projected <= image - 1.0)
    return inside[..., 0] & inside[..., 1]


def _slope(values: Floats, depth: Floats) -> Floats:
    """The least slope [n] that takes in all of ``values`` [n, frames] on one axis."""
    slope: Floats = np.zeros(len(values))
    for at in range(values.shape[1]):
        pairs = (values - values[:, at, None]) / (depth + depth[:, at, None])
        slope = np.maximum(slope, pairs.max(axis=1))
    return slope


def _place(points: Floats, slope: Floats) -> Floats:
    """The farthest z [n] of a camera that takes in all points with that slope, before the nearest of them."""
    depth = points[..., 2]
    z: Floats = depth.min(axis=1) - NEAREST
    for axis in (0, 1):
        values = points[..., axis]
        for at in range(values.shape[1]):
            middle = (depth + depth[:, at, None]) * 0.5
            z = np.minimum(z, (middle - (values - values[:, at, None]) / (slope[:, None] * 2.0)).min(axis=1))
    return z


def _middle(values: Floats, depth: Floats) -> Floats:
    """The place [n] on one axis from which both ends of the path are equally far from the middle of the frame."""
    slope = _slope(values, depth)[:, None]
    low, high = (values - slope * depth).max(axis=1), (values + slope * depth).min(axis=1)
    middle: Floats = (low + high) * 0.5 + 0.0
    return middle
