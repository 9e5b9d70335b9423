"""Faults of what is recorded: missing signals, units, sentinels, declarations that change or never come."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import partial

import numpy as np

from core.recording.writer import Format, NumericTrack, PacketType, TrackDeclaration, TrackKind, encode
from core.workloads.vitaldb.demo.bench import SIGNALS, START, Bench, begin, changed, even_times, plain, play
from core.workloads.vitaldb.demo.channels import Channel
from core.workloads.vitaldb.demo.course import MMHG_PER_KPA
from core.workloads.vitaldb.demo.tape import Tape, declare
from core.workloads.vitaldb.demo.truth import CaseTruth

CHANGE = START + 700.0
_PRESSURES = SIGNALS[2:]


def only_heart_rate(bench: Bench) -> CaseTruth:
    """One of the three signals that make a case."""
    return bench.failed(plain(bench.channels(without=SIGNALS[1:])), "no_signal")


def only_saturation(bench: Bench) -> CaseTruth:
    """One of the three signals that make a case."""
    return bench.failed(plain(bench.channels(without=("Solar8000/HR", *_PRESSURES))), "no_signal")


def only_blood_pressure(bench: Bench) -> CaseTruth:
    """One of the three signals that make a case."""
    return bench.failed(plain(bench.channels(without=SIGNALS[:2])), "no_signal")


def leads_off_throughout(bench: Bench) -> CaseTruth:
    """Heart rate and saturation are recorded, and zero from beginning to end: only the pressure is a signal."""
    channels = bench.channels()
    for name in SIGNALS[:2]:
        channels = changed(channels, name, lambda channel: replace(channel, values=channel.values * 0.0))
    return bench.failed(plain(channels), "no_signal")


def unknown_unit(bench: Bench) -> CaseTruth:
    """End-tidal CO2 in a unit that nobody has told us how to convert."""
    channels = changed(bench.channels(), "Solar8000/ETCO2", lambda channel: replace(channel, unit="torr"))
    return bench.failed(plain(channels), "unknown_unit")


def unknown_unit_without_records(bench: Bench) -> CaseTruth:
    """A unit outside the list on a track that was declared and never recorded."""
    none = np.zeros(0)
    return bench.failed(plain([*bench.channels(), Channel("Primus", "INSP_SEVO", "MAC", none, none)]), "unknown_unit")


def track_redeclared(bench: Bench) -> CaseTruth:
    """In the middle, heart rate gets another number, format, gain and unit; its old number goes to another track."""
    channels = bench.channels()
    names = [channel.full_name for channel in channels]
    rate, carbon = names.index("Solar8000/HR"), names.index("Solar8000/ETCO2")

    def build(tape: Tape) -> None:
        tracks = begin(tape, channels)
        play(tape, tracks, before=CHANGE)
        device = tracks[0].declaration.device
        for index, new in (
            (rate, replace(channels[rate], unit="bpm", format=Format.I16, gain=0.1, offset=10.0)),
            (carbon, _in_kpa(channels[carbon])),
        ):
            number = 40 if index == rate else tracks[index].declaration.number
            declaration = declare(new, number, device)
            tape.track(declaration)
            tracks[index] = NumericTrack(declaration, new.times, encode(declaration, new.values))
        times = even_times(CHANGE, 400, 2.0)
        temperature = Channel("Solar8000", "BT", "C", times, np.full(times.size, 36.5))
        declaration = declare(temperature, rate + 1, device)
        tape.track(declaration)
        tracks.append(NumericTrack(declaration, times, encode(declaration, temperature.values)))
        play(tape, tracks, after=CHANGE)

    return bench.readable(build)


def _in_kpa(channel: Channel) -> Channel:
    return replace(channel, unit="kPa", values=np.rint(channel.values / MMHG_PER_KPA * 10.0) / 10.0)


def other_units(bench: Bench) -> CaseTruth:
    """Carbon dioxide in kPa, sevoflurane in vol%, end-expiratory pressure in cmH2O, oxygen as a fraction."""
    channels = changed(bench.channels(), "Solar8000/ETCO2", _in_kpa)
    channels = changed(channels, "Primus/EXP_SEVO", lambda channel: replace(channel, unit="vol%"))
    channels = changed(channels, "Primus/PEEP_MBAR", lambda channel: replace(channel, unit="cmH2O"))
    channels = changed(channels, "Solar8000/FIO2", lambda channel: replace(channel, values=channel.values / 100.0))
    return bench.readable(plain(channels))


def integer_sentinels(bench: Bench) -> CaseTruth:
    """All six integer formats, a tenth of their values "missing"."""
    stored = {
        "Solar8000/HR": (Format.U8, 1.0),
        "Solar8000/PLETH_SPO2": (Format.I8, 1.0),
        "Solar8000/ART_SBP": (Format.I16, 0.5),
        "Solar8000/ETCO2": (Format.U16, 0.01),
        "Solar8000/VENT_TV": (Format.U32, 0.001),
        "BIS/BIS": (Format.I32, 0.0001),
    }

    def holed(channel: Channel) -> Channel:
        kind, gain = stored[channel.full_name]
        missing = np.arange(channel.values.size) % 10 == 3
        return replace(channel, format=kind, gain=gain, values=np.where(missing, np.nan, channel.values))

    channels = bench.channels()
    for name in stored:
        channels = changed(channels, name, holed)
    return bench.readable(plain(channels))


def unknown_packets_and_texts(bench: Bench) -> CaseTruth:
    """Packet types of another generation, commands, raw traffic and text tracks among the numbers."""
    channels = bench.channels()
    event = TrackDeclaration(300, "EVENT", kind=TrackKind.TEXT, tail_fields=0)

    def build(tape: Tape) -> None:
        tracks = begin(tape, channels)
        tape.track(event)
        for index in range(10):
            at = START + 100.0 * index
            play(tape, tracks, after=at, before=at + 100.0)
            tape.other_packet((2, 3, 77, 200, 255)[index % 5], bytes(index * 31))
            tape.other_packet(PacketType.COMMAND, b"\x05\x01\x00\x01\x00")
            tape.other_packet(PacketType.RAW, struct.pack("<dI4sBI3s", at, 4, b"COM1", 0, 3, b"abc"))
            tape.text(event, at, f"Event {index}: Größe {index}")
        play(tape, tracks, after=START + 1000.0)

    return bench.readable(build)


def undeclared_track(bench: Bench) -> CaseTruth:
    """Records of a track number that was never declared."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        tracks = begin(tape, channels)
        play(tape, tracks, before=CHANGE)
        tape.undeclared_records(999, even_times(CHANGE, 250, 2.0))
        play(tape, tracks, after=CHANGE)

    return bench.readable(build)


