"""Writes the recording of one ordinary demo case and says what must become of it."""

from __future__ import annotations

from pathlib import Path

from core.recording.model import Header
from core.recording.writer import (
    GzipWriter,
    Layout,
    NumericTrack,
    Packets,
    TrackDeclaration,
    TrackKind,
    encode,
    text_packets,
)
from core.workload import Outcome
from core.workloads.vitaldb.demo.channels import Channel
from core.workloads.vitaldb.demo.course import course_of
from core.workloads.vitaldb.demo.devices import channels_of
from core.workloads.vitaldb.demo.patient import CasePlan
from core.workloads.vitaldb.demo.tape import Tape, declare
from core.workloads.vitaldb.demo.truth import CaseTruth, truth_of_readable
from core.workloads.vitaldb.demo.waves import Wave, waves_of

TIMEZONE_BIAS_MINUTES = -540
_EARLY_START_S = 0.25
_EVENT_TRACK, _FIRST_TRACK = 1, 2


def case_id(number: int) -> str:
    """The id of a case: its number, padded to four digits."""
    return f"{number:04d}"


def write_case(folder: Path, plan: CasePlan, waveforms: bool) -> CaseTruth:
    """Write ``vital_files/NNNN.vital`` below ``folder``."""
    name = f"vital_files/{case_id(plan.number)}.vital"
    channels = channels_of(plan)
    waves = waves_of(plan) if waveforms else []
    with GzipWriter(folder / name, level=1 if waveforms else 3) as file:
        tape = Tape(file.write, _header(plan, channels))
        _write(tape, plan, channels, waves)
    base = CaseTruth(
        case_id=case_id(plan.number),
        subject_id=plan.subject_id,
        file=name,
        fault=None,
        outcome=Outcome.DONE,
        reason="",
        flags=("static_imputed",) if plan.trap == "no row" else (),
        windows=0,
        seconds=None,
        loss=None,
        clinical_row=plan.trap != "no row",
        profile=plan.profile,
        layout=plan.layout.value,
        header_length=None,
        arterial_line=plan.arterial_line,
        note=plan.trap,
    )
    return truth_of_readable(base, tape, (folder / name).stat().st_size)


def _header(plan: CasePlan, channels: list[Channel]) -> Header:
    first = min(float(channel.times[0]) for channel in channels)
    last = max(float(channel.times[-1]) for channel in channels)
    start = min(first, plan.start + 1.0) - _EARLY_START_S
    packed = plan.layout is Layout.PACKED
    if plan.header_length == 10:
        return Header(3, 10, TIMEZONE_BIAS_MINUTES)
    return Header(3, plan.header_length, TIMEZONE_BIAS_MINUTES, start, last, packed)


def _write(tape: Tape, plan: CasePlan, channels: list[Channel], waves: list[Wave]) -> None:
    names = dict.fromkeys([*(channel.device for channel in channels), *(wave.device for wave in waves)])
    devices = {name: number for number, name in enumerate(names, 1)}
    for name, number in devices.items():
        tape.device(number, name, name, None if number % 4 == 0 else f"COM{number}")
    event = TrackDeclaration(_EVENT_TRACK, "EVENT", kind=TrackKind.TEXT, tail_fields=5)
    tape.track(event)
    numerics = []
    for number, channel in enumerate(channels, _FIRST_TRACK):
        # Older recorders stop after the device; numbers of the last fields are then not in the file.
        tail = 12 if plan.layout is Layout.PACKED or plan.number % 4 else 9
        declaration = declare(channel, number, devices[channel.device], tail, plan.layout is not Layout.INTERLEAVED)
        tape.track(declaration)
        numerics.append(NumericTrack(declaration, channel.times, encode(declaration, channel.values)))
    first = _FIRST_TRACK + len(channels)
    tracks = [
        wave.track(number, devices[wave.device], plan.start + 1.0, plan.seconds - 2, plan.layout)
        for number, wave in enumerate(waves, first)
    ]
    for track in tracks:
        tape.track(track.declaration)
    if plan.layout is not Layout.PACKED:
        tape.other_packet(6, b"\x05\x00\x00")
    tape.layout(plan.layout, numerics, tracks, _events(plan, event))


def _events(plan: CasePlan, track: TrackDeclaration) -> list[Packets]:
    phases = course_of(plan).phases
    moments = ((phases.induction, "Induction"), (phases.intubation, "Intubation"), (phases.extubation, "Extubation"))
    return [text_packets(track, plan.start + second, text) for second, text in moments]
