"""The recordings of the benchmarks: three hours as a theatre records them, in each of the format's three layouts.

They are made of the demo cohort's signals and waves. Numbers are stored as the open data set stores them (float32),
because the usual reader does not apply the gain of integer ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.recording.model import Header
from core.recording.writer import Format, GzipWriter, Layout, NumericTrack, encode
from core.workloads.vitaldb.demo.bench import plain_channels
from core.workloads.vitaldb.demo.channels import WANTED, Channel
from core.workloads.vitaldb.demo.devices import channels_of
from core.workloads.vitaldb.demo.patient import CasePlan, plan_case
from core.workloads.vitaldb.demo.tape import Tape, declare
from core.workloads.vitaldb.demo.waves import Wave, waves_of

SEED = 7
TIMEZONE_BIAS_MINUTES = -540

THREE_HOURS_S = 10_845
"""In the middle of the 30 seconds that give 351 windows, so that no definition of the end changes their number."""

TRACKS = (
    "Solar8000/HR",
    "Solar8000/ART_SBP",
    "Solar8000/ART_DBP",
    "Solar8000/ART_MBP",
    "Solar8000/PLETH_SPO2",
    "Solar8000/ETCO2",
    "BIS/BIS",
    "Orchestra/PPF20_RATE",
    "Orchestra/RFTN20_RATE",
    "Orchestra/NEPI_RATE",
    "Solar8000/VENT_TV",
    "Solar8000/VENT_MEAS_PEEP",
    "Solar8000/FIO2",
    "Solar8000/RR_CO2",
    "Primus/EXP_SEVO",
    "Primus/INSP_SEVO",
)
"""The wanted tracks of the recordings, one for each feature."""

_OTHERS = (
    "ST_I", "ST_III", "ST_V5", "ST_AVR", "ST_AVL", "ST_AVF", "VENT_PIP", "VENT_PPLAT", "VENT_MAWP", "VENT_MV",
    "VENT_INSP_TM", "VENT_COMPL", "GAS2_INSPIRED", "GAS2_EXPIRED",
)  # fmt: skip
"""More tracks of the monitor, which nobody wants: with them, 8 % of a packed file stand before its waves."""


@dataclass(frozen=True)
class Facts:
    """What stands in a recording; ``needed_bytes``: inflated bytes up to the last wanted record, where a reader can
    know that it is the last."""

    layout: Layout
    gzip_bytes: int
    inflated_bytes: int
    needed_bytes: int
    wanted_records: int


def write_recording(path: Path, layout: Layout, seconds: int) -> Facts:
    """Write one recording of so many seconds."""
    plan = _plan(layout, seconds)
    channels = _channels(plan)
    with GzipWriter(path) as file:
        tape = Tape(file.write, _header(layout, channels))
        before = _write(tape, layout, channels, _waves(plan), plan.start, seconds)
    sizes = [channel.times.size for channel in channels]
    last = max(index for index, channel in enumerate(channels) if channel.full_name in TRACKS)
    needed = before + sum(sizes[: last + 1]) * (17 + Format.F32.dtype.itemsize)
    return Facts(
        layout=layout,
        gzip_bytes=path.stat().st_size,
        inflated_bytes=tape.bytes_out,
        needed_bytes=needed if layout is Layout.PACKED else tape.bytes_out,
        wanted_records=sum(size for size, channel in zip(sizes, channels, strict=True) if channel.full_name in TRACKS),
    )


def write_short_recording(path: Path, seconds: int) -> None:
    """A plain recording of any length, interleaved, without waves: what large cohorts are made of."""
    channels = plain_channels(SEED, 1, seconds)
    with GzipWriter(path) as file:
        _write(Tape(file.write, _header(Layout.INTERLEAVED, channels)), Layout.INTERLEAVED, channels, [])


def _plan(layout: Layout, seconds: int) -> CasePlan:
    """A case with every wanted device and no artefact that only one of two readers would have to bear."""
    return replace(
        plan_case(1, SEED), seconds=seconds, layout=layout, profile="vitaldb", trap="", arterial_line=True, cuff=False,
        propofol=True, sevoflurane=True, remifentanil=20, noradrenaline=True, bispectral_index=True,
        cardiac_output=False, leads_off=False, silence=False, duplicate_times=False,
    )  # fmt: skip


def _channels(plan: CasePlan) -> list[Channel]:
    found = [channel for channel in channels_of(plan) if channel.full_name in TRACKS or channel.full_name not in WANTED]
    pattern = next(channel for channel in found if channel.name == "ST_II")
    solar = [channel for channel in found if channel.device == pattern.device]
    solar += [replace(pattern, name=name) for name in _OTHERS]
    others = [channel for channel in found if channel.device != pattern.device]
    return [replace(channel, format=Format.F32, gain=1.0, offset=0.0) for channel in solar + others]


def _waves(plan: CasePlan) -> list[Wave]:
    """The demo's waves, and a second ECG lead and EEG channel with noise of their own."""
    more = {"ECG_II": "ECG_V5", "EEG1_WAV": "EEG2_WAV"}
    again = waves_of(replace(plan, seed=plan.seed + 1))
    return waves_of(plan) + [replace(wave, name=more[wave.name]) for wave in again if wave.name in more]


def _header(layout: Layout, channels: Sequence[Channel]) -> Header:
    if layout is Layout.INTERLEAVED:
        return Header(3, 10, TIMEZONE_BIAS_MINUTES)
    start = min(float(channel.times[0]) for channel in channels)
    end = max(float(channel.times[-1]) for channel in channels)
    return Header(3, 27, TIMEZONE_BIAS_MINUTES, start, end, layout is Layout.PACKED)


def _write(
    tape: Tape, layout: Layout, channels: Sequence[Channel], waves: Sequence[Wave], start: float = 0.0, seconds: int = 0
) -> int:
    """Write everything; returns the bytes before the first record."""
    names = dict.fromkeys([*(channel.device for channel in channels), *(wave.device for wave in waves)])
    devices = {name: number for number, name in enumerate(names, 1)}
    for name, number in devices.items():
        tape.device(number, name, name)
    contiguous = layout is not Layout.INTERLEAVED
    numerics = []
    for number, channel in enumerate(channels, 1):
        declaration = declare(channel, number, devices[channel.device], 12 if contiguous else 9, contiguous)
        tape.track(declaration)
        numerics.append(NumericTrack(declaration, channel.times, encode(declaration, channel.values)))
    tracks = [
        wave.track(number, devices[wave.device], start + 1.0, seconds - 2, layout)
        for number, wave in enumerate(waves, len(channels) + 1)
    ]
    for track in tracks:
        tape.track(track.declaration)
    before = tape.bytes_out
    tape.layout(layout, numerics, tracks, [])
    return before
