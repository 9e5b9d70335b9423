"""When the rest of a packed recording holds nothing that is wanted, by the recording's own word.

A packed recording is written in one go: all declarations first, each saying how many bytes its records take, then the
tracks one after the other, waves last. No format can prove what has not been read; what is trusted, and what a file
that breaks its word can do, stands in docs/reading-recordings.md.
"""

from __future__ import annotations

import math

from core.recording.declare import NUMERIC, UNDECLARED, UNLISTED, Register
from core.recording.model import MAXIMUM_SPAN_S, Header
from core.recording.records import Records


def nothing_left(header: Header | None, records: Records) -> bool:
    """Whether what follows cannot change the wanted tracks or second zero, if the recording keeps its word.

    All of this must hold of what was read so far:

    - the header says "packed", and its start is second zero whatever records follow: a later record can only make
      the earliest one earlier, and with it the start is believed all the more;
    - every declaration stands before the first record, no packet is malformed, no record undeclared or without a time;
    - every track's name is known (its device was declared), and at least one is wanted;
    - each wanted track has had records of exactly as many bytes as it declares, and declares some;
    - nothing lies over 48 h after the header's start or the earliest record.
    """
    if header is None or not header.packed or not records.read:
        return False
    return _is_flawless(records) and _wanted_are_complete(records.register) and _fits_the_start(header.start, records)


def _is_flawless(records: Records) -> bool:
    flaws = (
        records.malformed,
        records.malformed_declarations,
        records.undeclared,
        records.bad_time,
        records.declared_late,
        records.register.unlisted,
    )
    return not any(flaws)


def _wanted_are_complete(register: Register) -> bool:
    wanted = 0
    # From the end: asked after every block, the answer mostly is that the last ones are still to come.
    for row in range(len(register.packets) - 1, max(UNDECLARED, UNLISTED), -1):
        packet = register.packets[row]
        if register.names[row] is None:
            return False
        if packet.kind == NUMERIC and register.collected[row]:
            if not packet.record_bytes or packet.record_bytes != register.record_bytes[row]:
                return False
            wanted += 1
    return wanted > 0


def _fits_the_start(start: float | None, records: Records) -> bool:
    if start is None or not math.isfinite(start) or start <= 0:
        return False
    clock = records.clock
    is_believed = clock.earliest - start <= MAXIMUM_SPAN_S
    return is_believed and clock.farthest - min(start, clock.earliest) <= MAXIMUM_SPAN_S
