"""``rehearsal.json``: what a rehearsal measured, what it projects, and its verdict."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.run.models import Check, Document
from core.run.projection import Estimate


class RehearsalLimits(Document):
    """What the full run must keep within; ``None``: not asked for. ``memory_bytes`` are of one worker."""

    time_seconds: float | None = None
    memory_bytes: int | None = None
    success_rate: float


class RehearsalScale(Document):
    """For whom the projection is made; ``price_per_hour`` in dollars for one vCPU, ``None``: unknown."""

    workers: int
    array: int
    price_per_hour: float | None = None


class Sample(Document):
    """What was drawn. ``missing`` cases were asked for and are not in the source; they count as failed."""

    cases: int
    of: int
    missing: int
    bytes: int
    of_bytes: int
    strata: tuple[int, ...]
    seed: int


class Disturbance(Document):
    """The run that was killed and resumed. ``restored`` cases were saved before the kill and not done again."""

    killed: bool
    tries: int
    restored: int
    root_hash: str
    undisturbed_root_hash: str

    @property
    def identical(self) -> bool:
        """Whether the kill left no trace in the data."""
        return self.root_hash == self.undisturbed_root_hash


class Measured(Document):
    """The undisturbed run of the sample."""

    work_seconds: float
    verify_seconds: float
    case_seconds: float
    bytes_out: int
    records: int
    reasons: dict[str, int]
    peak_memory_bytes: int


class Projection(Document):
    """The full run. ``dollars`` is ``None`` where the price is unknown, never zero.

    ``machine_factor``: how many times as long as in the time model this machine takes; None without a model.
    """

    seconds_local: Estimate
    seconds_array: Estimate
    worker_hours: Estimate
    machine_factor: Estimate | None = None
    output_bytes: Estimate
    records: Estimate
    success_rate: Estimate
    staging_bytes: int
    peak_memory_bytes: int
    failures: dict[str, float]
    dollars: Estimate | None


class Rehearsal(Document):
    """``rehearsal.json``; ``model_version`` names the time model that the machine's factor is relative to."""

    format: Literal["casemill-rehearsal/1"] = "casemill-rehearsal/1"
    rehearsal_id: str
    digest: str = Field(pattern=r"^[0-9a-f]{12}$")
    workload: str
    code_version: str
    model_version: str = ""
    go: bool
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    limits: RehearsalLimits
    scale: RehearsalScale
    sample: Sample
    measured: Measured
    disturbance: Disturbance
    checks: tuple[Check, ...]
    projection: Projection
