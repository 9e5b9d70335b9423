"""From a recording's tracks to the 16 signals on the 1 Hz grid, in clinical units, NaN where nothing was measured."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recording.model import Recording, Track
from core.workloads.vitaldb.clean import fractions_to_percent, inconsistent_seconds, possible
from core.workloads.vitaldb.features import BLOOD_PRESSURE_NAMES, FEATURES, SIGNAL_GROUPS, Feature
from core.workloads.vitaldb.grid import hold_seconds, resample
from core.workloads.vitaldb.patient import Patient
from core.workloads.vitaldb.profiles import BloodPressureSource, Profile
from core.workloads.vitaldb.units import Quantity, default_unit, factors

Floats = NDArray[np.float64]


@dataclass
class CleanTrack:
    """One track after cleaning; arrays [n].

    ``times`` are seconds since t = 0, ``written`` stands in the feature's unit, ``default`` in the quantity's
    default unit. ``hold_s`` is judged over all records.
    """

    times: Floats
    default: Floats
    written: Floats
    valid: NDArray[np.bool_]
    hold_s: float


@dataclass(frozen=True)
class Signals:
    """The grid [T, 16] in clinical units, and what was cleaned away to get it."""

    grid: Floats
    cleaned: dict[str, int]
    units: dict[str, list[str]]
    signal_groups: int

    @property
    def seconds(self) -> int:
        """T."""
        return len(self.grid)


def grid_length(recording: Recording, profile: Profile) -> int:
    """T = ⌊t_last − t0⌋ + 1 over the kept samples of the profile's tracks, never below 0 (spec, fine print)."""
    lasts = [float(track.times[-1]) for track in _own(recording, profile).values() if len(track.times)]
    return max(0, math.floor(max(lasts) - recording.t0) + 1) if lasts else 0


def extract_signals(
    recording: Recording, profile: Profile, patient: Patient, concentrations: dict[str, float]
) -> Signals:
    """Clean, convert and resample every feature of the profile.

    Raises
    ------
    ContentError
        ``unknown_unit``: a track of the profile declares a unit outside its list, recorded or not.
    """
    cleaned: Counter[str] = Counter()
    feature_of = {track: _feature(name) for track, name in profile.tracks().items()}
    own = _own(recording, profile)
    tracks: dict[str, CleanTrack] = {}
    for name, track in own.items():
        dose = _dose_factor(name, feature_of[name], patient, concentrations)
        tracks[name] = _clean(track, feature_of[name], recording.t0, dose, cleaned)
    for source in profile.blood_pressure:
        _drop_contradictions(source, tracks, cleaned)
    length = grid_length(recording, profile)
    grid = np.full((length, len(FEATURES)), np.nan)
    for column, feature in enumerate(FEATURES):
        sources = [tracks[name] for name in profile.sources(feature.name) if name in tracks]
        grid[:, column] = _merge([_on_grid(track, length) for track in sources], feature.summed, length)
    valid = {feature_of[name].name for name, track in tracks.items() if track.valid.any()}
    return Signals(
        grid=grid,
        cleaned=dict(sorted(cleaned.items())),
        units={name: _units_of(own[name], feature_of[name]) for name in sorted(own)},
        signal_groups=sum(any(name in valid for name in group) for group in SIGNAL_GROUPS),
    )


def _units_of(track: Track, feature: Feature) -> list[str]:
    return [unit or default_unit(feature.quantity) for unit in track.units]


def _feature(name: str) -> Feature:
    return next(feature for feature in FEATURES if feature.name == name)


def _own(recording: Recording, profile: Profile) -> dict[str, Track]:
    wanted = profile.tracks()
    return {name: track for name, track in recording.tracks.items() if name in wanted}


def _dose_factor(name: str, feature: Feature, patient: Patient, concentrations: dict[str, float]) -> float:
    """From the track's unit to the feature's, beyond the unit conversion: drug content, weight, ideal weight."""
    match feature.quantity:
        case Quantity.PROPOFOL:
            return concentrations[name] / patient.weight_kg
        case Quantity.REMIFENTANIL | Quantity.NORADRENALINE:
            return concentrations[name] / 60.0 / patient.weight_kg
        case Quantity.TIDAL_VOLUME:
            return 1.0 / patient.ideal_weight_kg
        case _:
            return 1.0


def _clean(track: Track, feature: Feature, t0: float, dose: float, cleaned: Counter[str]) -> CleanTrack:
    by_unit = [factors(feature.quantity, unit, track.name) for unit in track.units]
    to_default = np.array([entry.to_default for entry in by_unit])[track.unit_of]
    to_written = np.array([entry.to_written for entry in by_unit])[track.unit_of]
    values = track.values
    if feature.quantity is Quantity.OXYGEN_FRACTION:
        values = fractions_to_percent(values)
    default = values * to_default
    valid = possible(feature.quantity, default)
    missing = int(np.isnan(values).sum())
    cleaned[f"{track.name}: missing"] += missing
    cleaned[f"{track.name}: out of bounds"] += int((~valid).sum()) - missing
    return CleanTrack(
        times=track.times - t0,
        default=default,
        written=values * to_written * dose,
        valid=valid,
        hold_s=hold_seconds(track.times),
    )


def _drop_contradictions(source: BloodPressureSource, tracks: dict[str, CleanTrack], cleaned: Counter[str]) -> None:
    present = [(name, tracks[name]) for name in source.tracks if name in tracks]
    if len(present) < len(BLOOD_PRESSURE_NAMES):
        return
    seconds = [np.floor(track.times).astype(np.int64) for _, track in present]
    wrong = inconsistent_seconds(
        [second[track.valid] for second, (_, track) in zip(seconds, present, strict=True)],
        [track.default[track.valid] for _, track in present],
    )
    for second, (name, track) in zip(seconds, present, strict=True):
        hit = track.valid & np.isin(second, wrong)
        cleaned[f"{name}: contradicts"] += int(hit.sum())
        track.valid &= ~hit


def _on_grid(track: CleanTrack, length: int) -> Floats:
    return resample(track.times[track.valid], track.written[track.valid], track.hold_s, length)


def _merge(sources: list[Floats], summed: bool, length: int) -> Floats:
    """Sample by sample: the first source that has a value, or the sum of those that have one."""
    merged = np.full(length, np.nan)
    for values in sources:
        absent = np.isnan(merged)
        if summed:
            both = ~absent & ~np.isnan(values)
            merged[both] += values[both]
        merged[absent] = values[absent]
    return merged
