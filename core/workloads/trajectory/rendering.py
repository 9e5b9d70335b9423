"""Videos of a disc: anti-aliased, placed between pixels, with a dark rim, on white (spec/trajectory)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.workloads.trajectory.arithmetic import Floats

Videos = NDArray[np.uint8]

WHITE = 255.0
RIM_SHARE = 0.25
"""Width of the rim as a share of the disc's radius."""

_COLOURS = {1: ((96.0,), (16.0,)), 3: ((255.0, 0.0, 0.0), (96.0, 0.0, 0.0))}
"""Fill and rim by number of channels: grey, or RGB (1, 0, 0)."""

_PIXELS_AT_ONCE = 1 << 15
"""Pixels that are worked on together: their figures stay in the processor's cache."""


def render(projected: Floats, drawn: NDArray[np.bool_], image: int, channels: int, radius_px: float) -> Videos:
    """Videos [n, frames, image, image, channels] of discs at ``projected`` [n, frames, 2], where ``drawn`` [n, frames].

    A pixel is covered by as much of the disc as its middle lies inside of the edge, from half a pixel out to half a
    pixel in. Only the square around the disc is worked on.
    """
    count, frames = drawn.shape
    videos = np.full((count * frames, image, image, channels), WHITE, np.uint8)
    places, which = projected.reshape(-1, 2), np.flatnonzero(drawn)
    reach = math.ceil(radius_px)  # the middle of the next pixel is half a pixel or more outside of the edge
    step = max(1, _PIXELS_AT_ONCE // (2 * reach + 1) ** 2)
    for first in range(0, len(which), step):
        _draw(videos, which[first : first + step], places, reach, radius_px)
    return videos.reshape(count, frames, image, image, channels)


def _draw(videos: Videos, which: NDArray[np.intp], places: Floats, reach: int, radius_px: float) -> None:
    """Draw the discs of the frames ``which`` into ``videos`` [all frames, image, image, channels]."""
    _, image, _, channels = videos.shape
    columns, across = _box(places[which, 0], reach)
    rows, down = _box(places[which, 1], reach)
    distance = np.sqrt((across * across)[:, None, :] + (down * down)[:, :, None])
    whole = _covered(distance, radius_px)
    inside = _covered(distance, radius_px * (1.0 - RIM_SHARE))
    pixels = (which[:, None, None] * image + rows[:, :, None]) * image + columns[:, None, :]
    seen = ((rows >= 0) & (rows < image))[:, :, None] & ((columns >= 0) & (columns < image))[:, None, :]
    all_seen = bool(seen.all())
    at = pixels.reshape(-1) if all_seen else pixels[seen]
    flat = videos.reshape(-1, channels)
    for channel, (fill, rim) in enumerate(zip(*_COLOURS[channels], strict=True)):
        # Half is added because a cast cuts off.
        shade = (whole * (rim - WHITE) + inside * (fill - rim) + (WHITE + 0.5)).astype(np.uint8)
        flat[at, channel] = shade.reshape(-1) if all_seen else shade[seen]


def _box(places: Floats, reach: int) -> tuple[NDArray[np.int64], Floats]:
    """Pixel numbers [m, 2 reach + 1] around places [m] on one axis, and how far the pixels' middles are from them."""
    pixels = np.floor(places).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    return pixels, pixels + 0.5 - places[:, None]


def _covered(distance: Floats, radius_px: float) -> Floats:
    return np.minimum(np.maximum(radius_px + 0.5 - distance, 0.0), 1.0)
