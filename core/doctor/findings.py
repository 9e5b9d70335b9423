"""What an examination found: one line for each thing that was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """How things stand."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """``looked_at``: what; ``found``: what there is; ``fix``: what to do, where something should be done."""

    looked_at: str
    state: State
    found: str
    fix: str = ""


def ok(looked_at: str, found: str) -> Finding:
    """As it should be."""
    return Finding(looked_at, State.OK, found)


def warning(looked_at: str, found: str, fix: str) -> Finding:
    """It works, but less well or less surely than it could; or it could not be looked at."""
    return Finding(looked_at, State.WARNING, found, fix)


def problem(looked_at: str, found: str, fix: str) -> Finding:
    """Something will not work."""
    return Finding(looked_at, State.PROBLEM, found, fix)


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing is a problem; warnings are none."""
    return all(finding.state is not State.PROBLEM for finding in findings)


def verdict(findings: Sequence[Finding]) -> str:
    """The whole in one line."""
    counts = Counter(finding.state for finding in findings)
    return (
        f"{len(findings)} things looked at: {counts[State.OK]} ok, {counts[State.WARNING]} warnings, "
        f"{counts[State.PROBLEM]} problems"
    )
