"""Records attributed to their tracks when the file has ended, and every device has been heard of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recording.collect import MAXIMUM_UNITS, Samples
from core.recording.declare import KIND_NAMES, NUMERIC, TEXT, UNDECLARED, UNLISTED, Register
from core.recording.inflate import unreadable
from core.recording.model import Declaration
from core.recording.packets import FORMAT_NAMES
from core.recording.records import Records


def samples(records: Records) -> Iterator[Samples]:
    """The wanted numeric tracks in order of declaration, their samples in the order of the file.

    Takes the collected columns out of ``records``.
    """
    wanted = _wanted(records.register)
    columns = records.columns(wanted.track_of, wanted.unit_of, len(wanted.units))
    ends = columns.ends.tolist()
    for number, (name, units) in enumerate(wanted.units.items()):
        rows = slice(ends[number], ends[number + 1])
        yield Samples(name, columns.times[rows], columns.values[rows], tuple(units), columns.unit_of[rows])


def declarations(records: Records) -> tuple[Declaration, ...]:
    """The latest declaration of each name, in order of first declaration, with the records of all of them."""
    register = records.register
    latest: dict[str, int] = {}
    counts: dict[str, int] = {}
    declared = register.last_declared
    for index, name in enumerate(register.final_names()):
        if index in (UNDECLARED, UNLISTED):
            continue
        if name not in latest or declared[index] >= declared[latest[name]]:
            latest[name] = index
        counts[name] = counts.get(name, 0) + register.records[index]
    return tuple(_declaration(register, name, index, counts[name]) for name, index in latest.items())


def _declaration(register: Register, name: str, index: int, records: int) -> Declaration:
    packet = register.packets[index]
    text = packet.kind == TEXT
    return Declaration(
        name=name,
        kind=KIND_NAMES.get(packet.kind, "unknown"),
        format="text" if text else FORMAT_NAMES.get(packet.format, "unknown"),
        unit=packet.unit,
        rate_hz=packet.rate_hz,
        records=records,
    )


@dataclass(frozen=True)
class _Wanted:
    """Per declaration its wanted track (int32, -1: none) and its unit (int16); per wanted track its units."""

    track_of: NDArray[np.int32]
    unit_of: NDArray[np.int16]
    units: dict[str, dict[str, int]]


def _wanted(register: Register) -> _Wanted:
    names = register.final_names()
    track_of = np.full(len(names), -1, np.int32)
    unit_of = np.zeros(len(names), np.int16)
    units: dict[str, dict[str, int]] = {}
    positions: dict[str, int] = {}
    for index, (name, packet) in enumerate(zip(names, register.packets, strict=True)):
        if index == UNDECLARED or packet.kind != NUMERIC or not register.is_wanted(name):
            continue
        of_track = units.setdefault(name, {})
        if len(of_track) == MAXIMUM_UNITS:
            raise unreadable(f"A track is declared in over {MAXIMUM_UNITS:,} units; this is no recording.")
        track_of[index] = positions.setdefault(name, len(positions))
        unit_of[index] = of_track.setdefault(packet.unit, len(of_track))
    return _Wanted(track_of, unit_of, units)
