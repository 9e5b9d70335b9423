"""The steps of the grid by the library of ``grid.c``, where there is one (:data:`LIBRARY`).

Each function gives what numpy gives to the bit; arrays are taken as they stand in memory, so that all must be whole
(C-contiguous) and of the kinds that are named.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.library import CompiledLibrary, address_of
from core.workloads.vitaldb.features import Feature

Floats = NDArray[np.float64]
Valid = NDArray[np.bool_]
Places = NDArray[np.int32]

_INTEGER, _NUMBER, _ADDRESS = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p

_MEDIAN_ROUNDS = 64
"""A round mostly halves what is left, and no recording has 2**22 records of a track."""


class _State(ctypes.Structure):
    _fields_ = (("last", _INTEGER), ("is_seen", _INTEGER), ("latest", _NUMBER))


class _Rule(ctypes.Structure):
    """``Rule`` of grid.c, field by field."""

    _fields_ = (
        ("before", _NUMBER),
        ("after", _NUMBER),
        ("minimum", _NUMBER),
        ("span", _NUMBER),
        ("after_hold_s", _INTEGER),
        ("gap_holds", _INTEGER),
        ("state", _State),
    )


class _Pressure(ctypes.Structure):
    """``Pressure`` of grid_samples.h, field by field."""

    _fields_ = (
        ("seconds", _ADDRESS),
        ("values", _ADDRESS),
        ("valid", _ADDRESS),
        ("count", _INTEGER),
        ("hits", _INTEGER),
        ("begin", _INTEGER),
        ("at", _INTEGER),
        ("last", _INTEGER),
    )


class _Mirrored(ctypes.Structure):
    """Every structure that is mirrored; the library tells the size of all of them together."""

    _fields_ = (("rule", _Rule), ("pressure", _Pressure))


def _prepare(library: ctypes.CDLL) -> None:
    for name, arguments in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = None
    library.casemill_median_interval.restype = _NUMBER


_ARGUMENTS = {
    "casemill_contradictions": (_ADDRESS, _NUMBER),
    "casemill_places": (_INTEGER, _ADDRESS, _ADDRESS, _NUMBER, _INTEGER, _ADDRESS),
    "casemill_taken": (_ADDRESS, _INTEGER, _INTEGER),
    "casemill_median_interval": (_INTEGER, _ADDRESS, _INTEGER, _ADDRESS),
    "casemill_histograms": (_ADDRESS, _INTEGER, _INTEGER, _ADDRESS, _INTEGER, _ADDRESS),
    "casemill_observed": (_ADDRESS, *[_INTEGER] * 5, _ADDRESS, _ADDRESS),
    "casemill_normalised": (_ADDRESS, _INTEGER, _INTEGER, _ADDRESS, _INTEGER, _ADDRESS),
}


LIBRARY = CompiledLibrary(
    Path(__file__).with_name("grid.c"), "casemill_grid_bytes", _Mirrored, _prepare, without="numpy"
)


def drop_contradictions(
    library: ctypes.CDLL, pressures: Sequence[tuple[NDArray[np.int64], Floats, Valid]], tolerance: float
) -> list[int]:
    """As :func:`core.workloads.vitaldb.clean.drop_contradictions`."""
    systolic, diastolic, mean = (
        _Pressure(*(address_of(array) for array in one), count=min(map(len, one))) for one in pressures
    )
    found = (_Pressure * 3)(systolic, diastolic, mean)
    library.casemill_contradictions(ctypes.addressof(found), tolerance)
    return [one.hits for one in found]


def median_interval(library: ctypes.CDLL, times: Floats) -> float | None:
    """The median interval between two ``times`` or more; None where looking for it took too long."""
    count = len(times)
    intervals = np.empty(count - 1)
    found: float = library.casemill_median_interval(count, address_of(times), _MEDIAN_ROUNDS, address_of(intervals))
    return found if found == found else None


def places(library: ctypes.CDLL, times: Floats, valid: Valid | None, hold_s: float, length: int) -> Places:
    """As :func:`core.workloads.vitaldb.grid.places`, of the ``valid`` ones among the samples; None: of all."""
    found = np.empty(length + 1, np.int32)
    count = len(times) if valid is None else min(len(times), len(valid))
    library.casemill_places(
        count, address_of(times), None if valid is None else address_of(valid), hold_s, length, address_of(found)
    )
    return found[:-1]


def take(library: ctypes.CDLL, taken: Sequence[tuple[Floats, Places, Floats]]) -> None:
    """As :func:`core.workloads.vitaldb.grid.take`; the places come from :func:`places` of so many times as there are
    values."""
    seconds = {length for _, where, row in taken for length in (len(where), len(row))}
    if len(seconds) > 1:
        raise ValueError("rows and places of different lengths")
    addresses = [address_of(array) for one in taken for array in one]
    found = (_ADDRESS * len(addresses))(*addresses)
    library.casemill_taken(ctypes.addressof(found), len(taken), max(seconds, default=0))


def histograms(library: ctypes.CDLL, grid: Floats, edges: Floats) -> NDArray[np.int64]:
    """Of each feature of the ``grid`` [T, F], the seconds below, between and above its rising ``edges`` [F, n ≥ 2]:
    int64 [F, n + 1]. NaN counts nowhere."""
    rows, edges = np.ascontiguousarray(grid.T), np.ascontiguousarray(edges)
    features, seconds = rows.shape
    counts = np.zeros((features, edges.shape[1] + 1), np.int64)
    library.casemill_histograms(
        address_of(rows), seconds, features, address_of(edges), edges.shape[1], address_of(counts)
    )
    return counts


def observed_share(library: ctypes.CDLL, grid: Floats, count: int, window_s: int, step_s: int) -> NDArray[np.float32]:
    """As :func:`core.workloads.vitaldb.windows.observed_share`; all ``count`` windows lie in the ``grid`` [T, F]."""
    rows = np.ascontiguousarray(grid.T)
    features, seconds = rows.shape
    if count and (count - 1) * step_s + window_s > seconds:
        raise ValueError("a window goes beyond the grid")
    totals, shares = np.empty(seconds + 1, np.int32), np.empty((count, features), np.float32)
    library.casemill_observed(
        address_of(rows), seconds, features, count, window_s, step_s, address_of(totals), address_of(shares)
    )
    return shares


@cache
def _rules(features: tuple[Feature, ...]) -> bytes:
    rules = (
        _Rule(one.before, one.after, one.minimum, one.maximum - one.minimum, one.after_hold_s, one.gap_holds)
        for one in features
    )
    return b"".join(map(bytes, rules))


@cache
def is_quick(library: ctypes.CDLL) -> bool:
    """Whether the processor has the instructions of the library's quick variant; it gives the same."""
    return bool(library.casemill_is_quick())


def normalised_grid(
    library: ctypes.CDLL, grid: Floats, features: tuple[Feature, ...], quick: bool
) -> NDArray[np.float32]:
    """As :func:`core.workloads.vitaldb.grid.normalised_grid`; ``quick`` where :func:`is_quick` says so."""
    rows = np.ascontiguousarray(grid.T)
    rules = ctypes.create_string_buffer(_rules(features))
    out = np.empty(grid.shape, np.float32)
    library.casemill_normalised(
        address_of(rows), len(grid), len(features), ctypes.addressof(rules), quick, address_of(out)
    )
    return out
