"""The four classes of path, and what a reader of the data set is told about each (spec/trajectory, "Paths")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class PathClass(IntEnum):
    """The label of an example; sample i is of class i mod 4."""

    LINEAR = 0
    CIRCULAR = 1
    HELICAL = 2
    PARABOLIC = 3


CLASSES = len(PathClass)
CLASS_NAMES = tuple(kind.name.lower() for kind in PathClass)


@dataclass(frozen=True)
class ClassText:
    """An equation and a sentence for people."""

    equation: str
    sentence: str


def class_of(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of each sample number."""
    return samples % CLASSES


def class_text(kind: PathClass, *, classic: bool, open_circle: bool) -> ClassText:
    """What the data set's metadata says of a class; t runs from 0 to 1."""
    return {
        PathClass.LINEAR: ClassText("p = start + displacement t", "A point moves straight on at a constant speed."),
        PathClass.CIRCULAR: ClassText(
            "x = cx + r cos(2πt), y = cy + r sin(2πt), z constant",
            "A point goes round once at a constant distance from the camera's plane"
            + (" and stops one step before its start." if open_circle else " and ends where it began."),
        ),
        PathClass.HELICAL: ClassText(
            "x = cx + r cos(4πt), y = cy + r sin(4πt), z = z0 + (z1 - z0) t",
            "A point goes round twice while it moves away from the camera.",
        ),
        PathClass.PARABOLIC: ClassText(
            "x = x0 + vx t, y = y0 + vy t, z = z0 + vz t - g t²/2"
            if classic
            else "x = x0 + vx t, y = y0 + vy t + g t²/2, z = z0 + vz t",
            "A point is thrown and pulled towards the camera." if classic else "A point is thrown and falls.",
        ),
    }[kind]
