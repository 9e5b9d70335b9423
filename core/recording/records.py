"""The records met so far, held against the declarations in force: counts, the clock, and columns of wanted samples.

A walk over the packets of a block fills them. There are two: :mod:`core.recording.native` and
:mod:`core.recording.plain`, which give the same to the bit; :mod:`core.recording.walks` chooses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from core.recording.collect import Clock
from core.recording.declare import UNDECLARED, MalformedPacketError, Register
from core.recording.inflate import unreadable
from core.recording.packets import DEVICE, HEADER_BYTES, RECORD

MAXIMUM_MALFORMED = 100_000
"""Malformed packets that one recording may have (the bound is ours); a real recording has none."""

_packet = Struct("<BI").unpack_from


@dataclass(frozen=True)
class Columns:
    """Samples track by track, each in the order of the file: those of track n are ``ends[n]:ends[n + 1]``.

    ``ends`` int64 [tracks + 1]; ``times`` (float64, s), ``values`` (float64) and ``unit_of`` (int16).
    """

    ends: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    unit_of: NDArray[np.int16]


class Records(ABC):
    """What both walks share.

    ``packets`` are all met so far, ``counts`` those of each type [256]; ``undeclared``, ``bad_time`` and ``malformed``
    count records that were skipped, ``malformed_declarations`` the track and device packets. ``declared_late``: a
    track or device packet stands behind a record. A collected sample belongs to a numeric track that is wanted, or may
    turn out to be.
    """

    def __init__(self, register: Register) -> None:
        self.register = register
        self.clock = Clock()
        self.counts = array("q", bytes(8 * 256))
        self.packets = 0
        self.read = 0
        self.undeclared = 0
        self.bad_time = 0
        self.malformed = 0
        self.malformed_declarations = 0
        self.declared_late = False

    @abstractmethod
    def walk(self, buffer: bytearray, begin: int, end: int) -> int:
        """Take the complete packets of ``buffer[begin:end]``; give the position of the first that is not complete.

        At least :data:`~core.recording.packets.PADDING_BYTES` follow in the buffer, whatever they are.
        """

    @abstractmethod
    def columns(self, track_of: NDArray[np.int32], unit_of: NDArray[np.int16], tracks: int) -> Columns:
        """The samples of ``tracks`` tracks; ``track_of`` (-1: none) and ``unit_of`` have one element per row.

        The collected samples are given up.
        """

    def _declare(self, buffer: bytearray, at: int) -> tuple[int, int] | None:
        """Take the track or device packet at a position; a track's number, and the row in force from there on."""
        kind, length = _packet(buffer, at)
        body = bytes(memoryview(buffer)[at + HEADER_BYTES : at + HEADER_BYTES + length])
        try:
            if kind == DEVICE:
                self.register.device(body)
                return None
            number, row = self.register.track(body)
        except MalformedPacketError:
            self.malformed_declarations += 1
            self._check_malformed()
            return None
        self.malformed_declarations += row == UNDECLARED
        return number, row

    def _note_late_declaration(self, records_before: int) -> None:
        self.declared_late = self.declared_late or records_before > 0

    def _check_malformed(self) -> None:
        if self.malformed + self.malformed_declarations > MAXIMUM_MALFORMED:
            raise unreadable(f"Over {MAXIMUM_MALFORMED:,} packets are malformed; this is no recording.")

    @property
    def record_packets(self) -> int:
        """Record packets met so far, sound or not."""
        return self.counts[RECORD]
