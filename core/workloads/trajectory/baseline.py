"""What a nearest neighbour makes of the dots' tracks: how easily the classes are told apart (reported, never a gate).

The first :data:`LIMIT` samples take part, so that memory and time do not grow with the data set; those on the training
side are the neighbours, those on the test side are classified.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.workload import SPLITS
from core.workloads.trajectory.classes import CLASSES
from core.workloads.trajectory.sample_split import side_of

LIMIT = 4000
STEPS_PER_PX = 16
"""Tracks are kept in sixteenths of a pixel: whole numbers, whose distances are exact."""


@dataclass(frozen=True)
class Tracks:
    """Sample numbers [n], rising, labels [n] and dot tracks [n, 2 frames] in sixteenths of a pixel."""

    samples: NDArray[np.int64]
    labels: NDArray[np.int64]
    points: NDArray[np.int64]

    def __add__(self, other: Tracks) -> Tracks:
        samples = np.concatenate([self.samples, other.samples])
        order = np.argsort(samples, kind="stable")
        joined = (np.concatenate([a, b])[order] for a, b in ((self.labels, other.labels), (self.points, other.points)))
        return Tracks(samples[order], *joined)

    def as_json(self) -> dict[str, str | int]:
        """Arrays of int16 and int32 in base64."""
        return {
            "samples": _text(self.samples, "<i4"),
            "labels": _text(self.labels, "<i2"),
            "points": _text(self.points, "<i2"),
            "values": self.points.shape[1],
        }


@dataclass(frozen=True)
class Baseline:
    """How many test samples of each class (row) were taken for each class (column)."""

    neighbours: int
    confusion: tuple[tuple[int, ...], ...]

    @property
    def tested(self) -> int:
        """Test samples."""
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of the test samples that were told right."""
        return sum(self.confusion[at][at] for at in range(CLASSES)) / self.tested if self.tested else 0.0


def keep_tracks(samples: NDArray[np.int64], labels: NDArray[np.int64], dots: NDArray[np.float64]) -> Tracks:
    """The tracks of those samples that take part; dots [n, frames, 2] in px. Labels that are none take no part."""
    part = (samples >= 0) & (samples < LIMIT) & (labels >= 0) & (labels < CLASSES)
    points = np.floor(dots[part].reshape(int(part.sum()), dots.shape[1] * 2) * STEPS_PER_PX + 0.5).astype(np.int64)
    order = np.argsort(samples[part], kind="stable")
    return Tracks(samples[part][order], labels[part][order], points[order])


def read_tracks(value: dict[str, str | int]) -> Tracks:
    """The inverse of :meth:`Tracks.as_json`."""
    points = _array(value["points"], "<i2").reshape(-1, int(value["values"]))
    return Tracks(_array(value["samples"], "<i4"), _array(value["labels"], "<i2"), points)


def nearest_neighbour(tracks: Tracks, salt: str) -> Baseline:
    """Give each test sample the class of the training sample with the nearest track; of equals the lowest number."""
    sides = side_of(tracks.samples, salt)
    train, test = (sides == SPLITS.index(split) for split in ("train", "test"))
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    if train.any():
        known, labels = tracks.points[train], tracks.labels[train]
        for points, label in zip(tracks.points[test], tracks.labels[test], strict=True):
            away = known - points
            confusion[label, labels[np.argmin((away * away).sum(axis=1))]] += 1
    return Baseline(int(train.sum()), tuple(tuple(row) for row in confusion.tolist()))


def _text(values: NDArray[np.int64], dtype: str) -> str:
    return b64encode(values.astype(dtype).tobytes()).decode()


def _array(text: str | int, dtype: str) -> NDArray[np.int64]:
    return np.frombuffer(b64decode(str(text)), dtype).astype(np.int64)
