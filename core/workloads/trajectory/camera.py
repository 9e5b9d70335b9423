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

MOST_OFFSET = 0.05
"""How far the middle of the path is from that of the frame, as a share of the frame's side; the disc stays inside.

Were each path exactly in the middle, all circles without augmentation would be one and the same video: 12.5 % of all.
"""

LEAST_FOCAL, MOST_FOCAL = 50.0 / 32.0, 500.0 / 32.0
"""Focal length as a share of the frame's side: 50 to 500 px at 32 px (spec/trajectory), the same view at others."""

NEAREST = 0.2
"""How near to the camera a point may come along z."""

FIRST_NUMBER = 15
"""Where the two uniform numbers of the offset stand among a sample's parameters."""


def fixed_cameras(count: int, focal_px: float) -> Floats:
    """Cameras [n, 4] at the origin."""
    return np.broadcast_to(np.array([focal_px, 0.0, 0.0, 0.0]), (count, 4))


def framing_cameras(points: Floats, parameters: Floats, image: int) -> Floats:
    """Cameras [n, 4] for paths [n, frames, 3], such that each fills 70 % of its frame, near to its middle.

    ``parameters`` [n, 20] are the samples' uniform numbers; two of them are the offset ``lean`` from the middle, as a
    share of half the path's extent in the picture.

    A camera at place c on an axis sees all points within the tangents -s (1 - lean) and s (1 + lean) if
    a - s (1 + lean) d <= c <= b + s (1 - lean) e for any two points with coordinates a, b at depths d, e. Such a c
    exists if it does for each pair (Helly's theorem on a line), so the least s follows from the pairs, without search;
    it is the focal length's inverse. Where that is out of bounds, the camera moves along z to where the bound suits.
    """
    half = FILL / 2.0
    lean = (parameters[:, FIRST_NUMBER : FIRST_NUMBER + 2] * 2.0 - 1.0) * (MOST_OFFSET / half)
    depth = points[..., 2]
    slope = np.maximum(*(_slope(points[..., axis], depth, lean[:, axis]) for axis in (0, 1)))
    # A path without any extent would have an endless focal length.
    suits = half / np.maximum(slope, 1e-9)
    focal = np.minimum(np.maximum(suits, LEAST_FOCAL), MOST_FOCAL)
    moved = np.minimum(*(_place(points[..., axis], depth, lean[:, axis], half / focal) for axis in (0, 1)))
    z = np.where(focal == suits, 0.0, np.minimum(moved, depth.min(axis=1) - NEAREST))
    x, y = (_middle(points[..., axis], depth - z[:, None], lean[:, axis]) for axis in (0, 1))
    return np.stack([focal * image, x, y, z], axis=1)


def project(points: Floats, cameras: Floats, image: int) -> Floats:
    """Where points [n, frames, 3] stand in the picture, [n, frames, 2], right and down in px."""
    depth = points[..., 2:] - cameras[:, None, 3:]
    return cameras[:, None, :1] * (points[..., :2] - cameras[:, None, 1:3]) / depth + image / 2.0


def in_frame(projected: Floats, image: int) -> NDArray[np.bool_]:
    """Whether each point [n, frames, 2] is in the frame, [n, frames]."""
    inside = (projected >= 0.0) & (projected <= image - 1.0)
    return inside[..., 0] & inside[..., 1]


def _slope(values: Floats, depth: Floats, lean: Floats) -> Floats:
    """The least slope [n] that takes in all of ``values`` [n, frames] on one axis."""
    right, left = depth * (1.0 + lean)[:, None], depth * (1.0 - lean)[:, None]
    slope: Floats = np.zeros(len(values))
    for at in range(values.shape[1]):
        pairs = (values - values[:, at, None]) / (right + left[:, at, None])
        slope = np.maximum(slope, pairs.max(axis=1))
    return slope


def _place(values: Floats, depth: Floats, lean: Floats, slope: Floats) -> Floats:
    """The farthest z [n] of a camera that takes in all of ``values`` [n, frames] on one axis with that slope."""
    right, left = depth * (1.0 + lean)[:, None], depth * (1.0 - lean)[:, None]
    extent = slope[:, None] * 2.0
    z: Floats = np.full(len(values), np.inf)
    for at in range(values.shape[1]):
        pairs = (right + left[:, at, None]) * 0.5 - (values - values[:, at, None]) / extent
        z = np.minimum(z, pairs.min(axis=1))
    return z


def _middle(values: Floats, depth: Floats, lean: Floats) -> Floats:
    """The place [n] on one axis from which the path is seen at its offset from the middle of the frame."""
    slope = _slope(values, depth, lean)
    low = (values - (slope * (1.0 + lean))[:, None] * depth).max(axis=1)
    high = (values + (slope * (1.0 - lean))[:, None] * depth).min(axis=1)
    middle: Floats = (low + high) * 0.5 + 0.0
    return middle
