"""Which of the two walks over a block is used: the one place where that is decided."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from core.compile import PLAIN
from core.library import LibraryError, is_plain
from core.recording.declare import Register
from core.recording.native import NativeRecords, load_library
from core.recording.plain import PlainRecords
from core.recording.records import Records

if TYPE_CHECKING:
    from ctypes import CDLL


@cache
def _library() -> tuple[CDLL | None, str]:
    try:
        return load_library(), "compiled"
    except LibraryError as error:
        return None, f"plain Python: {error}"


def new_records(register: Register, buffer: bytearray) -> Records:
    """An empty tally for blocks that stand in this buffer, with the compiled walk where there is one."""
    if not is_plain():
        library, _ = _library()
        if library is not None:
            return NativeRecords(register, library, buffer)
    return PlainRecords(register)


def walk_in_use() -> str:
    """``compiled``, or ``plain Python`` with the reason."""
    return f"plain Python: {PLAIN} is set" if is_plain() else _library()[1]
