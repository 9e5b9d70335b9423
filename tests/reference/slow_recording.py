"""Reads one recording, record by record, into lists."""

from __future__ import annotations

import csv
import io
import math
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SPAN_S = 48 * 3600.0
NUMERIC = 2
# Format code -> (struct code, bytes, missing-value sentinel).
FORMATS: dict[int, tuple[str, int, int | None]] = {
    1: ("<f", 4, None),
    2: ("<d", 8, None),
    3: ("<b", 1, -128),
    4: ("<B", 1, 255),
    5: ("<h", 2, -32768),
    6: ("<H", 2, 65535),
    7: ("<i", 4, -2147483648),
    8: ("<I", 4, 4294967295),
}


class SlowUnreadableError(Exception):
    """Not a recording at all, or cut before its first record."""


class SlowSample(NamedTuple):
    """One record of a numeric track; ``value`` is ``None`` where it holds no finite number."""

    time: float
    value: float | None
    unit: str


@dataclass(frozen=True)
class SlowDeclaration:
    """What a track packet says; ``name`` is ``Device/NAME``."""

    name: str
    kind: int
    format: int
    unit: str
    gain: float
    offset: float


@dataclass
class SlowRecording:
    """Everything that was read. ``tracks`` holds every numeric track, its samples sorted stably by time."""

    start: float | None = None
    earliest: float | None = None
    records: int = 0
    late: int = 0
    malformed: int = 0
    undeclared: int = 0
    bad_time: int = 0
    truncated: bool = False
    devices: list[str] = field(default_factory=list)
    declarations: list[SlowDeclaration] = field(default_factory=list)
    tracks: dict[str, list[SlowSample]] = field(default_factory=dict)

    @property
    def t0(self) -> float | None:
        """The header's start where it can be believed, else the earliest record; ``None`` without a record."""
        if self.earliest is None:
            return None
        if self.start is None or not math.isfinite(self.start) or self.start <= 0:
            return self.earliest
        if self.earliest - self.start > SPAN_S:
            return self.earliest
        return self.start


def read(path: str | Path) -> SlowRecording:
    """The recording at ``path``: CSV where the name ends so, else the ``.vital`` format.

    Raises
    ------
    SlowUnreadableError
        See the class.
    FileNotFoundError
        No such file.
    """
    data = Path(path).read_bytes()
    recording = _read_csv(data) if str(path).lower().endswith(".csv") else _read_vital(data)
    _drop_late_and_sort(recording)
    return recording


def _drop_late_and_sort(recording: SlowRecording) -> None:
    for name, samples in recording.tracks.items():
        assert recording.earliest is not None
        kept = []
        for sample in samples:
            if sample.time - recording.earliest > SPAN_S:
                recording.late += 1
            else:
                kept.append(sample)
        # sorted() is stable: equal times keep the order of the file, so the last of them wins later on.
        recording.tracks[name] = sorted(kept, key=lambda sample: sample.time)


# --- gzip -------------------------------------------------------------------------------------------------------


def inflate(data: bytes) -> tuple[bytes, bool]:
    """All gzip members of ``data`` inflated, and whether the stream is cut or damaged before its end."""
    if data[:2] != b"\x1f\x8b":
        raise SlowUnreadableError("not gzip")
    pieces: list[bytes] = []
    position = 0
    # What follows a member and does not look like another one is padding, which is no loss.
    while data[position : position + 2] == b"\x1f\x8b":
        position, whole = _inflate_member(data, position, pieces)
        if not whole:
            return b"".join(pieces), True
    return b"".join(pieces), False


def _inflate_member(data: bytes, position: int, pieces: list[bytes]) -> tuple[int, bool]:
    inflater = zlib.decompressobj(wbits=31)
    while position < len(data):
        piece = data[position : position + 65536]
        before = inflater.copy()
        try:
            pieces.append(inflater.decompress(piece))
        except zlib.error:
            # The error hides what the piece holds before the damage: take it byte by byte.
            for index in range(len(piece)):
                try:
                    pieces.append(before.decompress(piece[index : index + 1]))
                except zlib.error:
                    break
            return position, False
        position += len(piece)
        if inflater.eof:
            return position - len(inflater.unused_data), True
    return position, False


# --- packets ----------------------------------------------------------------------------------------------------


class _ShortError(Exception):
    """A packet ends before the value that is asked for."""


