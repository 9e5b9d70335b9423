"""The four kinds of 3-D path and the distributions of their parameters (spec/trajectory, "Paths").

The camera looks along +z, x points right and y down in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.workloads.trajectory.arithmetic import Floats, cosine_sine
from core.workloads.trajectory.classes import PathClass

LEAST_DISPLACEMENT = 0.11


@dataclass(frozen=True)
class Parameter:
    """Uniform from ``minimum`` to ``maximum``; where ``least`` is given, among the values of at least that size."""

    name: str
    minimum: float
    maximum: float
    least: float = 0.0

    def drawn(self, uniform: Floats) -> Floats:
        """The parameter's values from uniform numbers in [0, 1)."""
        if not self.least:
            return self.minimum + (self.maximum - self.minimum) * uniform
        signed = uniform * 2.0 - 1.0
        size = self.least + (self.maximum - self.least) * np.abs(signed)
        return np.where(signed < 0.0, -size, size)


def parameters_of(kind: PathClass, classic: bool) -> tuple[Parameter, ...]:
    """The parameters of a class in the order of its stream.

    Older data knows no least displacement: with one, 20 % of the linear videos would touch the border, not 15.5 %.
    """
    if kind is PathClass.LINEAR:
        least = 0.0 if classic else LEAST_DISPLACEMENT
        return (
            *(Parameter(f"start_{axis}", -0.5, 0.5) for axis in "xy"),
            Parameter("start_z", 1.5, 2.5),
            *(Parameter(f"displacement_{axis}", -0.3, 0.3, least) for axis in "xyz"),
        )
    return _CURVED[kind]


_CENTRE = (Parameter("centre_x", -0.2, 0.2), Parameter("centre_y", -0.2, 0.2))
_CURVED = {
    PathClass.CIRCULAR: (Parameter("radius", 0.3, 0.6), *_CENTRE, Parameter("z", 1.8, 2.2)),
    PathClass.HELICAL: (
        Parameter("radius", 0.3, 0.5),
        *_CENTRE,
        Parameter("z_first", 1.5, 2.0),
        Parameter("z_last", 2.5, 3.0),
    ),
    PathClass.PARABOLIC: (
        Parameter("x0", -0.3, 0.3),
        Parameter("y0", -0.3, 0.3),
        Parameter("z0", 2.0, 2.3),
        Parameter("vx", 0.3, 0.8),
        Parameter("vy", -0.2, 0.2),
        Parameter("vz", 0.2, 0.6),
        Parameter("g", 0.8, 1.5),
    ),
}


def draw_parameters(kind: PathClass, classic: bool, uniforms: Floats) -> Floats:
    """Parameters [n, k] of n samples of one class from the first k uniform numbers of each."""
    parameters = parameters_of(kind, classic)
    return np.stack([parameter.drawn(uniforms[:, at]) for at, parameter in enumerate(parameters)], axis=1)


def follow_paths(kind: PathClass, parameters: Floats, frames: int, *, classic: bool, open_circle: bool) -> Floats:
    """Points [n, frames, 3] of paths of one class; the first frame is t = 0, the last t = 1.

    An open circle stops one step before it is closed, so that its steps are 1/frames of a turn.
    """
    time = np.arange(frames) / (frames - 1)
    if kind is PathClass.LINEAR:
        return parameters[:, None, :3] + parameters[:, None, 3:] * time[:, None]
    if kind is PathClass.PARABOLIC:
        return _thrown(parameters[:, None, :], time, classic)
    radius, centre_x, centre_y, first = (parameters[:, at, None] for at in range(4))
    if kind is PathClass.CIRCULAR:
        turns = np.arange(frames) / frames if open_circle else time
        z = np.broadcast_to(first, (len(parameters), frames))
    else:
        turns = time * 2.0
        z = first + (parameters[:, 4, None] - first) * time
    cosine, sine = cosine_sine(turns)
    return np.stack([centre_x + radius * cosine, centre_y + radius * sine, z], axis=2)


def _thrown(parameters: Floats, time: Floats, classic: bool) -> Floats:
    """Gravity pulls down in the picture; in older data it pulls towards the camera."""
    fall = parameters[..., 6] * (time * time) * 0.5
    points = parameters[..., :3] + parameters[..., 3:6] * time[:, None]
    if classic:
        points[..., 2] -= fall
    else:
        points[..., 1] += fall
    return points