def malformed_packets(bench: Bench) -> CaseTruth:
    """Packets too short for what they should hold, between sound ones."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        tracks = begin(tape, channels)
        play(tape, tracks, before=CHANGE)
        tape.malformed_packet(PacketType.RECORD, b"\x0a\x00abcd")
        tape.malformed_packet(PacketType.RECORD, struct.pack("<HdH", 10, CHANGE, 1))
        tape.malformed_packet(PacketType.RECORD, struct.pack("<HdHH", 10, CHANGE, 1, 7))
        tape.malformed_packet(PacketType.TRACK, struct.pack("<HBBI", 800, 2, 1, 400) + b"NAME")
        tape.malformed_packet(PacketType.DEVICE, struct.pack("<II", 9, 70) + b"Primus")
        play(tape, tracks, after=CHANGE)

    return bench.readable(build)


def device_without_name(bench: Bench) -> CaseTruth:
    """The monitor's device packet has a type and an empty name."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        play(tape, begin(tape, channels, nameless="Solar8000"))

    return bench.readable(build)


def pressure_before_zeroing(bench: Bench) -> CaseTruth:
    """The arterial line is recorded for five minutes before its transducer is zeroed: all of it negative."""
    channels = bench.channels()
    for name, level in zip(_PRESSURES, (-9.0, -14.0, -12.0), strict=True):
        channels = changed(channels, name, partial(_negative, level=level))
    return bench.readable(plain(channels))


def _negative(channel: Channel, level: float) -> Channel:
    return replace(channel, values=np.where(channel.times < START + 300.0, level, channel.values))


def no_clinical_row(bench: Bench) -> CaseTruth:
    """A sound recording of which the clinical table knows nothing."""
    return bench.readable(plain(bench.channels()))
