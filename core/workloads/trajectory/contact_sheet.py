"""Contact sheets: some videos of a class on one picture, a row each, for people to look at."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.errors import ContentError
from core.reporting import Picture
from core.workloads.trajectory.classes import CLASSES, PathClass, class_text
from core.workloads.trajectory.configuration import Configuration
from core.workloads.trajectory.examples import make_examples
from core.workloads.trajectory.png import png_bytes

Videos = NDArray[np.uint8]

ROWS = 6
MOST_FRAMES = 8
"""Frames of a row, spread evenly over the video."""

MOST_SHEET_PX = 768
"""Height of the frames of a contact sheet together, so that four of them stay below 1 MB."""

_LEAST_SIDE_PX = 96
_GAP, _WIDE_GAP = 4, 16
_PAPER = 226


def class_sheets(configuration: Configuration) -> list[Picture]:
    """A sheet of each class: the data set's first samples of it, drawn anew; fewer of them where frames are large.

    A class has none where the data set has no sample of it, or where one of them cannot be made: its case has failed,
    and the report, which says why, must not fail with it.
    """
    sheets = []
    for kind in PathClass:
        there = len(range(kind, configuration.samples, CLASSES))
        rows = min(ROWS, max(1, MOST_SHEET_PX // configuration.image), there)
        if not rows:
            continue
        try:
            png = class_sheet(configuration, kind, rows)
        except ContentError:
            continue
        sheets.append(Picture(f"Class {kind.name.lower()}", png, sheet_text(configuration, kind, rows)))
    return sheets


def class_sheet(configuration: Configuration, kind: PathClass, rows: int = ROWS) -> bytes:
    """The contact sheet of a class as PNG: its first ``rows`` samples; errors as :func:`make_examples`."""
    samples = np.arange(kind, kind + rows * CLASSES, CLASSES, dtype=np.int64)
    columns = make_examples(configuration, samples)
    side = configuration.image
    shape = (rows, configuration.frames, side, side, configuration.channels)
    return png_bytes(lay_out(columns["video"].reshape(shape).astype(np.uint8, copy=False)))


def sheet_text(configuration: Configuration, kind: PathClass, rows: int = ROWS) -> str:
    """What the contact sheet shows, for those who cannot see it."""
    text = class_text(kind, classic=configuration.classic, open_circle=configuration.open_circle)
    shown = min(configuration.frames, MOST_FRAMES)
    videos = "video" if rows == 1 else "videos"
    return (
        f"{rows} {videos} of class {kind.name.lower()}, a row each: all frames in one picture, then {shown} of"
        f" {configuration.frames} frames. {text.sentence}"
    )


def lay_out(videos: Videos) -> Videos:
    """The sheet [height, width, channels] of videos [n, frames, side, side, channels].

    A row begins with all frames in one picture, the darkest of each pixel, which shows the path.
    """
    count, frames, side, _, channels = videos.shape
    shown = videos[:, np.linspace(0, frames - 1, min(frames, MOST_FRAMES)).round().astype(np.int64)]
    tiles = np.concatenate([videos.min(axis=1, keepdims=True), shown], axis=1)
    enlarged = math.ceil(_LEAST_SIDE_PX / side)
    tiles = tiles.repeat(enlarged, axis=2).repeat(enlarged, axis=3)
    edge = side * enlarged
    step = edge + _GAP
    width = _GAP + tiles.shape[1] * step + _WIDE_GAP
    sheet = np.full((_GAP + count * step, width, channels), _PAPER, np.uint8)
    for row in range(count):
        for column in range(tiles.shape[1]):
            top, left = _GAP + row * step, _GAP + column * step + (_WIDE_GAP if column else 0)
            sheet[top : top + edge, left : left + edge] = tiles[row, column]
    return sheet
