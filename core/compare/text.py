"""A comparison in words and tables, for eyes; the page says the same with these words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.compare.comparison import CaseChange, Change, Common, Comparison, FeatureChange, SideSummary
from core.compare.side import Effort

MOST_SHOWN = 10
"""Names or changes in one line of text; ``--json`` and the page have all."""

FIGURE_MOVED = 0.05
"""A share of a feature that moved by this much is told in the text."""


@dataclass(frozen=True)
class Table:
    """Rows under columns; cells are text or numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def warnings(comparison: Comparison) -> list[str]:
    """What a reader must know before believing the rest."""
    lines = []
    for letter, side in (("A", comparison.first), ("B", comparison.second)):
        if side.doubts:
            lines.append(f"{letter} is NOT VERIFIED: {some(side.doubts, '; ', 3)}")
        lines += [f"{letter}: {remark}" for remark in side.remarks]
    if comparison.first.workload != comparison.second.workload:
        lines.append(f"A is of workload {comparison.first.workload}, B of {comparison.second.workload}")
    return lines


def head_lines(comparison: Comparison) -> list[str]:
    """Who is compared, and whether the data are the same."""
    return [
        *(_side_line(letter, side) for letter, side in (("A", comparison.first), ("B", comparison.second))),
        verdict(comparison),
    ]


def verdict(comparison: Comparison) -> str:
    """One sentence: are these the same data?"""
    if comparison.same_data and not (comparison.first.verified and comparison.second.verified):
        return "By their documents the data are the same; not both are verified."
    if comparison.same_data:
        return "The data are the same: cases, outcomes, sides, schema and root hash."
    if None in (comparison.first.root_hash, comparison.second.root_hash):
        return "Not both are finished, so nobody can say whether the data are the same."
    if comparison.same_root_hash:
        return "The examples are the same (root hash), the cohorts are not."
    return "The data differ."


def _side_line(letter: str, side: SideSummary) -> str:
    outcomes = ", ".join(f"{count:,} {name}" for name, count in side.outcomes.items())
    state = "verified" if side.verified else "NOT VERIFIED"
    return (
        f"{letter}  {side.kind} {side.name}  {side.location}\n"
        f"   {state} · {side.cases:,} cases ({outcomes}) · {side.records:,} examples · root hash"
        f" {(side.root_hash or 'unknown')[:16]}\n"
        f"   run {side.run_id} · Casemill {side.code_version} · {effort_text(side.effort)}"
    )


def effort_text(effort: Effort) -> str:
    """Time and cost where they are known."""
    parts = []
    if effort.worker_seconds is not None and effort.elapsed_seconds is not None:
        reclaimed = f", {effort.reclaimed} reclaimed" if effort.reclaimed else ""
        parts.append(
            f"{_duration(effort.elapsed_seconds)} from first start to last end, {_duration(effort.worker_seconds)} of"
            f" workers in {effort.attempts} attempts{reclaimed}"
        )
    if effort.cost_usd is not None:
        parts.append(f"{'' if effort.cost_complete else 'at least '}${effort.cost_usd:,.2f}")
    return " · ".join(parts) or "time and cost unknown"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def cohort_lines(comparison: Comparison) -> list[str]:
    """Cases, groups, outcomes and sides."""
    return [
        f"cases     {common_text(comparison.cases)}",
        f"groups    {common_text(comparison.groups)}",
        f"outcomes  {changes_text(comparison.outcomes, 'ended otherwise')}",
        f"sides     {changes_text(comparison.sides, 'changed sides')}",
        *([f"groups    {changes_text(comparison.other_groups, 'changed groups')}"] if comparison.other_groups else []),
        f"examples  {changes_text(comparison.records, 'with another number of them')}",
    ]


def common_text(common: Common) -> str:
    """How many both have, and which one has alone."""
    alone = [
        f"{len(names):,} only in {letter}" + (f" ({some(names)})" if names else "")
        for letter, names in (("A", common.only_first), ("B", common.only_second))
    ]
    return f"{common.both:,} in both, {', '.join(alone)}"


def changes_text(changes: Sequence[CaseChange], what: str) -> str:
    """How many cases changed, and how."""
    listed = some([f"{change.case_id} {change.first} → {change.second}" for change in changes])
    return f"{counted(len(changes), 'common case')} {what}" + (f": {listed}" if listed else "")


def counted(number: int, what: str) -> str:
    """A count with its noun.

    >>> counted(0, "case"), counted(1, "case"), counted(2000, "case")
    ('no case', '1 case', '2,000 cases')
    """
    return f"1 {what}" if number == 1 else f"{number:,} {what}s" if number else f"no {what}"


def some(names: Sequence[str], between: str = ", ", most: int = MOST_SHOWN) -> str:
    """The first names, and how many more there are."""
    more = f"{between}… {len(names) - most:,} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def split_table(comparison: Comparison) -> Table:
    """Cases, groups and examples of each split."""
    rows = tuple(
        (
            change.split,
            change.first.cases, change.second.cases,
            change.first.groups, change.second.groups,
            change.first.records, change.second.records,
            _relative(change.first.records, change.second.records),
        )
        for change in comparison.splits
    )  # fmt: skip
    columns = ("split", "cases A", "B", "groups A", "B", "examples A", "B", "change")
    return Table("Splits", columns, rows)


def _relative(first: int, second: int) -> str:
    return f"{(second - first) / first:+.1%}" if first else "new" if second else "–"


def feature_table(comparison: Comparison) -> Table:
    """The drift of each feature."""
    rows = tuple(
        (
            change.name,
            change.unit,
            number(change.first.mean),
            number(change.second.mean),
            number(change.distance),
            number(change.ks),
            number(change.psi),
            number(change.psi_by_chance),
            verdict_text(change),
        )
        for change in comparison.features
    )
    columns = ("feature", "unit", "mean A", "B", "distance", "KS", "PSI", "chance", "drift")
    return Table("Distributions", columns, rows)


def number(value: float | None) -> str:
    """Three digits, or a dash.

    >>> number(0.12345), number(123.4), number(0.0), number(None)
    ('0.123', '123', '0', '–')
    """
    return "–" if value is None else f"{value:.3g}"


def verdict_text(change: FeatureChange) -> str:
    """The drift in words."""
    return change.why if change.verdict == "not comparable" else change.verdict


def figure_lines(comparison: Comparison) -> list[str]:
    """The shares of features that moved much, such as how much was measured."""
    lines = []
    for change in comparison.features:
        first, second = change.first.figures, change.second.figures
        moved = [
            f"{name} {first[name]:.1%} → {second[name]:.1%}"
            for name in first
            if name.endswith("_share") and name in second and abs(first[name] - second[name]) >= FIGURE_MOVED
        ]
        if moved:
            lines.append(f"{change.name}: {', '.join(moved)}")
    return lines


def change_lines(comparison: Comparison) -> list[str]:
    """What differs in schema, configuration and settings."""
    parts = (
        ("schema", comparison.schema_changes),
        ("configuration", comparison.configuration),
        ("settings", comparison.settings),
    )
    return [line for what, changes in parts for line in _part_lines(what, changes)]


def _part_lines(what: str, changes: Sequence[Change]) -> Iterable[str]:
    yield f"{what}: {counted(len(changes), 'difference')}"
    yield from (f"  {change.path}: {change.first!r} → {change.second!r}" for change in changes[:MOST_SHOWN])
    if len(changes) > MOST_SHOWN:
        yield f"  … {len(changes) - MOST_SHOWN:,} more"
