"""One of the two that are compared, as its documents tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.compare.drift import Histogram
from core.cost.money import Dollars
from core.run.models import Document, Json, Split
from core.schema import Schema


@dataclass(frozen=True)
class CaseState:
    """What became of a case; ``outcome`` is ``open`` where its shard is not committed."""

    group: str
    split: Split
    outcome: str
    reason: str
    records: int


@dataclass(frozen=True)
class Feature:
    """One quantity that examples are made from: its distribution, and shares and counts that the workload gives."""

    histogram: Histogram | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


class Effort(Document):
    """What a run took; None is unknown. ``elapsed_seconds`` run from the first attempt's start to the last one's end,
    pauses between included. ``cost_complete``: no part of the cost is unknown."""

    attempts: int | None = None
    reclaimed: int | None = None
    worker_seconds: float | None = None
    elapsed_seconds: float | None = None
    cost_usd: Dollars | None = None
    cost_complete: bool | None = None


@dataclass(frozen=True)
class Side:
    """Everything that is compared. ``doubts`` say why it does not count as verified, ``remarks`` what is missing.

    ``settings`` are the platform's; those of the run are there only where its folder is.
    """

    location: str
    kind: Literal["data set", "run"]
    name: str
    run_id: str
    workload: str
    code_version: str
    root_hash: str | None
    schema: Schema
    configuration: Json | None
    settings: Json
    cases: Mapping[str, CaseState]
    features: Mapping[str, Feature]
    effort: Effort
    doubts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
