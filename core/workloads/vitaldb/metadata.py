"""``preprocessing_metadata.json``: what a reader must know to use the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import FEATURES, TARGET_NAMES, Feature
from core.workloads.vitaldb.patient import (
    DEFAULT_AGE_Y,
    DEFAULT_ASA,
    DEFAULT_BMI,
    DEFAULT_HEIGHT_CM,
    DEFAULT_WEIGHT_KG,
    STATIC_NAMES,
)
from core.workloads.vitaldb.quality import run_figures

Json = dict[str, Any]

STATIC_UNITS = ("years", "–", "cm", "kg", "kg/m²", "class")
STATIC_NORMALISED = (
    "age/120*2 - 1",
    "-1 female, +1 male",
    "(height - 100)/130*2 - 1",
    "(weight - 20)/180*2 - 1",
    "(bmi - 10)/40*2 - 1",
    "(asa - 1)/5*2 - 1",
)
STATIC_DEFAULTS = (DEFAULT_AGE_Y, -1.0, DEFAULT_HEIGHT_CM, DEFAULT_WEIGHT_KG, DEFAULT_BMI, DEFAULT_ASA)


def describe(
    configuration: Configuration, figures: Sequence[Json], histograms: Mapping[str, NDArray[np.int64]]
) -> Json:
    """Features, units, ranges, imputation, targets and their inverse, concentrations, profiles, quality."""
    return {
        "window_s": configuration.window_s,
        "step_s": configuration.step_s,
        "horizon_s": configuration.horizon_s,
        "sampling_hz": 1,
        "normalisation": "2*(x - minimum)/(maximum - minimum) - 1, clipped to [-1, 1], float32",
        "inverse": "minimum + (n + 1)*(maximum - minimum)/2",
        "features": [_feature(position, feature, configuration) for position, feature in enumerate(FEATURES)],
        "targets": [_target(position, name) for position, name in enumerate(TARGET_NAMES)],
        "static": [
            {"index": position, "name": name, "default": default, "normalised": rule}
            for position, (name, default, rule) in enumerate(
                zip(STATIC_NAMES, STATIC_DEFAULTS, STATIC_NORMALISED, strict=True)
            )
        ],
        "concentrations": dict(sorted(configuration.concentrations.items())),
        "quality": run_figures(figures, histograms),
    }


def _feature(position: int, feature: Feature, configuration: Configuration) -> Json:
    return {
        "index": position,
        "name": feature.name,
        "unit": feature.unit,
        "minimum": feature.minimum,
        "maximum": feature.maximum,
        "sources": {profile.name: list(profile.sources(feature.name)) for profile in configuration.profiles},
        "sources_are_summed": feature.summed,
        "before_first_value": feature.before,
        "in_a_gap": "hold" if feature.gap_holds else 0.0,
        "after_last_value": {"hold_s": feature.after_hold_s, "then": feature.after},
    }


def _target(position: int, name: str) -> Json:
    feature = next(feature for feature in FEATURES if feature.name == name)
    return {
        "index": position,
        "name": name,
        "unit": feature.unit,
        "minimum": feature.minimum,
        "maximum": feature.maximum,
    }
