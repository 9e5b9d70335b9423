"""Examples of given sample numbers: from the random streams to the columns that are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ContentError
from core.schema import Field, Kind, Role, Schema
from core.workload import Columns
from core.workloads.trajectory.arithmetic import Floats
from core.workloads.trajectory.augmentation import augment, noise_numbers
from core.workloads.trajectory.camera import fixed_cameras, framing_cameras, in_frame, project
from core.workloads.trajectory.classes import CLASSES, PathClass, class_of
from core.workloads.trajectory.configuration import CLASSIC_FOCAL_PX, CameraKind, Configuration, OutOfFrame
from core.workloads.trajectory.paths import draw_parameters, follow_paths
from core.workloads.trajectory.rendering import render
from core.workloads.trajectory.streams import PARAMETERS, Purpose, Samples, uniforms

FARTHEST = 4.0
"""Bound of every coordinate of a path; those of spec/trajectory stay within 3.7, older data's noise included."""

MOST_DRAWS = 256
"""How often a path is drawn before its sample is given up: with older data's camera, not one in 10^60 comes to it."""


@dataclass(frozen=True)
class Scenes:
    """Paths [n, frames, 3] and cameras [n, 4] as they are written (float32), and what these cameras see.

    ``projected`` [n, frames, 2] is before any clipping, ``visible`` [n, frames] says which points are in the frame.
    """

    points: NDArray[np.float32]
    cameras: NDArray[np.float32]
    projected: Floats
    visible: NDArray[np.bool_]


def example_schema(configuration: Configuration) -> Schema:
    """The example of spec/trajectory, "One example"."""
    frames, edge = configuration.frames, configuration.image - 1.0
    bounded = configuration.out_of_frame is not OutOfFrame.MASK
    return Schema(
        fields=(
            Field(name="camera", kind=Kind.FLOAT, shape=(4,), role=Role.PROVENANCE, labels=("focal_px", "x", "y", "z")),
            Field(name="label", kind=Kind.INT64, shape=(1,), role=Role.TARGET, minimum=0, maximum=CLASSES - 1),
            Field(
                name="projected",
                kind=Kind.FLOAT,
                shape=(frames, 2),
                role=Role.TARGET,
                minimum=0.0 if bounded else None,
                maximum=edge if bounded else None,
                labels=("right_px", "down_px"),
            ),
            Field(name="sample", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE, minimum=0),
            Field(
                name="trajectory",
                kind=Kind.FLOAT,
                shape=(frames, 3),
                role=Role.TARGET,
                minimum=-FARTHEST,
                maximum=FARTHEST,
                labels=("x", "y", "z"),
            ),
            Field(name="video", kind=Kind.BYTES, shape=(1,), role=Role.INPUT, bytes_length=configuration.video_bytes),
            Field(name="visible", kind=Kind.INT64, shape=(frames,), role=Role.MASK, minimum=0, maximum=1),
        ),
        case_field=None,
        group_field=None,
        order_field="sample",
        settings={
            "frames": frames,
            "image": configuration.image,
            "channels": configuration.channels,
            "preset": configuration.preset.value,
        },
    )


def make_examples(configuration: Configuration, samples: Samples) -> Columns:
    """The columns of :func:`example_schema` for rising sample numbers [n].

    Raises
    ------
    ContentError
        ``out_of_frame``: no path of a sample stays in the frame, as often as it is drawn.
    """
    scenes = place_scenes(configuration, samples)
    projected = scenes.projected
    if configuration.out_of_frame is OutOfFrame.CLIP:
        projected = np.minimum(np.maximum(projected, 0.0), configuration.image - 1.0)
    written = projected.astype(np.float32)
    drawn = scenes.visible | (configuration.out_of_frame is OutOfFrame.CLIP)
    videos = render(
        written.astype(np.float64), drawn, configuration.image, configuration.channels, configuration.radius_px
    )
    return {
        "camera": scenes.cameras,
        "label": class_of(samples)[:, None],
        "projected": written,
        "sample": samples[:, None],
        "trajectory": scenes.points,
        "video": videos.reshape(len(samples), 1, configuration.video_bytes),
        "visible": scenes.visible.astype(np.int64),
    }


def place_scenes(configuration: Configuration, samples: Samples) -> Scenes:
    """Paths and cameras of rising sample numbers [n]; errors as :func:`make_examples`.

    With ``reject``, the samples whose path leaves the frame are drawn again, from the next place of their own stream.
    """
    scenes = _drawn(configuration, samples, attempt=0)
    if configuration.out_of_frame is not OutOfFrame.REJECT:
        return scenes
    left = np.flatnonzero(~scenes.visible.all(axis=1))
    for attempt in range(1, MOST_DRAWS):
        if not len(left):
            return scenes
        again = _drawn(configuration, samples[left], attempt)
        for old, new in zip(vars(scenes).values(), vars(again).values(), strict=True):
            old[left] = new
        left = left[~again.visible.all(axis=1)]
    if len(left):
        raise ContentError(
            "out_of_frame",
            f"no path stays in the frame of {configuration.image} px",
            where=f"sample {samples[left[0]]}",
            fix="Take camera auto, or out_of_frame mask or clip.",
        )
    return scenes


def _drawn(configuration: Configuration, samples: Samples, attempt: int) -> Scenes:
    """The paths of one attempt, in the frame or not."""
    frames, classic, seed = configuration.frames, configuration.classic, configuration.seed
    numbers = uniforms(seed, samples, attempt, Purpose.PARAMETERS, PARAMETERS)
    noise = uniforms(seed, samples, attempt, Purpose.NOISE, noise_numbers(frames))
    points = np.empty((len(samples), frames, 3))
    classes = class_of(samples)
    for kind in PathClass:
        own = classes == kind
        parameters = draw_parameters(kind, classic, numbers[own])
        points[own] = follow_paths(kind, parameters, frames, classic=classic, open_circle=configuration.open_circle)
    points = augment(points, numbers, noise, configuration.augment, classic)
    if configuration.camera is CameraKind.FIXED:
        cameras = fixed_cameras(len(samples), CLASSIC_FOCAL_PX)
    else:
        cameras = framing_cameras(points, numbers, configuration.image)
    # What is seen follows from the numbers that are written, so that a reader can compute it again.
    rounded, seen_by = points.astype(np.float32), cameras.astype(np.float32)
    projected = project(rounded.astype(np.float64), seen_by.astype(np.float64), configuration.image)
    return Scenes(rounded, seen_by, projected, in_frame(projected, configuration.image))
