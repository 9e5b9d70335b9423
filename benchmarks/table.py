"""The result of a run of the benchmarks as a document, and as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.measure import Spread, Times

Unit = Literal["×", "%", "s", "ms", "MB", "MB/s", "records/s", "cases/s"]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Goal(_Document):
    """A bound that a figure must keep, in the unit of its line."""

    bound: float
    at_least: bool

    def met(self, figure: float) -> bool:
        """Whether the figure keeps it."""
        return figure >= self.bound if self.at_least else figure <= self.bound


class Line(_Document):
    """One figure: the ratio of two medians, or a median, with the lowest and highest round."""

    what: str
    figure: float
    low: float
    high: float
    unit: Unit
    goal: Goal | None = None
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.goal.met(self.figure)


class Part(_Document):
    """What one part measured. ``times`` are the raw seconds by contestant; ``missing`` says what could not be."""

    name: str
    title: str
    about: str = ""
    lines: tuple[Line, ...] = ()
    agreements: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    times: dict[str, tuple[float, ...]] = {}
    seconds: float = 0.0


class Results(_Document):
    """``results.json``."""

    format: Literal["casemill-benchmarks/1"] = "casemill-benchmarks/1"
    quick: bool
    machine: dict[str, str]
    parts: tuple[Part, ...]

    @property
    def lines(self) -> list[Line]:
        """The lines of all parts."""
        return [line for part in self.parts for line in part.lines]


def at_least(bound: float) -> Goal:
    """A figure that must not be lower."""
    return Goal(bound=bound, at_least=True)


def at_most(bound: float) -> Goal:
    """A figure that must not be higher."""
    return Goal(bound=bound, at_least=False)


def line(what: str, found: Spread, unit: Unit, goal: Goal | None = None, detail: str = "") -> Line:
    """A line of a spread."""
    return Line(what=what, figure=found.figure, low=found.low, high=found.high, unit=unit, goal=goal, detail=detail)


def raw(times: Mapping[str, Times]) -> dict[str, tuple[float, ...]]:
    """Seconds as they are stored."""
    return {name: found.seconds for name, found in times.items()}


def milliseconds(*named: tuple[str, Times]) -> str:
    """Medians in words.

    >>> milliseconds(("ours", Times((0.25,))), ("vitaldb", Times((1.5,))))
    'ours 250 ms, vitaldb 1,500 ms'
    """
    return ", ".join(f"{name} {_number(times.median * 1e3)} ms" for name, times in named)


def goal_table(results: Results) -> str:
    """Every figure with a goal: goal, figure, met or not."""
    rows = ["| figure | goal | measured | rounds | met |", "|---|---|---|---|---|"]
    for part in results.parts:
        for found in part.lines:
            if found.goal is not None:
                rows.append(
                    f"| {part.title}: {found.what} | {_goal(found)} | {_value(found.figure, found.unit)} "
                    f"| {_rounds(found)} | {'yes' if found.met else '**no**'} |"
                )
        rows += [f"| {part.title}: {what} | | not measured | | |" for what in part.missing]
    return "\n".join(rows) + "\n"


def part_table(part: Part) -> str:
    """Everything that one part measured."""
    rows = [f"### {part.title}", ""]
    if part.about:
        rows += [part.about, ""]
    if part.lines:
        rows += ["| figure | goal | measured | rounds | medians |", "|---|---|---|---|---|"]
    rows += [
        f"| {found.what} | {_goal(found)} | {_value(found.figure, found.unit)} | {_rounds(found)} | {found.detail} |"
        for found in part.lines
    ]
    rows += _bullets("Agreement", part.agreements)
    rows += _bullets("Not measured", part.missing)
    return "\n".join(rows) + "\n"


def markdown(results: Results) -> str:
    """The whole result."""
    met = [found.met for found in results.lines if found.met is not None]
    head = [f"{sum(met)} of {len(met)} goals are met."]
    if results.quick:
        head = ["A quick run: small files, few rounds. It shows that everything works, not how fast it is.", "", *head]
    machine = [f"- {name}: {text}" for name, text in results.machine.items()]
    tables = [goal_table(results), *(part_table(part) for part in results.parts)]
    return "\n".join([*head, "", *machine, "", *tables])


def _bullets(title: str, texts: Iterable[str]) -> list[str]:
    found = [f"- {title}: {text}" for text in texts]
    return ["", *found] if found else []


def _goal(found: Line) -> str:
    if found.goal is None:
        return ""
    return f"{'≥' if found.goal.at_least else '≤'} {_value(found.goal.bound, found.unit)}"


def _rounds(found: Line) -> str:
    if found.low == found.high == found.figure:
        return "one"
    return f"{_number(found.low)} – {_number(found.high)}"


def _value(figure: float, unit: Unit) -> str:
    return f"{_number(figure)} {unit}"


def _number(figure: float) -> str:
    """Three figures, as people write them.

    >>> _number(12345.6), _number(123.4), _number(12.34), _number(0.1234), _number(30.0)
    ('12,346', '123', '12.3', '0.12', '30')
    """
    digits = 0 if abs(figure) >= 100 else 1 if abs(figure) >= 10 else 2
    text = f"{figure:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
