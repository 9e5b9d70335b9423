"""One case to look at: raw samples, the 1 Hz signal, what was imputed, and the windows (the report's case viewer)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from core.recording.model import Recording
from core.reporting import CaseTraces, Trace
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import FEATURES, Feature
from core.workloads.vitaldb.grid import Floats, impute
from core.workloads.vitaldb.patient import Patient
from core.workloads.vitaldb.profiles import choose_profile
from core.workloads.vitaldb.signals import CleanTrack, clean_tracks, extract_signals
from core.workloads.vitaldb.windows import count_windows, start_seconds


def case_traces(case_id: str, recording: Recording, patient: Patient, configuration: Configuration) -> CaseTraces:
    """Every feature of the recording, in clinical units, as the windows are cut from it.

    Raises
    ------
    ContentError
        ``unknown_unit``, as in the run itself.
    """
    profile = choose_profile(configuration.profiles, recording.tracks)
    signals = extract_signals(recording, profile, patient, configuration.concentrations)
    tracks = clean_tracks(recording, profile, patient, configuration.concentrations, Counter())
    traces = tuple(
        _trace(feature, {name: tracks[name] for name in profile.sources(feature.name) if name in tracks}, measured)
        for feature, measured in zip(FEATURES, signals.grid.T, strict=True)
    )
    count = count_windows(signals.seconds, configuration)
    starts = start_seconds(count, configuration).tolist()
    remarks = [f"device profile {profile.name}"]
    if recording.loss.truncated:
        remarks.append("the recording is truncated: what stands before the cut is used")
    if patient.imputed:
        remarks.append(f"static values that take their default: {', '.join(patient.imputed)}")
    remarks += [f"{count:,} samples cleaned away: {rule}" for rule, count in signals.cleaned.items() if count]
    return CaseTraces(
        case_id=case_id,
        seconds=signals.seconds,
        traces=traces,
        windows=tuple((start, start + configuration.window_s) for start in starts),
        remarks=tuple(remarks),
    )


def _trace(feature: Feature, tracks: dict[str, CleanTrack], measured: Floats) -> Trace:
    nothing = np.zeros(0)
    return Trace(
        name=feature.name,
        unit=feature.unit,
        minimum=feature.minimum,
        maximum=feature.maximum,
        raw_times=np.concatenate([nothing, *(track.timeline.times for track in tracks.values())]),
        raw_values=np.concatenate([nothing, *(track.written for track in tracks.values())]),
        signal=impute(measured, feature),
        measured=~np.isnan(measured),
        sources=tuple(tracks),
    )
