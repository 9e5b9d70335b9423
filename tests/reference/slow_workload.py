"""One case from its recording to its windows, the steps in the order of the specification."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .slow_clinical import Row, SlowStatic, static_of
from .slow_profiles import CONCENTRATIONS, FEATURES, PRESSURE_SOURCES, PROFILES, TARGETS
from .slow_recording import NUMERIC, SlowRecording, SlowUnreadableError, read
from .slow_steps import (
    Grid,
    SlowPoint,
    add_up,
    drop_inconsistent,
    float32,
    hold_seconds,
    impute,
    normalise,
    prefer_first,
    resample,
)
from .slow_units import in_feature_unit, is_known

Points = dict[str, list[SlowPoint]]
Concentrations = Mapping[str, float]


@dataclass
class SlowResult:
    """What became of the case.

    Each window is a dict of ``timeseries`` [window_s][16], ``static`` [6], ``targets`` [8], ``observed`` [16] (all
    rounded to float32), ``case_id``, ``subject_id`` and ``start_s``. ``seconds`` is T.
    """

    outcome: str
    reason: str = ""
    seconds: int = 0
    windows: list[dict[str, Any]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


def windows(
    path: str | Path,
    profile_name: str,
    clinical_row: Row | None,
    case_id: int,
    window_s: int = 300,
    step_s: int = 30,
    horizon_s: int = 30,
    concentrations: Concentrations = CONCENTRATIONS,
) -> SlowResult:
    """The case's outcome and windows."""
    profile = PROFILES[profile_name]
    static = static_of(clinical_row, case_id)
    try:
        recording = read(path)
    except FileNotFoundError:
        return SlowResult("failed", "not_found")
    except SlowUnreadableError:
        return SlowResult("failed", "unreadable")
    flags = ["truncated"] * recording.truncated + ["static_imputed"] * static.imputed
    if _has_unknown_unit(recording, profile):
        return SlowResult("failed", "unknown_unit", flags=flags)
    points = cleaned_points(recording, profile_name, static, concentrations)
    if _signals(points, profile) < 2:
        return SlowResult("failed", "no_signal", flags=flags)

    seconds = total_seconds(recording, profile)
    merged = _grids(recording, points, profile, seconds)
    rows = _normalised_rows(merged, seconds)
    result = SlowResult("empty", seconds=seconds, flags=flags)
    target_columns = [column for column, feature in enumerate(FEATURES) if feature.name in TARGETS]
    for number in range(window_count(seconds, window_s, step_s, horizon_s)):
        start = number * step_s
        target_row = rows[start + window_s - 1 + horizon_s]
        result.windows.append(
            {
                "timeseries": rows[start : start + window_s],
                "static": [float32(value) for value in static.normalised()],
                "targets": [target_row[column] for column in target_columns],
                "observed": [_observed(grid, start, window_s) for grid in merged],
                "case_id": case_id,
                "subject_id": static.subject_id,
                "start_s": start,
            }
        )
    if result.windows:
        result.outcome = "done"
    return result


def window_count(seconds: int, window_s: int = 300, step_s: int = 30, horizon_s: int = 30) -> int:
    """How many windows a recording of T seconds gives."""
    return max(0, (seconds - window_s - horizon_s) // step_s + 1)


def total_seconds(recording: SlowRecording, profile: dict[str, list[str]]) -> int:
    """T: through the second of the last kept record of any track of the profile, missing values included."""
    assert recording.t0 is not None
    last = None
    for names in profile.values():
        for name in names:
            for sample in recording.tracks.get(name, []):
                if last is None or sample.time > last:
                    last = sample.time
    if last is None or last < recording.t0:
        return 0
    return math.floor(last - recording.t0) + 1


def cleaned_points(
    recording: SlowRecording, profile_name: str, static: SlowStatic, concentrations: Concentrations
) -> Points:
    """Steps 2 and 3 for every track of the profile.

    Both are done sample by sample here; pressure consistency can follow since pressures are in mmHg before and after.
    """
    points: Points = {}
    for feature in FEATURES:
        for name in PROFILES[profile_name][feature.name]:
            points[name] = []
            for sample in recording.tracks.get(name, []):
                assert recording.t0 is not None
                value = None
                if sample.value is not None:
                    concentration = concentrations.get(name)
                    value = in_feature_unit(feature.quantity, sample.value, sample.unit, static, concentration)
                points[name].append(SlowPoint(sample.time - recording.t0, value))
    for systolic, diastolic, mean in PRESSURE_SOURCES[profile_name]:
        points[systolic], points[diastolic], points[mean] = drop_inconsistent(
            points[systolic], points[diastolic], points[mean]
        )
    return points


def _has_unknown_unit(recording: SlowRecording, profile: dict[str, list[str]]) -> bool:
    for feature in FEATURES:
        for declaration in recording.declarations:
            wanted = declaration.kind == NUMERIC and declaration.name in profile[feature.name]
            if wanted and not is_known(feature.quantity, declaration.unit):
                return True
    return False


def _signals(points: Points, profile: dict[str, list[str]]) -> int:
    count = 0
    for group in (["HR"], ["SPO2"], ["BP_SYS", "BP_DIA", "BP_MAP"]):
        names = [name for feature_name in group for name in profile[feature_name]]
        if any(point.value is not None for name in names for point in points[name]):
            count += 1
    return count


def _grids(recording: SlowRecording, points: Points, profile: dict[str, list[str]], seconds: int) -> list[Grid]:
    """Step 4 and the choice between sources: one grid for each of the 16 features."""
    merged: list[Grid] = []
    for feature in FEATURES:
        grids: list[Grid] = []
        for name in profile[feature.name]:
            hold = hold_seconds([sample.time for sample in recording.tracks.get(name, [])])
            grids.append(resample(points[name], hold, seconds))
        together = add_up if feature.name == "Remifentanil_INF" else prefer_first
        merged.append(together(grids, seconds))
    return merged


def _normalised_rows(merged: list[Grid], seconds: int) -> list[list[float]]:
    """Steps 5 and 6: [T][16]."""
    columns: list[list[float]] = []
    for feature, grid in zip(FEATURES, merged, strict=True):
        columns.append([normalise(value, feature) for value in impute(grid, feature)])
    return [[column[second] for column in columns] for second in range(seconds)]


def _observed(grid: Grid, start: int, window_s: int) -> float:
    present = 0
    for second in range(start, start + window_s):
        if grid[second] is not None:
            present += 1
    return float32(present / window_s)
