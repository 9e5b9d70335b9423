"""Device and track packets, and the register of which declaration is in force for which track number."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.recording.inflate import unreadable
from core.recording.packets import FORMAT_BYTES, FORMATS, SENTINELS

WAVE, NUMERIC, TEXT = 1, 2, 5
KIND_NAMES = {WAVE: "wave", NUMERIC: "numeric", TEXT: "text"}

MAXIMUM_STRING_BYTES = 1024
"""A name or unit that claims more makes its packet malformed (bound is ours; real ones have under 30)."""

MAXIMUM_DECLARATIONS = 100_000
MAXIMUM_DECLARED_BYTES = 16 << 20
"""Packets of one recording that are told apart, and their bytes, for unwanted tracks and for the rest alike.

The bounds are ours; real recordings have under 200. Beyond them unwanted tracks share one row, :data:`UNLISTED`; a
wanted track or a device makes the file unreadable.
"""

_ROWS = 64
"""Of the register's columns to begin with; they double where a recording declares more."""

_TOO_MANY = "The file declares more devices and wanted tracks than any recording has."

_u32 = Struct("<I").unpack_from
_device_id = _u32
_track_head = Struct("<HBB").unpack_from

# Behind the unit: f32 minimum, f32 maximum, u32 colour, then f32 rate, f64 gain, f64 offset, u8 kind of monitor, u32
# device, u32 bytes of the records (spec/vitaldb, recording format).
_tail = Struct("<12xfddxII").unpack_from
_TAIL_FIELDS = (Struct("<12xf"), Struct("<16xd"), Struct("<24xd"), Struct("<33xI"), Struct("<37xI"))
_NO_TAIL = (0.0, 1.0, 0.0, None, None)
_TAIL_BYTES = 41


UNDECLARED = 0
"""The declaration index of a track number that has none."""

UNLISTED = 1
"""The declaration index of all unwanted tracks beyond :data:`MAXIMUM_DECLARATIONS`."""


class MalformedPacketError(ValueError):
    """A packet contradicts itself; it is skipped and counted."""


class TrackPacket(NamedTuple):
    """One track declaration as it stands in the file; ``None`` where the tail is missing. (A tuple, as each is made and
    looked up once a packet.)

    ``record_bytes`` is what the track's record packets take, headers included, by the file's own word.
    """

    number: int
    kind: int
    format: int
    name: str
    unit: str = ""
    rate_hz: float = 0.0
    gain: float = 1.0
    offset: float = 0.0
    device: int | None = None
    record_bytes: int | None = None


def parse_device(body: bytes) -> tuple[int, str]:
    """The id and the name of a device packet; a device without a name has its type's.

    Raises
    ------
    MalformedPacketError
        The id or the type is not all there, or a string claims more than it may.
    """
    if len(body) < 4:
        raise MalformedPacketError
    kind, at = _string(body, 4)
    name = _string(body, at)[0] if len(body) - at >= 4 else ""
    return _device_id(body, 0)[0], name or kind


def parse_track(body: bytes) -> TrackPacket:
    """A track packet; any tail behind its name may be missing.

    Raises
    ------
    MalformedPacketError
        The name is not all there, a string claims more than it may, or a numeric track has no known format.
    """
    if len(body) < 4:
        raise MalformedPacketError
    number, kind, code = _track_head(body, 0)
    if kind == NUMERIC and code not in FORMATS:
        raise MalformedPacketError
    name, at = _string(body, 4)
    if len(body) - at < 4:
        return TrackPacket(number, kind, code, name)
    unit, at = _string(body, at)
    rate, *others = _tail(body, at) if len(body) - at >= _TAIL_BYTES else _short_tail(body[at:])
    return TrackPacket(number, kind, code, name, unit, rate if math.isfinite(rate) else 0.0, *others)


def _short_tail(tail: bytes) -> list[Any]:
    """What is there of a tail, and for the rest what stands for it."""
    return [
        field.unpack_from(tail)[0] if len(tail) >= field.size else otherwise
        for field, otherwise in zip(_TAIL_FIELDS, _NO_TAIL, strict=True)
    ]


def _string(body: bytes, at: int) -> tuple[str, int]:
    if len(body) - at < 4:
        raise MalformedPacketError
    length = _u32(body, at)[0]
    begin, end = at + 4, at + 4 + length
    if length > MAXIMUM_STRING_BYTES or end > len(body):
        raise MalformedPacketError
    # Old recorders wrote the machine's own code page; a bad character must not cost the track.
    return body[begin:end].decode("utf-8", errors="replace"), end


@dataclass
class _Room:
    """How many packets may still be told apart."""

    packets: int = MAXIMUM_DECLARATIONS
    size: int = MAXIMUM_DECLARED_BYTES

    @property
    def full(self) -> bool:
        return self.packets <= 0 or self.size <= 0

    def take(self, body: bytes) -> bool:
        """Whether there was room for one more; it is taken then."""
        if self.full:
            return False
        self.packets -= 1
        self.size -= len(body)
        return True


