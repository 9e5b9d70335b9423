"""Figures as people read them, the same everywhere on the page."""

from __future__ import annotations

from core.run.progress import duration_text


def duration(seconds: float) -> str:
    """Time in at most two units; below ten seconds with one decimal.

    >>> duration(3.14159), duration(200.0)
    ('3.1 s', '3 min 20 s')
    """
    return f"{seconds:.1f} s" if seconds < 10 else duration_text(seconds)


def share(value: float | None) -> str:
    """Per cent, kept together by a no-break space. One decimal, "<0.1" for what would be rounded away, an en dash for
    what is unknown.

    >>> [share(value).replace("\N{NO-BREAK SPACE}", " ") for value in (0.5, 0.00001, 1.0, 0.9999, None)]
    ['50.0 %', '<0.1 %', '100 %', '>99.9 %', '–']
    """
    if value is None:
        return "–"
    if value in (0.0, 1.0):
        return f"{value:.0%}".replace("%", "\N{NO-BREAK SPACE}%")
    if value < 0.001:
        return "<0.1\N{NO-BREAK SPACE}%"
    return ">99.9\N{NO-BREAK SPACE}%" if value > 0.999 else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def size(number: float) -> str:
    """Bytes in decimal units.

    >>> size(999), size(1_234_567), size(95_420_000_000)
    ('999 B', '1.2 MB', '95.4 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} B" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def count(number: int, name: str, plural: str = "") -> str:
    """A number and what it counts.

    >>> count(1, "case"), count(2000, "case")
    ('1 case', '2,000 cases')
    """
    return f"{number:,} {name if number == 1 else plural or name + 's'}"
