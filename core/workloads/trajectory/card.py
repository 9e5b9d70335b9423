"""The workload's part of the data set card, and its metadata."""

from __future__ import annotations

from typing import Any

from core.workloads.trajectory.augmentation import MOST_TRANSLATION, MOST_TURNS, sigma_of
from core.workloads.trajectory.classes import PathClass, class_text
from core.workloads.trajectory.configuration import Configuration
from core.workloads.trajectory.paths import parameters_of

Json = dict[str, Any]


def describe(configuration: Configuration) -> Json:
    """``preprocessing_metadata.json``: classes with equation and distributions, augmentation, video, camera."""
    return {
        "classes": [_class_json(kind, configuration) for kind in PathClass],
        "class_of_a_sample": "label = sample mod 4",
        "augmentation": _augmentation_json(configuration),
        "video": {
            "dtype": "uint8",
            "shape": [configuration.frames, configuration.image, configuration.image, configuration.channels],
            "axes": ["frame", "down", "right", "channel"],
            "disc_radius_px": configuration.radius_px,
        },
        "projection": "projected = focal_px * ((x, y) - camera (x, y)) / (z - camera z) + image / 2",
        "visible": "1 where 0 <= projected <= image - 1 before any clipping",
        "configuration": configuration.model_dump(mode="json"),
    }


def _class_json(kind: PathClass, configuration: Configuration) -> Json:
    text = class_text(kind, classic=configuration.classic, open_circle=configuration.open_circle)
    return {
        "label": int(kind),
        "name": kind.name.lower(),
        "equation": text.equation,
        "sentence": text.sentence,
        "parameters": {
            parameter.name: {
                "minimum": parameter.minimum,
                "maximum": parameter.maximum,
                **({"least_size": parameter.least} if parameter.least else {}),
            }
            for parameter in parameters_of(kind, configuration.classic)
        },
    }


def _augmentation_json(configuration: Configuration) -> Json:
    low, high = sigma_of(configuration.classic)
    return {
        "probability": configuration.augment,
        "order": ["noise", "rotation", "translation"],
        "parameters": {
            "noise_sigma": {"minimum": low, "maximum": high},
            "rotation_about_z_degrees": {"minimum": -360 * MOST_TURNS, "maximum": 360 * MOST_TURNS},
            **{f"translation_{axis}": {"minimum": -MOST_TRANSLATION, "maximum": MOST_TRANSLATION} for axis in "xyz"},
        },
    }


def card_section(configuration: Configuration) -> str:
    """What an example is, the classes, and known limits, as Markdown."""
    texts = [
        (kind, class_text(kind, classic=configuration.classic, open_circle=configuration.open_circle))
        for kind in PathClass
    ]
    rows = "\n".join(
        f"| {int(kind)} | {kind.name.lower()} | {text.equation} | {text.sentence} |" for kind, text in texts
    )
    side = configuration.image
    return f"""\
## What one example is

{configuration.frames} frames of {side}×{side} pixels with {configuration.channels} channel(s) of a disc that moves
along one of four kinds of 3-D path (`video`, uint8, frame by frame, row by row); the class (`label`), the path
(`trajectory`), where its points stand in the picture (`projected`, px), which of them are in the frame (`visible`), the
pinhole `camera` (focal length in px, x, y, z) and the `sample` number.

| label | class | path, t from 0 to 1 | in words |
|---|---|---|---|
{rows}

The samples are made, not measured. Sample i is of class i mod 4, and is made from the seed
({configuration.seed}) and i alone.
"""
