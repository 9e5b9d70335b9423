"""From a recording's tracks to the 16 signals on the 1 Hz grid, in clinical units, NaN where nothing was measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recording.model import Recording, Track
from core.workloads.vitaldb.clean import clean, drop_contradictions
from core.workloads.vitaldb.features import BLOOD_PRESSURE_NAMES, FEATURE_NAMES, FEATURES, SIGNAL_GROUPS, Feature
from core.workloads.vitaldb.grid import Places, places, take
from core.workloads.vitaldb.patient import Patient
from core.workloads.vitaldb.profiles import BloodPressureSource, Profile
from core.workloads.vitaldb.timeline import Timeline, Timelines
from core.workloads.vitaldb.units import Quantity, default_unit, factors

Floats = NDArray[np.float64]

_FEATURES = dict(zip(FEATURE_NAMES, FEATURES, strict=True))


@dataclass
class CleanTrack:
    """One track after cleaning; arrays [n].

    ``written`` stands in the feature's unit, ``default`` in the quantity's default unit; ``usable`` samples are
    ``valid``.
    """

    timeline: Timeline
    default: Floats
    written: Floats
    valid: NDArray[np.bool_]
    usable: int


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
    feature_of = {track: _FEATURES[name] for track, name in profile.tracks.items()}
    own = _own(recording, profile)
    length = grid_length(recording, profile)
    rows = np.empty((len(FEATURES), length))
    sources = [[tracks[name] for name in profile.sources(one.name) if name in tracks] for one in FEATURES]
    _fill(rows, sources)
    valid = {feature_of[name].name for name, track in tracks.items() if track.usable}
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
    feature_of = {track: _FEATURES[name] for track, name in profile.tracks.items()}
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
    found = clean(feature.quantity, track.values, track.unit_of, by_unit, dose)
    cleaned[f"{track.name}: missing"] += found.missing
    cleaned[f"{track.name}: out of bounds"] += found.out_of_bounds
    usable = len(found.valid) - found.missing - found.out_of_bounds
    return CleanTrack(timeline, found.default, found.written, found.valid, usable)


def _drop_contradictions(source: BloodPressureSource, tracks: dict[str, CleanTrack], cleaned: Counter[str]) -> None:
    present = [(name, tracks[name]) for name in source.tracks if name in tracks]
    if len(present) < len(BLOOD_PRESSURE_NAMES):
        return
    hits = drop_contradictions([(track.timeline.seconds, track.default, track.valid) for _, track in present])
    for (name, track), count in zip(present, hits, strict=True):
        track.usable -= count
        cleaned[f"{name}: contradicts"] += count


def _fill(rows: Floats, sources: Sequence[Sequence[CleanTrack]]) -> None:
    """Fill the ``rows`` [16, T], each sample by sample from its feature's ``sources``: the first one that has a value,
    or the sum of those that have one."""
    take([_taken(one[0], row) for row, one in zip(rows, sources, strict=True) if one])
    for row, one, feature in zip(rows, sources, FEATURES, strict=True):
        if not one:
            row.fill(np.nan)
        for source in one[1:]:
            _add(row, source, feature.summed)


def _taken(track: CleanTrack, row: Floats) -> tuple[Floats, Places, Floats]:
    """Which of the track's samples each second of the ``row`` [T] takes."""
    timeline, length = track.timeline, len(row)
    if track.usable == len(track.valid):
        return track.written, timeline.places(length), row
    return track.written, places(timeline.times, track.valid, timeline.hold_s, length), row


def _add(row: Floats, source: CleanTrack, summed: bool) -> None:
    values = np.empty(len(row))
    take([_taken(source, values)])
    absent = np.isnan(row)
    if summed:
        np.add(row, values, out=row, where=~(absent | np.isnan(values)))
    np.copyto(row, values, where=absent)
