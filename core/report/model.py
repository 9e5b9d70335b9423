"""Everything that the report says, before it is a page; each part names the documents that it was taken from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from core.reporting import Distribution, Picture
from core.run.models import Split

State = Literal["verified", "failed", "unfinished"]


@dataclass(frozen=True)
class Verdict:
    """The answer to the first question, in words; ``problems`` are lines of their own."""

    state: State
    headline: str
    sentence: str
    to_do: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckLine:
    """One check of the verification: what it asks, whether it holds, and its figures."""

    name: str
    meaning: str
    passed: bool
    detail: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loss:
    """Cases that leave the flow at one place, why, and some of their ids."""

    reason: str
    cases: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlowStep:
    """How many cases and groups come so far, and whom the way to the next step loses."""

    title: str
    cases: int
    groups: int
    records: int | None = None
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class SplitLine:
    """What one split holds: ``done`` of its ``cases`` have examples; shares are of all examples."""

    split: Split
    cases: int
    done: int
    groups: int
    shards: int
    records: int
    bytes: int
    share: float
    target: float


@dataclass(frozen=True)
class CaseLine:
    """One case of the table; ``outcome`` is "no outcome" where its shard is not committed."""

    case_id: str
    split: str
    shard: str
    outcome: str
    reason: str
    detail: str
    flags: tuple[str, ...]
    records: int
    seconds: float | None


@dataclass(frozen=True)
class OddLine:
    """One of the oddest cases; ``viewed``: the viewer shows it."""

    case_id: str
    score: float
    words: str
    viewed: bool


@dataclass(frozen=True)
class AttemptLine:
    """One attempt of a worker: seconds since the first attempt's start, and why it ended ("no record": unknown)."""

    partition: int
    attempt: int
    start: float
    end: float
    why: str
    detail: str
    cases: int
    place: str

    @property
    def seconds(self) -> float:
        """How long it took; zero where a clock went backwards."""
        return max(0.0, self.end - self.start)


@dataclass(frozen=True)
class EndLine:
    """All attempts that ended in one way."""

    why: str
    attempts: int
    seconds: float
    cases: int
    cost: str


@dataclass(frozen=True)
class Work:
    """How it went. ``busy_seconds``: at least one worker worked. ``early_seconds`` are those of attempts that did not
    finish: the most that can have been wasted, because finished cases are kept."""

    attempts: tuple[AttemptLine, ...] = ()
    ends: tuple[EndLine, ...] = ()
    busy_seconds: float = 0.0
    worker_seconds: float = 0.0
    early_seconds: float = 0.0
    cases: int = 0
    records: int = 0
    bytes_in: int = 0
    recalled: int = 0
    reclaims: int = 0


@dataclass(frozen=True)
class Fact:
    """A name and what stands behind it; ``code``: letter for letter, in a fixed font."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class DocumentLine:
    """A document that the report was made of; ``sha256`` is None for a group of them."""

    name: str
    bytes: int
    sha256: str | None = None


@dataclass(frozen=True)
class ViewedTrace:
    """One feature of a viewed case, thinned for the screen: times in seconds, values in the feature's unit.

    ``imputed`` are the stretches [start, end) without a measurement. ``samples`` and ``measured_share`` are of all.
    """

    name: str
    unit: str
    minimum: float | None
    maximum: float | None
    sources: tuple[str, ...]
    samples: int
    measured_share: float
    raw_times: tuple[float, ...]
    raw_values: tuple[float, ...]
    signal_times: tuple[float, ...]
    signal_values: tuple[float, ...]
    imputed: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ViewedCase:
    """One case of the viewer and why it is there. Every ``window_step``-th of its windows is in ``windows``.
    ``imputed_features`` have no sample at all, with the value that stands for them."""

    case_id: str
    why: str
    seconds: int
    window_count: int
    window_step: int
    windows: tuple[tuple[int, int], ...]
    remarks: tuple[str, ...]
    traces: tuple[ViewedTrace, ...]
    imputed_features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Viewer:
    """The case viewer, or the sentence that says why there is none and how to get one."""

    cases: tuple[ViewedCase, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPage:
    """The whole report of a run."""

    run_id: str
    data_set: str
    workload: str
    verdict: Verdict
    checks: tuple[CheckLine, ...]
    key_figures: tuple[Fact, ...]
    flow: tuple[FlowStep, ...]
    splits: tuple[SplitLine, ...]
    groups_on_two_sides: int
    cases: tuple[CaseLine, ...]
    cases_total: int
    distributions: tuple[Distribution, ...]
    pictures: tuple[Picture, ...]
    oddities: tuple[OddLine, ...]
    money: tuple[Fact, ...]
    work: Work
    facts: tuple[Fact, ...]
    settings: tuple[Fact, ...]
    notes: tuple[str, ...]
    documents: tuple[DocumentLine, ...]
    viewer: Viewer = field(default_factory=Viewer)
