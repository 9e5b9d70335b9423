"""From a recording's tracks to the 16 signals on the 1 Hz grid, in clinical units, NaN where nothing was measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.recording.model import Recording, Track
from core.workloads.vitaldb.clean import fractions_to_percent, inconsistent_seconds, possible
from core.workloads.vitaldb.features import BLOOD_PRESSURE_NAMES, FEATURE_NAMES, FEATURES, SIGNAL_GROUPS, Feature
from core.workloads.vitaldb.grid import resample, taken
from core.workloads.vitaldb.patient import Patient
from core.workloads.vitaldb.profiles import BloodPressureSource, Profile
from core.workloads.vitaldb.timeline import Timeline, Timelines
from core.workloads.vitaldb.units import Quantity, default_unit, factors

Floats = NDArray[np.float64]
Number = TypeVar("Number", np.float64, np.int64)


@dataclass
class CleanTrack:
    """One track after cleaning; arrays [n].

    ``written`` stands in the feature's unit, ``default`` in the quantity's default unit.
    """

    timeline: Timeline
    default: Floats
    written: Floats
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Signals:
    """The grid [T, 16] in clinical units (each feature's seconds stand together in memory), and what was cleaned away
    to get it; ``samples`` are the records of each track."""

    grid: Floats
    cleaned: dict[str, int]
    samples: dict[str, int]
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
    tracks = clean_tracks(recording, profile, patient, concentrations, cleaned)
    feature_of = {track: _feature(name) for track, name in profile.tracks.items()}
    own = _own(recording, profile)
    length = grid_length(recording, profile)
    rows = np.empty((len(FEATURES), length))
    for row, feature in zip(rows, FEATURES, strict=True):
        sources = [tracks[name] for name in profile.sources(feature.name) if name in tracks]
        row[:] = _merge((_on_grid(track, length) for track in sources), feature.summed, length)
    valid = {feature_of[name].name for name, track in tracks.items() if track.valid.any()}
    return Signals(
        grid=rows.T,
        cleaned=dict(sorted(cleaned.items())),
        samples={name: len(own[name].times) for name in sorted(own)},
        units={name: _units_of(own[name], feature_of[name]) for name in sorted(own)},
        signal_groups=sum(any(name in valid for name in group) for group in SIGNAL_GROUPS),
    )


def clean_tracks(
    recording: Recording, profile: Profile, patient: Patient, concentrations: dict[str, float], cleaned: Counter[str]
) -> dict[str, CleanTrack]:
    """The profile's tracks that are there, cleaned and converted, by name; ``cleaned`` counts by track and rule.

    Raises
    ------
    ContentError
        As :func:`extract_signals`.
    """
    feature_of = {track: _feature(name) for track, name in profile.tracks.items()}
    tracks: dict[str, CleanTrack] = {}
    timelines = Timelines(recording.t0)
    for name, track in _own(recording, profile).items():
        dose = _dose_factor(name, feature_of[name], patient, concentrations)
        tracks[name] = _clean(track, feature_of[name], timelines.of(track.times), dose, cleaned)
    for source in profile.blood_pressure:
        _drop_contradictions(source, tracks, cleaned)
    return tracks


def _units_of(track: Track, feature: Feature) -> list[str]:
    return [unit or default_unit(feature.quantity) for unit in track.units]


def _feature(name: str) -> Feature:
    return FEATURES[FEATURE_NAMES.index(name)]


def _own(recording: Recording, profile: Profile) -> dict[str, Track]:
    wanted = profile.tracks
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


def _clean(track: Track, feature: Feature, timeline: Timeline, dose: float, cleaned: Counter[str]) -> CleanTrack:
    by_unit = [factors(feature.quantity, unit, track.name) for unit in track.units]
    values = track.values
    if feature.quantity is Quantity.OXYGEN_FRACTION:
        values = fractions_to_percent(values)
    default = _scaled(values, [entry.to_default for entry in by_unit], track.unit_of)
    written = _scaled(values, [entry.to_written for entry in by_unit], track.unit_of)
    valid = possible(feature.quantity, default)
    missing = int(np.count_nonzero(np.isnan(values)))
    cleaned[f"{track.name}: missing"] += missing
    cleaned[f"{track.name}: out of bounds"] += len(valid) - int(np.count_nonzero(valid)) - missing
    return CleanTrack(
        timeline=timeline,
        default=default,
        written=written if dose == 1.0 else written * dose,
        valid=valid,
    )


def _scaled(values: Floats, by_unit: list[float], unit_of: NDArray[np.int16]) -> Floats:
    """Each value times its unit's factor; mostly there is one for all, and mostly it is 1."""
    if len(set(by_unit)) != 1:
        factor: Floats = np.array(by_unit)[unit_of]
        return values * factor
    return values if by_unit[0] == 1.0 else values * by_unit[0]


def _drop_contradictions(source: BloodPressureSource, tracks: dict[str, CleanTrack], cleaned: Counter[str]) -> None:
    present = [(name, tracks[name]) for name in source.tracks if name in tracks]
    if len(present) < len(BLOOD_PRESSURE_NAMES):
        return
    wrong = inconsistent_seconds(
        [_only_valid(track.timeline.seconds, track) for _, track in present],
        [_only_valid(track.default, track) for _, track in present],
    )
    for name, track in present:
        hits = 0
        if len(wrong):
            hit = track.valid & np.isin(track.timeline.seconds, wrong)
            hits = int(np.count_nonzero(hit))
            track.valid &= ~hit
        cleaned[f"{name}: contradicts"] += hits


def _only_valid(samples: NDArray[Number], track: CleanTrack) -> NDArray[Number]:
    return samples if track.valid.all() else samples[track.valid]


def _on_grid(track: CleanTrack, length: int) -> Floats:
    timeline = track.timeline
    if track.valid.all():
        return taken(track.written, timeline.places(length))
    return resample(timeline.times[track.valid], track.written[track.valid], timeline.hold_s, length)


def _merge(sources: Iterable[Floats], summed: bool, length: int) -> Floats:
    """Sample by sample: the first source that has a value, or the sum of those that have one."""
    merged: Floats | None = None
    for values in sources:
        if merged is None:
            merged = values
            continue
        absent = np.isnan(merged)
        if summed:
            np.add(merged, values, out=merged, where=~(absent | np.isnan(values)))
        np.copyto(merged, values, where=absent)
    return np.full(length, np.nan) if merged is None else merged
