"""What every recording format shares: its clock, and samples in the order of the file settled into tracks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recording.inflate import unreadable
from core.recording.model import MAXIMUM_SPAN_S, Track

MAXIMUM_RECORDS = 4_000_000
"""Wanted records of one recording: two days of 23 tracks at one value a second. More is ``unreadable``."""

MAXIMUM_UNITS = np.iinfo(np.int16).max


@dataclass
class Clock:
    """The earliest and the latest record so far, in seconds on the recording's own clock (NaN: none yet).

    ``farthest`` is the latest of all, ``latest`` of those that are not late.
    """

    earliest: float = math.nan
    latest: float = math.nan
    farthest: float = math.nan

    def add(self, times: NDArray[np.float64]) -> None:
        """Take finite times; one over 48 h after the earliest does not move ``latest``."""
        if not len(times):
            return
        # Which of two zeros numpy calls the smaller one depends on the processor: adding 0 leaves the positive one.
        self.earliest = float(np.fmin(self.earliest, times.min())) + 0.0
        self.farthest = float(np.fmax(self.farthest, times.max())) + 0.0
        in_time = times[is_in_time(times, self.earliest)]
        self.latest = float(np.fmax(self.latest, in_time.max(initial=-math.inf))) + 0.0

    def seconds(self, t0: float) -> float:
        """Seconds from ``t0`` to the latest record that is not late; 0 without records."""
        span = min(self.latest, self.earliest + MAXIMUM_SPAN_S) - t0
        return max(0.0, span) if math.isfinite(span) else 0.0


def is_in_time(times: NDArray[np.float64], earliest: float) -> NDArray[np.bool_]:
    """Which finite ``times`` are not over 48 h after ``earliest`` (spec/vitaldb, recording format)."""
    with np.errstate(over="ignore"):
        return times - earliest <= MAXIMUM_SPAN_S


@dataclass(frozen=True)
class Samples:
    """One wanted track's samples in the order of the file; the arrays are as in :class:`Track`, but not sorted."""

    name: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    units: tuple[str, ...]
    unit_of: NDArray[np.int16]


@dataclass(frozen=True)
class Settled:
    """The tracks, and what settling them counted (:class:`~core.recording.model.LossReport`).

    Tracks with the same rising times share one array of them: what follows from times alone need be found once only.
    """

    tracks: dict[str, Track]
    kept: int
    late: int
    duplicate_times: int
    backward_times: int
    largest_gap_s: float


def settle(tracks: Iterable[Samples], earliest: float) -> Settled:
    """Drop what is over 48 h after ``earliest``; sort each track by time, equal times in the order of the file."""
    settled: dict[str, Track] = {}
    late = duplicate = backward = 0
    rising = _Rising()
    for samples in tracks:
        times = rising.known(samples.times)
        before, after = times[:-1], times[1:]
        rises = rising.holds(times) or bool(np.all(after > before))
        if not rises:
            duplicate += int(np.count_nonzero(after == before))
            backward += int(np.count_nonzero(after < before))
        track = _in_order(samples, times, earliest, rises)
        if rises and track.times is times:
            rising.add(times)
        late += len(times) - len(track.times)
        settled[samples.name] = track
    return Settled(
        tracks=settled,
        kept=sum(len(track.times) for track in settled.values()),
        late=late,
        duplicate_times=duplicate,
        backward_times=backward,
        largest_gap_s=_largest_gap([track.times for track in settled.values()]),
    )


class _Rising:
    """Rising times met so far: a device mostly writes its tracks at the same times, and they then share one array.

    Each is compared with one other only, so that many that almost repeat each other do not take long.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, float, float], NDArray[np.float64]] = {}

    def known(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The array of an earlier track with the same times, or this one."""
        found = self._known.get(_ends(times)) if len(times) else None
        return times if found is None or not (found == times).all() else found

    def holds(self, times: NDArray[np.float64]) -> bool:
        """Whether this very array was added."""
        return bool(len(times)) and self._known.get(_ends(times)) is times

    def add(self, times: NDArray[np.float64]) -> None:
        """Remember these; they rise."""
        if len(times):
            self._known[_ends(times)] = times


def _ends(times: NDArray[np.float64]) -> tuple[int, float, float]:
    return len(times), float(times[0]), float(times[-1])


def check_room(records: int) -> None:
    """Raise ``unreadable`` where one recording holds more wanted records than :data:`MAXIMUM_RECORDS`."""
    if records > MAXIMUM_RECORDS:
        raise unreadable(f"The file has too many records: over {MAXIMUM_RECORDS:,} of the wanted tracks.")


def finite_or_missing(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values with NaN for what is no finite number."""
    return np.where(np.isfinite(values), values, np.nan)


def _in_order(samples: Samples, times: NDArray[np.float64], earliest: float, rises: bool) -> Track:
    values, unit_of = samples.values, samples.unit_of
    # Of rising times the last is the latest; one number is quicker compared without numpy, and overflows silently.
    late = bool(len(times)) and float(times[-1]) - earliest > MAXIMUM_SPAN_S
    if late if rises else not is_in_time(times, earliest).all():
        keep = is_in_time(times, earliest)
        times, values, unit_of = times[keep], values[keep], unit_of[keep]
    if not rises and np.any(times[1:] < times[:-1]):
        order = np.argsort(times, kind="stable")
        times, values, unit_of = times[order], values[order], unit_of[order]
    return Track(samples.name, times, values, samples.units, unit_of)


_FEW = 16


def _largest_gap(times: list[NDArray[np.float64]]) -> float:
    """The longest time between two neighbours of all ``times``, each array of which rises."""
    distinct = sorted({id(one): one for one in times if len(one)}.values(), key=len)
    if sum(map(len, distinct)) < 2:
        return 0.0
    # What the others have between two of the times that are most can but divide that gap. Mostly a few of them are
    # longer than what the longest is divided into, so that the rest needs no sorting.
    *others, most = distinct
    bounds = np.empty(len(most) + 2)
    bounds[0], bounds[1:-1], bounds[-1] = min(one[0] for one in distinct), most, max(one[-1] for one in distinct)
    undivided = np.diff(bounds)
    longest = int(undivided.argmax())
    found = _divided_gap(others, bounds[longest], bounds[longest + 1])
    left = np.flatnonzero(undivided > found)
    if len(left) > _FEW:
        return _divided_gap(distinct, bounds[0], bounds[-1])
    return max([found, *(_divided_gap(others, bounds[at], bounds[at + 1]) for at in left if at != longest)])


def _divided_gap(times: list[NDArray[np.float64]], begin: np.float64, end: np.float64) -> float:
    """The longest gap from ``begin`` to ``end``, divided by what the ``times`` have between them."""
    between = [one[one.searchsorted(begin) : one.searchsorted(end)] for one in times]
    merged = np.concatenate([[begin], *between, [end]])
    # Sorted pieces on end: a sort that merges them takes a tenth of the time of one that does not see them.
    merged.sort(kind="stable")
    return float(np.diff(merged).max())
