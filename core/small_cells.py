"""Counts of persons that are so small that they could point at somebody, and what must be hidden with them."""

from __future__ import annotations

from collections.abc import Mapping

SMALLEST_TOLD = 5
"""A count of persons below this is not told, 0 excepted: nobody is nobody."""

NOT_TOLD = "not told"


def hide_small_cells(counts: Mapping[str, int]) -> dict[str, int | None]:
    """The counts of one table whose total is known, None where one may not be told.

    Hiding 1 to 4 alone would not do: the total gives a single hidden count away, and several of 1 each. So further
    counts are hidden, the smallest first, until at least two are, which together are at least five and more than one
    each.

    >>> hide_small_cells({"a": 40, "b": 3, "c": 12, "d": 0})
    {'a': 40, 'b': None, 'c': None, 'd': 0}
    """
    hidden = {name for name, count in counts.items() if 0 < count < SMALLEST_TOLD}
    rest = sorted((name for name in counts if counts[name] >= SMALLEST_TOLD), key=lambda name: (counts[name], name))
    if hidden:
        while rest and (len(hidden) < 2 or sum(counts[name] for name in hidden) < max(SMALLEST_TOLD, len(hidden) + 1)):
            hidden.add(rest.pop(0))
    return {name: None if name in hidden else count for name, count in counts.items()}


def told(count: int | None) -> str:
    """A count that stands in a table, in words where it is hidden.

    >>> told(1200), told(0), told(None)
    ('1,200', 'none', 'not told')
    """
    if count is None:
        return NOT_TOLD
    return f"{count:,}" if count else "none"


def told_share(count: int, total: int) -> str:
    """A count that stands alone, with its share of the total.

    >>> told_share(30, 120), told_share(3, 120), told_share(0, 120), told_share(0, 0)
    ('25.0% (30 of 120)', 'fewer than 5 of 120', 'none of 120', 'none of 0')
    """
    if not count:
        return f"none of {total:,}"
    if count < SMALLEST_TOLD:
        return f"fewer than {SMALLEST_TOLD} of {total:,}"
    return f"{count / total:.1%} ({count:,} of {total:,})"