class Register:
    """All declarations of one recording by index, and the index in force for each track number.

    A declaration that says the same as an earlier one shares its index. ``names[index]`` is ``None`` as long
    as the track's device has not been declared. ``declared`` counts track packets, ``last_declared[index]`` is
    the count at its latest. The columns ``format``, ``bytes_needed`` (of a value), ``gain``, ``offset``, ``collected``
    (1: its samples may be wanted), and ``records`` and ``record_bytes`` (those met so far, and the bytes of their
    packets) have one row per index, and zeros behind the last one, so that they seldom move; row :data:`UNDECLARED`
    stands for no declaration, row :data:`UNLISTED` for unwanted ones beyond the bound, which ``unlisted`` counts.
    """

    def __init__(self, wanted: Collection[str] | None) -> None:
        self._wanted = None if wanted is None else frozenset(wanted)
        self._endings, self._ending_bytes = _endings(self._wanted or frozenset())
        self._devices: dict[int, str] = {}
        self._waiting: dict[int, list[int]] = {}
        self._known: dict[tuple[TrackPacket, str | None], int] = {}
        self._unwanted_room = _Room()
        self._other_room = _Room()
        self.device_names: dict[str, None] = {}
        self.declared = 0
        self.unlisted = 0
        self.last_declared = [0, 0]
        self.packets = [TrackPacket(0, 0, 0, ""), TrackPacket(0, WAVE, 0, "")]
        self.names: list[str | None] = ["", ""]
        self.format = array("B", bytes(_ROWS))
        self.bytes_needed = array("q", bytes(8 * _ROWS))
        self.gain = array("d", bytes(8 * _ROWS))
        self.offset = array("d", bytes(8 * _ROWS))
        self.collected = array("B", bytes(_ROWS))
        self.records = array("q", bytes(8 * _ROWS))
        self.record_bytes = array("q", bytes(8 * _ROWS))
        self.in_force: NDArray[np.int32] = np.full(1 << 16, UNDECLARED, np.int32)

    def device(self, body: bytes) -> None:
        """Take a device packet; tracks that waited for it get their names."""
        if not self._other_room.take(body):
            raise unreadable(_TOO_MANY)
        number, name = parse_device(body)
        self._devices[number] = name
        self.device_names[name] = None
        for index in self._waiting.pop(number, ()):
            full = self._full_name(name, self.packets[index].name)
            self.names[index] = full
            self.collected[index] &= self.is_wanted(full)

    def track(self, body: bytes) -> tuple[int, int]:
        """Take a track packet: the track number and the index that is in force for it from here on.

        A packet that cannot be understood puts :data:`UNDECLARED` in force: what follows under its number is not
        credited to the track that had the number before.

        Raises
        ------
        MalformedPacketError
            The packet does not even hold a track number.
        """
        if self._unwanted_room.full and self._surely_unwanted(body):
            return self._unlist(int.from_bytes(body[:2], "little"))
        try:
            packet = parse_track(body)
        except MalformedPacketError:
            if len(body) < 2:
                raise
            return int.from_bytes(body[:2], "little"), UNDECLARED
        name = self._name(packet)
        wanted = packet.kind == NUMERIC and self._may_be_wanted(packet.name, name)
        if (self._other_room if wanted else self._unwanted_room).take(body):
            self.declared += 1
            return packet.number, self._index(packet, name, wanted)
        if wanted:
            raise unreadable(_TOO_MANY)
        return self._unlist(packet.number)

    def final_names(self) -> list[str]:
        """The name of each declaration when the file has ended; without a known device the bare name."""
        return [packet.name if name is None else name for packet, name in zip(self.packets, self.names, strict=True)]

    def is_wanted(self, name: str) -> bool:
        """Whether the caller asked for the track."""
        return self._wanted is None or name in self._wanted

    def _name(self, packet: TrackPacket) -> str | None:
        if packet.device is None:
            return packet.name
        device = self._devices.get(packet.device)
        return None if device is None else self._full_name(device, packet.name)

    def _index(self, packet: TrackPacket, name: str | None, wanted: bool) -> int:
        index = self._known.setdefault((packet, name), len(self.packets))
        if index == len(self.packets):
            self.packets.append(packet)
            self.names.append(name)
            self._add_row(packet, wanted)
            self.last_declared.append(0)
            if name is None and packet.device is not None:
                self._waiting.setdefault(packet.device, []).append(index)
        self.last_declared[index] = self.declared
        return index

    def _add_row(self, packet: TrackPacket, collected: bool) -> None:
        row = len(self.packets) - 1
        if row == len(self.format):
            columns = (self.bytes_needed, self.gain, self.offset, self.records, self.record_bytes)
            for column in (self.format, self.collected, *columns):
                column.frombytes(bytes(column.itemsize * row))
        # Gain and offset apply to the integer formats only (spec/vitaldb, fine print).
        scaled = packet.format in SENTINELS
        self.format[row] = packet.format
        self.bytes_needed[row] = FORMAT_BYTES[packet.format] if packet.kind == NUMERIC else 0
        self.gain[row] = packet.gain if scaled else 1.0
        self.offset[row] = packet.offset if scaled else 0.0
        self.collected[row] = collected

    def _may_be_wanted(self, bare: str, name: str | None) -> bool:
        if self._wanted is None:
            return True
        return bare in self._endings if name is None else name in self._wanted

    @staticmethod
    def _full_name(device: str, bare: str) -> str:
        return f"{device}/{bare}" if device else bare

    def _surely_unwanted(self, body: bytes) -> bool:
        """Told by the bare name alone, without taking the packet apart: a million of them must not take long."""
        if self._wanted is None or len(body) < 8:
            return False
        length = _u32(body, 4)[0]
        return 8 + length <= len(body) and body[8 : 8 + length] not in self._ending_bytes

    def _unlist(self, number: int) -> tuple[int, int]:
        self.declared += 1
        self.unlisted += 1
        return number, UNLISTED


@cache
def _endings(wanted: frozenset[str]) -> tuple[frozenset[str], frozenset[bytes]]:
    """A track whose device is still to come may be any wanted one that ends in its bare name."""
    endings = frozenset(name[start:] for name in wanted for start in _starts(name))
    return endings, frozenset(ending.encode() for ending in endings)


def _starts(name: str) -> list[int]:
    return [0, *(at + 1 for at, letter in enumerate(name) if letter == "/")]
