"""Loading the libraries that :mod:`core.compile` makes: one that was made of another source must not run."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from core.compile import PLAIN, library_of, source_digest

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


@dataclass(frozen=True)
class CompiledLibrary:
    """The library of a C ``source``, loaded when it is first asked for in a process.

    Its ``size_function`` gives the size of ``structure``, which mirrors what it is called with. ``prepare`` declares
    its functions, and raises :class:`LibraryError` where they cannot be used here. ``without`` names what does the
    work where there is no library, with the same result.
    """

    source: Path
    size_function: str
    structure: type[ctypes.Structure]
    prepare: Callable[[ctypes.CDLL], None]
    without: str

    @property
    def path(self) -> Path:
        """Where installing the package puts it."""
        return library_of(self.source)

    def usable(self) -> ctypes.CDLL | None:
        """The library, where there is one and nobody forbids it (``CASEMILL_PLAIN``); may be asked for each case."""
        return None if is_plain() else self._loaded[0]

    def in_use(self) -> str:
        """``compiled``, or what works without the library, with the reason."""
        return f"{self.without}: {PLAIN} is set" if is_plain() else self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[ctypes.CDLL | None, str]:
        try:
            return self.load(), "compiled"
        except LibraryError as error:
            return None, f"{self.without}: {error}"

    def load(self, path: Path | None = None) -> ctypes.CDLL:
        """The library, or the one that stands at another ``path``.

        Raises
        ------
        LibraryError
            It was never compiled, cannot be loaded or used here, or was compiled from another source.
        """
        path = path or self.path
        if not path.exists():
            raise LibraryError("it was not compiled when the package was installed")
        try:
            library = ctypes.CDLL(str(path))
            library.casemill_digest.restype = ctypes.c_char_p
            made_of = library.casemill_digest().decode()
            size = getattr(library, self.size_function)
            size.restype = ctypes.c_int64
            is_same = made_of == source_digest(self.source) and size() == ctypes.sizeof(self.structure)
        except (OSError, AttributeError) as error:
            raise LibraryError(f"it cannot be loaded: {error}") from None
        if not is_same:
            raise LibraryError(f"it was compiled from another {self.source.name}: install the package again")
        self.prepare(library)
        return library
