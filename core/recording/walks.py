"""Which of the two walks over a block is used: the one place where that is decided."""

from __future__ import annotations

from core.recording.declare import Register
from core.recording.native import LIBRARY, NativeRecords
from core.recording.plain import PlainRecords
from core.recording.records import Records


def new_records(register: Register, buffer: bytearray) -> Records:
    """An empty tally for blocks that stand in this buffer, with the compiled walk where there is one."""
    library = LIBRARY.usable()
    return PlainRecords(register) if library is None else NativeRecords(register, library, buffer)
