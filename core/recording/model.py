"""What a reader hands over: tracks as arrays, and a report of everything it met on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAXIMUM_SPAN_S = 48 * 3600.0
"""Records later than this after the earliest one are dropped and counted (spec/vitaldb, recording format)."""


@dataclass(frozen=True)
class Track:
    """One wanted track, known by ``Device/NAME`` whatever its number.

    ``times`` (float64 [n], seconds on the recording's own clock) rise; equal times keep the order of the file.
    ``values`` (float64 [n]) are in the unit that was declared when the record was written, gain and offset
    applied; NaN where the record holds a missing-value sentinel or no finite number. ``unit_of`` (int16 [n])
    points into ``units``, the declared units as they stand in the file, each once, in order of declaration;
    a track that was declared and never recorded has units and no samples.
    """

    name: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    units: tuple[str, ...] = ("",)
    unit_of: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))


@dataclass(frozen=True)
class Declaration:
    """One declared track as ``inspect`` shows it; the latest declaration of its name."""

    name: str
    kind: str
    format: str
    unit: str
    rate_hz: float
    records: int


@dataclass(frozen=True)
class Header:
    """The recording's header; ``start`` and ``end`` (seconds) only where the generation has them."""

    version: int
    length: int
    timezone_bias_minutes: int
    start: float | None = None
    end: float | None = None
    packed: bool | None = None


@dataclass(frozen=True)
class LossReport:
    """Everything that was read, and everything that was not kept, with the reason.

    ``seconds`` runs from t = 0 to the latest record of any declared track. ``records_read`` counts records of
    declared tracks with a finite time; ``records_kept`` those of wanted numeric tracks that the caller gets;
    ``records_unwanted`` the rest. ``records_undeclared``, ``records_bad_time``, ``records_late`` (wanted, over
    48 h after the earliest record) and ``malformed_packets`` were skipped. ``duplicate_times`` and
    ``backward_times`` compare each wanted record with the one before it in the same track, in the order of the
    file. ``largest_gap_s`` is the longest time without any wanted record. ``truncated``: the file ends inside a
    packet or inside its compressed stream. ``rest_not_examined``: the reader stopped after ``bytes_in``, because a
    packed recording had given all that is wanted; every figure is of what was read, and how the file ends is unknown.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    packets: Mapping[str, int] = field(default_factory=dict)
    records_read: int = 0
    records_kept: int = 0
    records_unwanted: int = 0
    records_undeclared: int = 0
    records_bad_time: int = 0
    records_late: int = 0
    malformed_packets: int = 0
    tracks_redeclared: int = 0
    duplicate_times: int = 0
    backward_times: int = 0
    largest_gap_s: float = 0.0
    trailing_bytes: int = 0
    truncated: bool = False
    rest_not_examined: bool = False


@dataclass(frozen=True)
class Recording:
    """One recording: the wanted tracks, its clock, and the loss report.

    ``earliest`` is the earliest time of any record of the whole file, wanted or not (NaN: no record).
    """

    format: str
    header: Header | None
    earliest: float
    tracks: Mapping[str, Track]
    declarations: tuple[Declaration, ...]
    devices: tuple[str, ...]
    loss: LossReport

    @property
    def t0(self) -> float:
        """Second zero: the header's start where it is present, finite and > 0, else the earliest record.

        A header that claims a start more than 48 h before the first record is not believed: the grid would
        grow without bound (spec/vitaldb, fine print; the bound is ours).
        """
        start = self.header.start if self.header else None
        if start is None or not np.isfinite(start) or start <= 0:
            return self.earliest
        return self.earliest if self.earliest - start > MAXIMUM_SPAN_S else start
