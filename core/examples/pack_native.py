"""Records laid out by the library of ``pack.c``, where there is one (:data:`LIBRARY`)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.library import CompiledLibrary, address_of

_INTEGER, _ADDRESS = ctypes.c_int64, ctypes.c_void_p


class _Piece(ctypes.Structure):
    """``Piece`` of pack.c, field by field."""

    _fields_ = (("from_", _ADDRESS), ("stride", _INTEGER), ("bytes", _INTEGER))


def _prepare(library: ctypes.CDLL) -> None:
    library.casemill_lay_out.argtypes = (_ADDRESS, _INTEGER, _INTEGER, _INTEGER, _ADDRESS)
    library.casemill_lay_out.restype = None


LIBRARY = CompiledLibrary(Path(__file__).with_name("pack.c"), "casemill_piece_bytes", _Piece, _prepare, without="numpy")


@dataclass(frozen=True)
class Part:
    """Bytes ``start`` to ``stop`` of a record in the source of this number."""

    source: int
    start: int
    stop: int


class Laying:
    """Records of one size, each the ``parts`` on end, out of ``sources`` [n, bytes] of equal n, whose rows stand
    together in memory."""

    def __init__(self, library: ctypes.CDLL, sources: Sequence[NDArray[np.uint8]], parts: Sequence[Part]) -> None:
        for rows in sources:
            if rows.dtype != np.uint8 or rows.ndim != 2 or (rows.shape[1] > 1 and rows.strides[1] != 1):
                raise ValueError("the bytes of a row do not stand together")
        if any(not 0 <= part.start <= part.stop <= sources[part.source].shape[1] for part in parts):
            raise ValueError("a part is not within its source")
        self._library = library
        self._sources = sources  # their memory stays in place
        self._count = min(map(len, sources))
        self._bytes = sum(part.stop - part.start for part in parts)
        begins, strides = [rows.ctypes.data for rows in sources], [rows.strides[0] for rows in sources]
        pieces = [(begins[part.source] + part.start, strides[part.source], part.stop - part.start) for part in parts]
        self._pieces = np.array(pieces, np.int64)  # as _Piece has them
        self._address = address_of(self._pieces)

    def records(self, first: int, last: int) -> NDArray[np.uint8]:
        """These records, [last - first, bytes of one]."""
        if not 0 <= first <= last <= self._count:
            raise ValueError(f"there are no records {first} to {last} of {self._count}")
        out = np.empty((last - first, self._bytes), np.uint8)
        self._library.casemill_lay_out(self._address, len(self._pieces), first, last, address_of(out))
        return out
