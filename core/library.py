"""Loading the libraries that :mod:`core.compile` makes: one that was made of another source must not run."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from core.compile import PLAIN, source_digest

_BYTE = ctypes.c_char


class LibraryError(Exception):
    """There is no compiled library that may be used; the text says why."""


def is_plain() -> bool:
    """Whether the user forbids compiled libraries (:data:`core.compile.PLAIN`)."""
    return os.environ.get(PLAIN, "0") not in ("", "0")


def address_of(array: NDArray[Any]) -> int:
    """Where an array's elements stand; for one that may be written to this takes a quarter of the time of
    ``array.ctypes.data``, and a case asks for some two hundred."""
    try:
        return ctypes.addressof(_BYTE.from_buffer(array.data))
    except (TypeError, ValueError):  # it is read-only, empty, or has gaps
        return array.ctypes.data


def load(path: Path, source: Path, size_function: str, structure: type[ctypes.Structure]) -> ctypes.CDLL:
    """The library of ``source``, whose ``size_function`` must give the size of ``structure``.

    Raises
    ------
    LibraryError
        It was never compiled, cannot be loaded here, or was compiled from another source.
    """
    if not path.exists():
        raise LibraryError("it was not compiled when the package was installed")
    try:
        library = ctypes.CDLL(str(path))
        library.casemill_digest.restype = ctypes.c_char_p
        made_of = library.casemill_digest().decode()
        size = getattr(library, size_function)
        size.restype = ctypes.c_int64
        is_same = made_of == source_digest(source) and size() == ctypes.sizeof(structure)
    except (OSError, AttributeError) as error:
        raise LibraryError(f"it cannot be loaded: {error}") from None
    if not is_same:
        raise LibraryError(f"it was compiled from another {source.name}: install the package again")
    return library
