"""Writes the packets of one recording and keeps its own books on them: the origin of the ground truth.

Nothing here reads a recording. Every count follows from what was asked to be written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from core.recording.model import MAXIMUM_SPAN_S, Header, LossReport
from core.recording.writer import (
    Layout,
    NumericTrack,
    Packets,
    PacketType,
    Sink,
    TrackDeclaration,
    TrackKind,
    WaveTrack,
    device_packet,
    encode,
    header_bytes,
    numeric_packets,
    packet,
    text_packets,
    track_packet,
    write_records,
)
from core.workloads.vitaldb.demo.channels import WANTED, Channel
from core.workloads.vitaldb.demo.signals import Floats

WINDOW_S, STEP_S, HORIZON_S = 300, 30, 30
"""Windows at the default configuration (spec/vitaldb, steps 7 and 8)."""

_NAMES = {int(kind): kind.name.lower() for kind in PacketType}


def windows_in(seconds: int) -> int:
    """How many windows fit into a recording of so many seconds (spec/vitaldb, step 7)."""
    return max(0, (seconds - WINDOW_S - HORIZON_S) // STEP_S + 1)


@dataclass
class Tape:
    """One recording while it is written.

    ``sink`` takes the bytes. ``wanted`` holds the times of the records of wanted numeric tracks, by full
    name, in the order of the file; ``others`` those of all other declared tracks.
    """

    sink: Sink
    header: Header
    bytes_out: int = 0
    wanted: dict[str, list[Floats]] = field(default_factory=dict)
    others: list[Floats] = field(default_factory=list)
    packets: Counter[str] = field(default_factory=Counter)
    undeclared: int = 0
    bad_time: int = 0
    malformed: int = 0
    redeclared: int = 0
    _devices: dict[int, str] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._put(header_bytes(self.header))

    def _put(self, data: bytes) -> None:
        self.bytes_out += len(data)
        self.sink(data)

    def device(self, number: int, kind: str, name: str, port: str | None = None) -> None:
        """Declare a device; without a name it goes by its type."""
        self.packets["device"] += 1
        self._devices[number] = name or kind
        self._put(device_packet(number, kind, name, port))

    def track(self, declaration: TrackDeclaration) -> None:
        """Declare a track."""
        self.packets["track"] += 1
        device = self._devices.get(declaration.device, "") if declaration.tail_fields >= 9 else ""
        name = f"{device}/{declaration.name}" if device else declaration.name
        self.redeclared += name in self._known
        self._known.add(name)
        self._names[declaration.number] = name
        self._put(track_packet(declaration))

    def records(self, declaration: TrackDeclaration, times: Floats, values: Floats) -> None:
        """Records of a numeric track, in the order given; a time that is not finite counts as bad."""
        finite = np.isfinite(times)
        self.bad_time += int((~finite).sum())
        self._keep_books(declaration, times[finite], times.size)
        self._put(numeric_packets(declaration, times, encode(declaration, values)).rows.tobytes())

    def layout(
        self, layout: Layout, numerics: Sequence[NumericTrack], waves: Sequence[WaveTrack], texts: Sequence[Packets]
    ) -> None:
        """All records of ordinary tracks in one of the three layouts."""
        for track in numerics:
            self._keep_books(track.declaration, track.times, track.times.size)
        for wave in waves:
            seconds = np.arange(wave.seconds if layout is not Layout.PACKED else 1, dtype=np.float64)
            self._keep_books(wave.declaration, wave.start + seconds, seconds.size)
        for text in texts:
            self.others.append(text.times)
            self.packets["record"] += 1
        write_records(self._put, layout, numerics, waves, texts)

    def text(self, declaration: TrackDeclaration, time: float, text: str) -> None:
        """One record of a text track."""
        self._keep_books(declaration, np.array([time]), 1)
        self._put(text_packets(declaration, time, text).rows.tobytes())

    def undeclared_records(self, number: int, times: Floats) -> None:
        """Records of a track that was never declared."""
        self.packets["record"] += times.size
        self.undeclared += times.size
        self._put(numeric_packets(TrackDeclaration(number, ""), times, np.zeros(times.size)).rows.tobytes())

    def other_packet(self, kind: int, body: bytes) -> None:
        """A command, raw or unknown packet."""
        self.packets[_NAMES.get(kind, "unknown")] += 1
        self._put(packet(kind, body))

    def malformed_packet(self, kind: PacketType, body: bytes) -> None:
        """A packet of a known type that is too short for what it should hold."""
        self.packets[_NAMES[kind]] += 1
        self.malformed += 1
        self._put(packet(kind, body))

    def raw_bytes(self, data: bytes) -> None:
        """Bytes that make no whole packet: what stands before a cut."""
        self._put(data)

    def declarations(self, data: bytes, count: int) -> None:
        """Ready-made declarations of distinct, unwanted tracks."""
        self.packets["track"] += count
        self._put(data)

    def _keep_books(self, declaration: TrackDeclaration, times: Floats, packets: int) -> None:
        self.packets["record"] += packets
        name = self._names[declaration.number]
        if name in WANTED and declaration.kind is TrackKind.NUMERIC:
            self.wanted.setdefault(name, []).append(times)
        else:
            self.others.append(times)

    @property
    def earliest(self) -> float:
        """The earliest time of any record of a declared track."""
        times = [*(part for parts in self.wanted.values() for part in parts), *self.others]
        return float(min(part.min() for part in times if part.size))

    def _wanted_times(self) -> tuple[Floats, int]:
        """Sorted times of the wanted records that are kept, and how many come too late to be."""
        times = np.sort(np.concatenate([part for parts in self.wanted.values() for part in parts]))
        late = int((times > self.earliest + MAXIMUM_SPAN_S).sum())
        return times[: times.size - late], late

    @property
    def t0(self) -> float:
        """Second zero (spec/vitaldb, fine print); a start over 48 h before the first record is not believed."""
        start = self.header.start
        if start is None or not np.isfinite(start) or start <= 0 or self.earliest - start > MAXIMUM_SPAN_S:
            return self.earliest
        return start

    @property
    def seconds(self) -> int:
        """T of the spec: from second zero to the last kept record of a wanted track."""
        kept, _ = self._wanted_times()
        return int(np.floor(kept[-1] - self.t0)) + 1

    @property
    def windows(self) -> int:
        """The windows that T seconds give."""
        return windows_in(self.seconds)

    def loss(self, bytes_in: int, truncated: bool = False) -> LossReport:
        """The loss report that a faithful reader gives of what was written so far."""
        kept, late = self._wanted_times()
        steps = [np.diff(np.concatenate(parts)) for parts in self.wanted.values()]
        others = sum(part.size for part in self.others)
        in_time = [part[part <= self.earliest + MAXIMUM_SPAN_S] for part in self.others]
        ends = [float(part.max()) for part in in_time if part.size] + [float(kept[-1])]
        return LossReport(
            bytes_in=bytes_in,
            bytes_out=self.bytes_out,
            seconds=max(ends) - self.t0,
            packets={name: self.packets[name] for name in (*_NAMES.values(), "unknown")},
            records_read=kept.size + late + others,
            records_kept=kept.size,
            records_unwanted=others,
            records_undeclared=self.undeclared,
            records_bad_time=self.bad_time,
            records_late=late,
            malformed_packets=self.malformed,
            tracks_redeclared=self.redeclared,
            duplicate_times=sum(int((step == 0).sum()) for step in steps),
            backward_times=sum(int((step < 0).sum()) for step in steps),
            largest_gap_s=float(np.diff(kept).max(initial=0.0)),
            truncated=truncated,
        )


def declare(
    channel: Channel, number: int, device: int, tail_fields: int = 12, contiguous: bool = False
) -> TrackDeclaration:
    """The declaration of a channel under a track and a device number.

    Only where its records stand together does it say how many bytes they take: readers jump by that figure.
    """
    record_bytes = channel.times.size * (17 + channel.format.dtype.itemsize) if contiguous else 0
    start, end = (float(channel.times[0]), float(channel.times[-1])) if channel.times.size else (0.0, 0.0)
    return TrackDeclaration(
        number,
        channel.name,
        channel.unit,
        format=channel.format,
        rate_hz=channel.rate_hz,
        gain=channel.gain,
        offset=channel.offset,
        device=device,
        record_bytes=record_bytes,
        start=start,
        end=end,
        tail_fields=tail_fields,
    )