class _Body:
    """Reads values off the front of one packet's body."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def number(self, code: str) -> float:
        size = struct.calcsize(code)
        if self.position + size > len(self.data):
            raise _ShortError
        (value,) = struct.unpack(code, self.data[self.position : self.position + size])
        self.position += size
        return value  # type: ignore[no-any-return]

    def text(self) -> str:
        length = int(self.number("<I"))
        if self.position + length > len(self.data):
            raise _ShortError
        raw = self.data[self.position : self.position + length]
        self.position += length
        return raw.decode("utf-8", errors="replace")


def _read_vital(compressed: bytes) -> SlowRecording:
    data, cut = inflate(compressed)
    recording = SlowRecording(truncated=cut)
    if data[:4] != b"VITA":
        raise SlowUnreadableError("wrong magic")
    if len(data) < 10:
        raise SlowUnreadableError("cut inside the header")
    (header_length,) = struct.unpack("<H", data[8:10])
    header = data[10 : 10 + header_length]
    if len(header) < header_length:
        raise SlowUnreadableError("cut inside the header")
    if header_length >= 26:
        (recording.start,) = struct.unpack("<d", header[10:18])
    _walk(data, 10 + header_length, recording)
    if recording.truncated and recording.records == 0:
        raise SlowUnreadableError("cut before any record")
    return recording


def _walk(data: bytes, position: int, recording: SlowRecording) -> None:
    device_names: dict[int, str] = {}
    in_force: dict[int, SlowDeclaration] = {}
    while position < len(data):
        if position + 5 > len(data):
            recording.truncated = True
            return
        kind, length = struct.unpack("<BI", data[position : position + 5])
        body = data[position + 5 : position + 5 + length]
        if len(body) < length:
            recording.truncated = True
            return
        position += 5 + length
        try:
            if kind == 9:
                _device(_Body(body), device_names, recording)
            elif kind == 0:
                _declaration(_Body(body), device_names, in_force, recording)
            elif kind == 1:
                _record(body, in_force, recording)
        except _ShortError:
            recording.malformed += 1


def _device(body: _Body, device_names: dict[int, str], recording: SlowRecording) -> None:
    number = int(body.number("<I"))
    device_type = body.text()
    try:
        name = body.text()
    except _ShortError:
        name = ""
    device_names[number] = name or device_type
    recording.devices.append(name or device_type)


def _declaration(
    body: _Body, device_names: dict[int, str], in_force: dict[int, SlowDeclaration], recording: SlowRecording
) -> None:
    number = int(body.number("<H"))
    kind = int(body.number("<B"))
    value_format = int(body.number("<B"))
    name = body.text()
    unit, gain, offset, device = "", 1.0, 0.0, 0
    try:
        unit = body.text()
        for code in ("<f", "<f", "<I", "<f"):  # minimum, maximum, colour, rate
            body.number(code)
        gain = body.number("<d")
        offset = body.number("<d")
        body.number("<B")  # monitor type
        device = int(body.number("<I"))
    except _ShortError:
        pass  # any tail may be missing
    device_name = device_names.get(device, "")
    full_name = f"{device_name}/{name}" if device_name else name
    declaration = SlowDeclaration(full_name, kind, value_format, unit, gain, offset)
    in_force[number] = declaration
    recording.declarations.append(declaration)


def _record(body: bytes, in_force: dict[int, SlowDeclaration], recording: SlowRecording) -> None:
    if len(body) < 12:
        raise _ShortError
    info_length, time, number = struct.unpack("<HdH", body[:12])
    if info_length < 10:
        raise _ShortError
    declaration = in_force.get(number)
    if declaration is None:
        recording.undeclared += 1
        return
    if not math.isfinite(time):
        recording.bad_time += 1
        return
    value: float | None = None
    if declaration.kind == NUMERIC:
        value = _value(body[2 + info_length :], declaration)
        recording.tracks.setdefault(declaration.name, []).append(SlowSample(time, value, declaration.unit))
    recording.records += 1
    if recording.earliest is None or time < recording.earliest:
        recording.earliest = time


def _value(raw: bytes, declaration: SlowDeclaration) -> float | None:
    if declaration.format not in FORMATS:
        raise _ShortError
    code, size, sentinel = FORMATS[declaration.format]
    if len(raw) < size:
        raise _ShortError
    (number,) = struct.unpack(code, raw[:size])
    if sentinel is not None:
        if number == sentinel:
            return None
        number = number * declaration.gain + declaration.offset
    return float(number) if math.isfinite(number) else None


# --- CSV --------------------------------------------------------------------------------------------------------


def parse_number(text: str) -> float | None:
    """``text`` as a float (not necessarily finite), or ``None`` where it is no number."""
    text = text.strip()
    if "_" in text:  # Python's own literals allow 1_000; tables do not
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _read_csv(data: bytes) -> SlowRecording:
    """One row is one point in time; a cell without a number is no record of its track."""
    recording = SlowRecording()
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SlowUnreadableError(str(error)) from error
    if not rows or "Time" not in rows[0]:
        raise SlowUnreadableError("no Time column")
    names = rows[0]
    time_column = names.index("Time")
    for name in names:
        if name != "Time":
            recording.declarations.append(SlowDeclaration(name, NUMERIC, 2, "", 1.0, 0.0))
    for row in rows[1:]:
        time = parse_number(row[time_column]) if time_column < len(row) else None
        if time is None or not math.isfinite(time):
            recording.bad_time += 1
            continue
        if recording.earliest is None or time < recording.earliest:
            recording.earliest = time
        for column, cell in enumerate(row[: len(names)]):
            value = parse_number(cell)
            if column == time_column or value is None or math.isnan(value):
                continue
            recording.records += 1
            sample = SlowSample(time, value if math.isfinite(value) else None, "")
            recording.tracks.setdefault(names[column], []).append(sample)
    return recording
