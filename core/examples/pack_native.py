"""Records laid out by the library of ``pack.c``, where there is one (:func:`usable_library`)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.compile import library_of
from core.library import LibraryError, is_plain, load

SOURCE = Path(__file__).with_name("pack.c")
LIBRARY = library_of(SOURCE)

_INTEGER, _ADDRESS = ctypes.c_int64, ctypes.c_void_p


class _Piece(ctypes.Structure):
    """``Piece`` of pack.c, field by field."""

    _fields_ = (("from_", _ADDRESS), ("stride", _INTEGER), ("bytes", _INTEGER))


def load_library(path: Path = LIBRARY) -> ctypes.CDLL:
    """The compiled laying out; errors as :func:`core.library.load`."""
    library = load(path, SOURCE, "casemill_piece_bytes", _Piece)
    library.casemill_lay_out.argtypes = (_ADDRESS, _INTEGER, _INTEGER, _INTEGER, _ADDRESS)
    library.casemill_lay_out.restype = None
    return library


@cache
def _library() -> ctypes.CDLL | None:
    try:
        return load_library()
    except LibraryError:
        return None  # numpy then does it


def usable_library() -> ctypes.CDLL | None:
    """The library, where there is one and nobody forbids it."""
    return None if is_plain() else _library()


class Laying:
    """Records of one size, each the ``parts`` on end: arrays [n, bytes] of equal n, rows together in memory."""

    def __init__(self, library: ctypes.CDLL, parts: Sequence[NDArray[np.uint8]]) -> None:
        if any(
            part.dtype != np.uint8 or part.ndim != 2 or (part.shape[1] > 1 and part.strides[1] != 1) for part in parts
        ):
            raise ValueError("the bytes of a row do not stand together")
        self._library = library
        self._parts = [part for part in parts if part.size]  # their memory stays in place
        self._count = min(map(len, parts), default=0)
        self._bytes = sum(part.shape[1] for part in self._parts)
        pieces = (_Piece(part.ctypes.data, part.strides[0], part.shape[1]) for part in self._parts)
        self._pieces = (_Piece * len(self._parts))(*pieces)

    def records(self, first: int, last: int) -> NDArray[np.uint8]:
        """These records, [last - first, bytes of one]."""
        if not 0 <= first <= last <= self._count:
            raise ValueError(f"there are no records {first} to {last} of {self._count}")
        out = np.empty((last - first, self._bytes), np.uint8)
        self._library.casemill_lay_out(
            ctypes.addressof(self._pieces), len(self._parts), first, last, out.ctypes.data
        )  # fmt: skip
        return out
