"""How long work takes: one linear model a workload, its coefficients measured and kept in its ``times.toml``.

    seconds of a case = machine × (per case + per compressed byte × bytes + per example × estimated examples)
    seconds of a run  = machine × (start + checking an example × examples / workers) + the busiest worker's cases

Objects of different layouts (a recording may be packed, interleaved or track by track) cost different seconds a byte; a
plan does not know which it has, so the least and the most of them are bounds.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, NonNegativeFloat, ValidationError, model_validator

from core.code_version import digest_of_code
from core.errors import BadRequestError
from core.run.models import Document, PlannedShard
from core.run.projection import Estimate, makespan
from core.workload import Case
from core.wrong_values import first_problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Bounds(Document):
    """Factors around a likely value."""

    low: float = Field(gt=0, le=1)
    high: float = Field(ge=1)


class PerByte(Document):
    """Seconds for a compressed byte, by the layout of the objects."""

    low: NonNegativeFloat
    likely: NonNegativeFloat
    high: NonNegativeFloat

    @model_validator(mode="after")
    def _ordered(self) -> PerByte:
        if not self.low <= self.likely <= self.high:
            raise ValueError("low, likely and high are not in order")
        return self


class Coefficients(Document):
    """One worker's seconds on the machine that they were measured on.

    ``runs``: the factors between which nine of ten runs lay around what other cohorts said of them.
    """

    start_seconds: NonNegativeFloat
    case_seconds: NonNegativeFloat
    byte_seconds: PerByte
    record_seconds: NonNegativeFloat = Field(validation_alias=AliasChoices("record_seconds", "window_seconds"))
    check_record_seconds: NonNegativeFloat = Field(
        validation_alias=AliasChoices("check_record_seconds", "check_window_seconds")
    )
    runs: Bounds
    machine: str
    date: str
    command: str
    measured_runs: int
    measured_cases: int


OTHER_MACHINE = Bounds(low=0.5, high=2.0)
"""Assumed, not measured: another processor takes between half and twice as long."""


class TimeModels(Document):
    """``times.toml``; ``other_machine`` are the factors assumed for a machine that was never measured.

    Format 1 says ``window`` where format 2 says ``record``.
    """

    format: Literal["casemill-times/1", "casemill-times/2"] = "casemill-times/2"
    other_machine: Bounds = OTHER_MACHINE
    workloads: dict[str, Coefficients]


@dataclass(frozen=True)
class TimeModel:
    """A workload's model on some machine, which takes ``factor`` times as long as the measured one."""

    coefficients: Coefficients
    factor: Estimate
    calibrated: bool = False

    def case_seconds(self, case: Case) -> float:
        """One case's likely seconds on the machine that the coefficients come from."""
        return self._seconds(1, case.size, case.estimated_records)

    def shard_seconds(self, shard: PlannedShard) -> float:
        """One worker's likely seconds for a shard, on this machine."""
        return self.factor.value * self._seconds(shard.cases, shard.bytes, shard.estimated_records)

    def run_seconds(self, shards: Sequence[PlannedShard], workers: int) -> Estimate:
        """From the start of the workers to the published data set."""
        busiest = makespan([self.shard_seconds(shard) for shard in shards], workers)
        records = sum(shard.estimated_records for shard in shards)
        checking = self.coefficients.check_record_seconds * records / max(1, workers)
        fixed = self.factor.value * (self.coefficients.start_seconds + checking)
        return self._bounded(fixed, busiest, shards)

    def worker_seconds(self, shards: Sequence[PlannedShard], workers: int) -> Estimate:
        """Of all workers together: their cases, and a start for each of them that has any."""
        starts = self.factor.value * self.coefficients.start_seconds * min(workers, len(shards))
        return self._bounded(starts, sum(self.shard_seconds(shard) for shard in shards), shards)

    def _seconds(self, cases: int, size: int, records: int, byte_seconds: float | None = None) -> float:
        known = self.coefficients
        each = known.byte_seconds.likely if byte_seconds is None else byte_seconds
        return known.case_seconds * cases + each * size + known.record_seconds * records

    def _bounded(self, fixed: float, work: float, shards: Sequence[PlannedShard]) -> Estimate:
        """The layout decides over the work; runs and machines differ independently, so their bounds add as squares."""
        layout = self._layout_bounds(shards)
        value = fixed + work
        low = _together(self.coefficients.runs.low, self.factor.low / self.factor.value)
        high = _together(self.coefficients.runs.high, self.factor.high / self.factor.value)
        return Estimate(value=value, low=(fixed + work * layout[0]) / low, high=(fixed + work * layout[1]) * high)

    def _layout_bounds(self, shards: Sequence[PlannedShard]) -> tuple[float, float]:
        cases, size = sum(shard.cases for shard in shards), sum(shard.bytes for shard in shards)
        records = sum(shard.estimated_records for shard in shards)
        likely = self._seconds(cases, size, records)
        if not likely:
            return 1.0, 1.0
        low = self._seconds(cases, size, records, self.coefficients.byte_seconds.low)
        return low / likely, self._seconds(cases, size, records, self.coefficients.byte_seconds.high) / likely


def _together(*factors: float) -> float:
    """Independent factors as one, at least 1: their logarithms add as squares.

    >>> round(_together(2.0), 3), round(_together(0.5, 2.0), 3), _together(1.0, 1.0)
    (2.0, 2.665, 1.0)
    """
    return math.exp(math.sqrt(sum(math.log(factor) ** 2 for factor in factors)))


def time_model(
    models: TimeModels, workload: str, measured: Estimate | None = None, other_machine: bool = False
) -> TimeModel | None:
    """The model of a workload; None where it was never measured.

    ``measured``: this machine's factor, as a rehearsal found it. ``other_machine``: the work will run elsewhere, so
    that the factor is only the likeliest one.
    """
    known = models.workloads.get(workload)
    if known is None:
        return None
    if measured is not None and not other_machine:
        return TimeModel(known, measured, calibrated=True)
    value = measured.value if measured else 1.0
    bounds = models.other_machine
    return TimeModel(known, Estimate(value=value, low=value * bounds.low, high=value * bounds.high))


@cache
def model_version(path: Path | None) -> str:
    """What a rehearsal's factor is relative to: a digest of this package's code and of the workload's coefficients,
    which the code version of a data set leaves out. ``path`` as :func:`shipped_models`."""
    own = Path(__file__).parent
    coefficients = path.read_bytes() if path else b""
    return hashlib.sha256(digest_of_code(own.parent, (own,)).encode() + coefficients).hexdigest()[:12]


@cache
def shipped_models(path: Path | None) -> TimeModels:
    """The coefficients that come with a workload, of its own file; none where it brings none."""
    return TimeModels(workloads={}) if path is None else read_models(str(path))


def read_models(path: str) -> TimeModels:
    """Coefficients as ``casemill fit`` writes them.

    Raises
    ------
    BadRequestError
        ``bad_times``: no such file, or not such a document.
    """
    try:
        return TimeModels.model_validate(tomllib.loads(Path(path).read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        what = error.strerror or str(error) if isinstance(error, OSError) else _first_problem(error)
        raise BadRequestError("bad_times", what, where=path, fix="Make it with casemill fit.") from error


def _first_problem(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return first_problem(error.errors())
    return " ".join(str(error).split())[:300]
