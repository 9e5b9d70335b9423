"""Which of the two walks over a block is used: the one place where that is decided."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from core.recording.declare import Register
from core.recording.native import LibraryError, NativeRecords, load_library
from core.recording.plain import PlainRecords
from core.recording.records import Records

if TYPE_CHECKING:
    from ctypes import CDLL

PLAIN = "CASEMILL_PLAIN"
"""The environment variable that forces the plain walk (any value but empty and 0); results are the same."""


@cache
def _library() -> tuple[CDLL | None, str]:
    try:
        return load_library(), "compiled"
    except LibraryError as error:
        return None, f"plain Python: {error}"


def new_records(register: Register, buffer: bytearray) -> Records:
    """An empty tally for blocks that stand in this buffer, with the compiled walk where there is one."""
    if not _is_forced():
        library, _ = _library()
        if library is not None:
            return NativeRecords(register, library, buffer)
    return PlainRecords(register)


def walk_in_use() -> str:
    """``compiled``, or ``plain Python`` with the reason."""
    return f"plain Python: {PLAIN} is set" if _is_forced() else _library()[1]


def _is_forced() -> bool:
    return os.environ.get(PLAIN, "0") not in ("", "0")
