"""What a run will take and cost, before it is started; and beside it, afterwards, what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from pydantic import AliasChoices, Field

from core.cost.money import HOUR
from core.cost.prices import PriceBook, region_of
from core.cost.time_model import TimeModel
from core.run.models import Document, PlannedShard
from core.run.projection import Estimate


@dataclass(frozen=True)
class Machines:
    """What would be paid for: ``workers`` jobs of ``job_processors`` vCPUs each, on instances that are filled."""

    workers: int
    capacity: str
    instance_type: str | None = None
    zone: str | None = None
    region: str | None = None
    job_processors: int = 1

    @property
    def named_region(self) -> str | None:
        """The region, by itself or by the zone."""
        return self.region or (region_of(self.zone) if self.zone else None)


class Unknown(Document):
    """A figure that cannot be given, why, and how to make it known."""

    what: str
    why: str
    how: str


class RunEstimate(Document):
    """``seconds`` from start to data set, ``worker_seconds`` of all workers together; ``None``: unknown, with a reason.

    ``dollars`` pay for the processors alone. ``calibrated``: a rehearsal has measured this machine.
    """

    cases: int
    bytes: int
    records: int = Field(validation_alias=AliasChoices("records", "windows"))
    shards: int
    workers: int
    seconds: Estimate | None
    worker_seconds: Estimate | None
    dollars: Estimate | None = None
    calibrated: bool
    unknown: tuple[Unknown, ...] = ()
    notes: tuple[str, ...] = ()


class EstimateOutcome(Document):
    """``estimate.json`` of a run: the estimate for what this start had to do, and what it took.

    Format 1 says ``windows`` where format 2 says ``records``.
    """

    format: Literal["casemill-estimate/1", "casemill-estimate/2"] = "casemill-estimate/2"
    run_id: str
    estimate: RunEstimate
    took_seconds: float
    whole_run: bool

    @property
    def ratio(self) -> float | None:
        """Taken over estimated seconds."""
        if self.estimate.seconds is None or not self.estimate.seconds.value:
            return None
        return self.took_seconds / self.estimate.seconds.value


def estimate_run(workload: str, model: TimeModel | None, shards: Sequence[PlannedShard], workers: int) -> RunEstimate:
    """The time that the shards take ``workers`` processes."""
    missing = Unknown(
        what="time",
        why=f"there are no figures of the workload {workload!r}",
        how="casemill rehearse projects the run from a sample",
    )
    return RunEstimate(
        cases=sum(shard.cases for shard in shards),
        bytes=sum(shard.bytes for shard in shards),
        records=sum(shard.estimated_records for shard in shards),
        shards=len(shards),
        workers=workers,
        seconds=model.run_seconds(shards, workers) if model else None,
        worker_seconds=model.worker_seconds(shards, workers) if model else None,
        calibrated=model.calibrated if model else False,
        unknown=() if model else (missing,),
        notes=_notes(shards, workers),
    )


def with_dollars(estimate: RunEstimate, book: PriceBook | None, machines: Machines) -> RunEstimate:
    """The same with its dollars, or with the reason why they are unknown.

    dollars = worker seconds × dollars per instance hour / 3600 × vCPUs of a job / vCPUs of the instance
    """
    unknown = [*estimate.unknown, *_UNSEEN]
    rate = processor_rate(book, machines)
    if isinstance(rate, Unknown):
        return estimate.model_copy(update={"unknown": (rate, *unknown)})
    if estimate.worker_seconds is None:
        return estimate.model_copy(update={"unknown": tuple(unknown)})
    seconds, share = estimate.worker_seconds, machines.job_processors / HOUR
    dollars = Estimate(
        value=seconds.value * rate.value * share,
        low=seconds.low * rate.low * share,
        high=seconds.high * rate.high * share,
    )
    return estimate.model_copy(update={"dollars": dollars, "unknown": tuple(unknown)})


_UNSEEN = (
    Unknown(
        what="starting and idle instances, reclaims",
        why="nobody knows them before",
        how="the run's cost.json shows what reclaims cost, and estimates the start",
    ),
    Unknown(
        what="scratch, storage and requests",
        why="the size of the output is not known from the plan",
        how="casemill rehearse projects the size of the output",
    ),
)


def processor_rate(book: PriceBook | None, machines: Machines) -> Estimate | Unknown:
    """Dollars for an hour of one vCPU: the latest price, between the least and the most that is on record."""
    if book is None:
        return _no_dollars("no prices were given", "give --prices FILE; docs/cost.md shows the form")
    name = machines.instance_type
    if name is None:
        return _no_dollars("the instance type is not known", "give --instance-type")
    processors = book.processors.get(name)
    if processors is None:
        return _no_dollars(f"the prices do not say how many vCPUs {name} has", f'add "processors": {{"{name}": …}}')
    rates = _spot_rates(book, machines) if machines.capacity == "spot" else _list_rates(book, machines)
    if rates is None:
        where = machines.zone or machines.region or "any one region"
        return _no_dollars(f"no {machines.capacity} price of {name} in {where}", "add it to the prices")
    return rates.times(1 / processors)


def _no_dollars(why: str, how: str) -> Unknown:
    return Unknown(what="dollars", why=why, how=how)


def _spot_rates(book: PriceBook, machines: Machines) -> Estimate | None:
    found = [
        item
        for item in book.spot
        if item.instance_type == machines.instance_type
        and (machines.zone is None or item.zone == machines.zone)
        and (machines.named_region is None or machines.zone or region_of(item.zone) == machines.named_region)
    ]
    if not found or len({region_of(item.zone) for item in found}) > 1:
        return None
    every = [float(point.usd_per_hour) for item in found for point in item.points]
    latest = median(float(item.points[-1].usd_per_hour) for item in found)
    return Estimate(value=latest, low=min(every), high=max(every))


def _list_rates(book: PriceBook, machines: Machines) -> Estimate | None:
    found = [
        float(item.usd_per_hour)
        for item in book.on_demand
        if item.instance_type == machines.instance_type
        and (machines.named_region is None or item.region == machines.named_region)
    ]
    return Estimate(value=found[0], low=found[0], high=found[0]) if len(found) == 1 else None


def _notes(shards: Sequence[PlannedShard], workers: int) -> tuple[str, ...]:
    if workers > len(shards):
        return (f"{len(shards)} shards: more workers than that have nothing to do",)
    return ()
