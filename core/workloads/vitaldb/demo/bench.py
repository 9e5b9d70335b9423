"""A plain short recording to break in one way at a time, and the bookkeeping that every fault shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.recording.model import Header
from core.recording.writer import GzipWriter, Layout, NumericTrack, encode
from core.workload import Outcome
from core.workloads.vitaldb.demo.channels import Channel
from core.workloads.vitaldb.demo.randomness import generator
from core.workloads.vitaldb.demo.signals import Floats, noise, shown
from core.workloads.vitaldb.demo.tape import Tape, declare
from core.workloads.vitaldb.demo.truth import CaseTruth, truth_of_readable

OLD_HEADER = Header(3, 10, -540)
START = 1_500_000_000.125
"""A power of two in the fraction: times at whole seconds from here are exact."""

SECONDS = 1500
"""25 minutes."""

Build = Callable[[Tape], None]

_CURVES = {
    "Solar8000/HR": ("/min", 2.0, 72.0, 4.0),
    "Solar8000/PLETH_SPO2": ("%", 2.0, 98.0, 0.6),
    "Solar8000/ART_SBP": ("mmHg", 2.0, 121.0, 5.0),
    "Solar8000/ART_DBP": ("mmHg", 2.0, 64.0, 2.0),
    "Solar8000/ART_MBP": ("mmHg", 2.0, 86.0, 2.0),
    "Solar8000/ETCO2": ("mmHg", 2.0, 35.0, 1.0),
    "Solar8000/VENT_TV": ("mL", 2.0, 480.0, 8.0),
    "Solar8000/FIO2": ("%", 2.0, 42.0, 0.5),
    "Primus/PEEP_MBAR": ("mbar", 7.0, 5.0, 0.3),
    "Primus/RR_CO2": ("/min", 7.0, 12.0, 0.4),
    "Primus/EXP_SEVO": ("kPa", 7.0, 1.8, 0.1),
    "BIS/BIS": ("", 1.0, 44.0, 3.0),
    "Orchestra/PPF20_RATE": ("mL/h", 1.0, 22.0, 1.0),
}
"""Unit, interval (s), level and spread of the tracks of the plain recording."""

SIGNALS = ("Solar8000/HR", "Solar8000/PLETH_SPO2", "Solar8000/ART_SBP", "Solar8000/ART_DBP", "Solar8000/ART_MBP")
"""The tracks that make a recording usable; without two of the three kinds it has no signal."""


def plain_channels(
    seed: int, number: int, seconds: int = SECONDS, without: Sequence[str] = (), start: float = START
) -> list[Channel]:
    """Unremarkable tracks; the last sample lies ``seconds - 1`` after ``start``, so that T is ``seconds``."""
    random = generator(seed, number, "fault")
    channels = []
    for name, (unit, interval, level, spread) in _CURVES.items():
        device, short = name.split("/")
        offsets = np.arange(0.0, seconds, interval)
        curve = level + noise(random, max(seconds, 1), spread, 60.0)[offsets.astype(np.int64)]
        resolution = 0.1 if unit in ("kPa", "", "mL/h") else 1.0
        channel = Channel(device, short, unit, start + offsets, shown(curve, resolution, 0.0, 1000.0))
        if name == "Solar8000/PLETH_SPO2":
            channel = replace(channel, values=np.minimum(channel.values, 100.0))
        channels.append(channel)
    return [channel for channel in channels if channel.full_name not in without]


def only(channels: Iterable[Channel], device: str) -> list[Channel]:
    """The channels of one device."""
    return [channel for channel in channels if channel.device == device]


def changed(channels: Iterable[Channel], name: str, change: Callable[[Channel], Channel]) -> list[Channel]:
    """The channels, one of them changed."""
    return [change(channel) if channel.full_name == name else channel for channel in channels]


def begin(tape: Tape, channels: Sequence[Channel], nameless: str = "") -> list[NumericTrack]:
    """Declare devices (``nameless`` only by its type) and tracks, numbered from 1."""
    devices = {name: number for number, name in enumerate(dict.fromkeys(c.device for c in channels), 1)}
    for name, number in devices.items():
        tape.device(number, name, "" if name == nameless else name)
    tracks = []
    for number, channel in enumerate(channels, 1):
        declaration = declare(channel, number, devices[channel.device])
        tape.track(declaration)
        tracks.append(NumericTrack(declaration, channel.times, encode(declaration, channel.values)))
    return tracks


def play(tape: Tape, tracks: Sequence[NumericTrack], after: float = -np.inf, before: float = np.inf) -> None:
    """Write the records of ``after`` <= time < ``before``, as the recorder streams them."""
    parts = []
    for track in tracks:
        piece = slice(*np.searchsorted(track.times, (after, before)).tolist())
        parts.append(NumericTrack(track.declaration, track.times[piece], track.raw[piece]))
    tape.layout(Layout.INTERLEAVED, [part for part in parts if part.times.size], [], [])


def plain(channels: Sequence[Channel]) -> Build:
    """A recording of these channels and nothing else."""

    def build(tape: Tape) -> None:
        play(tape, begin(tape, channels))

    return build


@dataclass(frozen=True)
class Bench:
    """Where one faulty case is made: its file, its random numbers, and its truth as far as it is known before."""

    path: Path
    seed: int
    number: int
    base: CaseTruth

    def channels(self, seconds: int = SECONDS, without: Sequence[str] = (), start: float = START) -> list[Channel]:
        """The plain channels of this case."""
        return plain_channels(self.seed, self.number, seconds, without, start)

    def readable(self, build: Build, header: Header = OLD_HEADER, *, finish: bool = True, cut: bool = False,
                 tail: bytes = b"") -> CaseTruth:  # fmt: skip
        """A recording that can be used as far as it goes.

        Without ``finish`` the gzip stream is cut after what ``build`` wrote; ``cut`` says that the last packet
        is not whole; ``tail`` follows the gzip stream.
        """
        tape = self._write(build, header, finish)
        if tail:
            with self.path.open("ab") as file:
                file.write(tail)
        truth = truth_of_readable(self.base, tape, self.path.stat().st_size, truncated=cut or not finish)
        loss = truth.loss and replace(truth.loss, trailing_bytes=len(tail))
        return replace(truth, loss=loss)

    def failed(self, build: Build, reason: str, header: Header = OLD_HEADER) -> CaseTruth:
        """A recording that can be read and not be used."""
        tape = self._write(build, header, True)
        loss = tape.loss(self.path.stat().st_size)
        return replace(
            self.base, outcome=Outcome.FAILED, reason=reason, flags=(), loss=loss, header_length=header.length
        )

    def unreadable(self, build: Build, *, finish: bool = False, tail: bytes = b"") -> CaseTruth:
        """A file that begins as ``build`` says and goes on with the bytes ``tail``, which spoil all of it."""
        self._write(build, OLD_HEADER, finish)
        with self.path.open("ab") as file:
            file.write(tail)
        return self.unreadable_as_is()

    def unreadable_bytes(self, data: bytes) -> CaseTruth:
        """A file of just these bytes."""
        self.path.write_bytes(data)
        return self.unreadable_as_is()

    def unreadable_as_is(self) -> CaseTruth:
        """The truth of a file of which nothing can be used."""
        return replace(self.base, outcome=Outcome.FAILED, reason="unreadable", flags=())

    def _write(self, build: Build, header: Header, finish: bool) -> Tape:
        file = GzipWriter(self.path, level=6)
        tape = Tape(file.write, header)
        build(tape)
        file.close(finish=finish)
        return tape


def even_times(first: float, seconds: int, interval: float) -> Floats:
    """Times [n] from ``first``, every ``interval`` seconds, for so many seconds."""
    return first + np.arange(0.0, seconds, interval)
