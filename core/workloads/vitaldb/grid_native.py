"""The last steps of the grid by the library of ``grid.c``, where there is one (:func:`usable_library`)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.compile import library_of
from core.library import LibraryError, is_plain, load
from core.workloads.vitaldb.features import Feature

SOURCE = Path(__file__).with_name("grid.c")
LIBRARY = library_of(SOURCE)

_INTEGER, _NUMBER, _ADDRESS = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


class _State(ctypes.Structure):
    _fields_ = (
        ("last", _INTEGER),
        ("is_seen", _INTEGER),
        ("latest", _NUMBER),
        ("value", _NUMBER),
        ("normalised", _NUMBER),
    )


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


def load_library(path: Path = LIBRARY) -> ctypes.CDLL:
    """The compiled steps; errors as :func:`core.library.load`."""
    library = load(path, SOURCE, "casemill_grid_bytes", _Rule)
    library.casemill_histogram.argtypes = (_ADDRESS, _INTEGER, _ADDRESS, _INTEGER, _ADDRESS)
    library.casemill_histogram.restype = None
    library.casemill_normalised.argtypes = (_ADDRESS, _INTEGER, _INTEGER, _ADDRESS, _ADDRESS)
    library.casemill_normalised.restype = None
    return library


@cache
def _library() -> ctypes.CDLL | None:
    try:
        return load_library()
    except LibraryError:
        return None  # numpy then does it, to the same bits


def usable_library() -> ctypes.CDLL | None:
    """The library, where there is one and nobody forbids it."""
    return None if is_plain() else _library()


def histogram(library: ctypes.CDLL, values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Seconds below, between and above the rising ``edges`` [n]: int64 [n + 1]; ``values`` [T] without its NaN."""
    values = np.ascontiguousarray(values)
    counts = np.zeros(len(edges) + 1, np.int64)
    library.casemill_histogram(
        values.ctypes.data, len(values), edges.ctypes.data, len(edges), counts.ctypes.data
    )  # fmt: skip
    return counts


def normalised_grid(
    library: ctypes.CDLL, grid: NDArray[np.float64], features: Sequence[Feature]
) -> NDArray[np.float32]:
    """As :func:`core.workloads.vitaldb.grid.normalised_grid`."""
    rows = np.ascontiguousarray(grid.T)
    rules = (_Rule * len(features))(
        *(
            _Rule(one.before, one.after, one.minimum, one.maximum - one.minimum, one.after_hold_s, one.gap_holds)
            for one in features
        )
    )
    out = np.empty(grid.shape, np.float32)
    library.casemill_normalised(rows.ctypes.data, len(grid), len(features), ctypes.addressof(rules), out.ctypes.data)
    return out
