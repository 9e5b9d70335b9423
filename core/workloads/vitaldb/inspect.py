"""What a recording holds, for people and programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from core.errors import BadRequestError, ContentError
from core.recording.model import Track
from core.recording.read import read_recording
from core.reporting import CaseTraces
from core.store import open_object
from core.workloads.vitaldb.clinical import read_clinical
from core.workloads.vitaldb.configuration import resolve_configuration
from core.workloads.vitaldb.features import FEATURES
from core.workloads.vitaldb.identity import case_number
from core.workloads.vitaldb.patient import Patient, patient_of
from core.workloads.vitaldb.profiles import Profile, choose_profile
from core.workloads.vitaldb.quality import loss_figures
from core.workloads.vitaldb.traces import case_traces
from core.workloads.vitaldb.units import Quantity, factors

Json = dict[str, Any]


def inspect_recording(uri: str, profiles: tuple[Profile, ...]) -> Json:
    """Read the whole recording and describe it as plain JSON.

    Raises
    ------
    ContentError
        ``unreadable``.
    BadRequestError
        No such file.
    """
    wanted = frozenset(track for profile in profiles for track in profile.tracks)
    store, key = open_object(uri)
    try:
        recording = read_recording(key, store.stream(key), wanted)
    except FileNotFoundError:
        raise BadRequestError("no_recording", "no such file", where=uri, fix="Check the spelling.") from None
    profile = choose_profile(profiles, recording.tracks)
    features = []
    for feature in FEATURES:
        own = [name for name in profile.sources(feature.name) if name in recording.tracks]
        features.append(
            {
                "name": feature.name,
                "unit": feature.unit,
                "sources": own,
                "records": {name: len(recording.tracks[name].times) for name in own},
                "declared_units": {name: list(recording.tracks[name].units) for name in own},
                "unknown_units": [what for name in own for what in _unknown(feature.quantity, recording.tracks[name])],
            }
        )
    return {
        "file": uri,
        "format": recording.format,
        "header": None if recording.header is None else asdict(recording.header),
        "t0": recording.t0,
        "devices": list(recording.devices),
        "profile": profile.name,
        "tracks": [asdict(declaration) for declaration in recording.declarations],
        "features": features,
        "loss": loss_figures(recording.loss),
    }


def trace_recording(uri: str, profile: str, clinical: str | None) -> CaseTraces:
    """A recording as the case viewer shows it; without a row in the ``clinical`` table its patient takes defaults.

    Raises
    ------
    ContentError
        ``unreadable`` or ``unknown_unit``.
    BadRequestError
        No such file, or a table that cannot be read.
    """
    configuration = resolve_configuration({"profiles": profile})
    wanted = frozenset(track for item in configuration.profiles for track in item.tracks)
    store, key = open_object(uri)
    name = PurePosixPath(key).stem
    row = read_clinical(clinical).rows.get(case_number(name)) if clinical else None
    try:
        recording = read_recording(key, store.stream(key), wanted)
    except FileNotFoundError:
        raise BadRequestError("no_recording", "no such file", where=uri, fix="Check the spelling.") from None
    return case_traces(name, recording, patient_of(row) if row else Patient(), configuration)


def _unknown(quantity: Quantity, track: Track) -> list[str]:
    problems = []
    for unit in track.units:
        try:
            factors(quantity, unit, track.name)
        except ContentError as error:
            problems.append(f"{error.where} {error.what}")
    return problems
