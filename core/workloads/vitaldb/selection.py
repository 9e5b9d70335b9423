"""Which cases: ``1-3000``, ``1,5,10``, ``1-10,17,0022`` or ``all`` (spec/vitaldb, input)."""

from __future__ import annotations

import re

from core.errors import BadRequestError

MOST_CASES = 10_000_000
_PIECE = re.compile(r"(?P<first>[0-9]{1,18})(?:\s*-\s*(?P<last>[0-9]{1,18}))?")


def parse_cases(text: str) -> tuple[range, ...] | None:
    """Ranges of case numbers as written, or None for ``all``.

    Raises
    ------
    BadRequestError
        A piece that is neither a number nor a rising range; names the piece and its position.

    >>> parse_cases("1-3,17, 0022")
    (range(1, 4), range(17, 18), range(22, 23))
    """
    if text.strip().lower() == "all":
        return None
    ranges: list[range] = []
    offset = 0
    for number, piece in enumerate(text.split(","), start=1):
        where = f"--cases, piece {number} (character {offset + 1})"
        match = _PIECE.fullmatch(piece.strip())
        if match is None:
            raise _bad(where, f"{piece.strip()!r} is not a case number or a range")
        first = int(match["first"])
        last = int(match["last"] or first)
        if last < first:
            raise _bad(where, f"the range {piece.strip()!r} is reversed")
        ranges.append(range(first, last + 1))
        offset += len(piece) + 1
    if sum(len(part) for part in ranges) > MOST_CASES:
        raise _bad("--cases", f"more than {MOST_CASES:,} cases are asked for")
    return tuple(ranges)


def spell_cases(text: str) -> str:
    """The same selection in its one spelling: rising, each once, neighbours joined.

    Raises
    ------
    BadRequestError
        As :func:`parse_cases`.

    >>> spell_cases("12,11,1-9,3"), spell_cases("ALL")
    ('1-9,11-12', 'all')
    """
    ranges = parse_cases(text)
    if ranges is None:
        return "all"
    joined: list[tuple[int, int]] = []
    for part in sorted(ranges, key=lambda found: (found.start, found.stop)):
        if joined and part.start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], part.stop))
        else:
            joined.append((part.start, part.stop))
    return ",".join(str(first) if stop == first + 1 else f"{first}-{stop - 1}" for first, stop in joined)


def _bad(where: str, what: str) -> BadRequestError:
    return BadRequestError("bad_cases", what, where=where, fix="Write for example 1-3000, 1,5,10 or all.")
