"""``prices.json``: what an instance, a volume and an object cost, since when, and who says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError, field_validator, model_validator

from core.cost.money import Price, micros_at
from core.errors import BadRequestError
from core.run.models import Document
from core.wrong_values import first_problem

Capacity = Literal["spot", "on-demand"]

_ZONE = re.compile(r"([a-z]{2,3}(?:-[a-z]+)+-\d+)[a-z]")


class PricePoint(Document):
    """A spot price in dollars for an hour of the whole instance, in force from ``since`` until the next point."""

    since: AwareDatetime
    usd_per_hour: Price


class SpotHistory(Document):
    """The spot prices of one instance type in one zone up to ``known_until``; nothing is known of later moments.

    DescribeSpotPriceHistory gives the changes within the time asked for, and the price in force at its start.
    """

    instance_type: str
    zone: str
    points: tuple[PricePoint, ...] = Field(min_length=1)
    known_until: AwareDatetime
    source: str

    @field_validator("points")
    @classmethod
    def _in_order(cls, points: tuple[PricePoint, ...]) -> tuple[PricePoint, ...]:
        ordered = tuple(sorted(set(points), key=lambda point: (point.since, point.usd_per_hour)))
        if len({point.since for point in ordered}) < len(ordered):
            raise ValueError("two prices since the same moment")
        return ordered


class ListPrice(Document):
    """The on-demand price in dollars for an hour of the whole instance, as listed for a region at ``retrieved``."""

    instance_type: str
    region: str
    usd_per_hour: Price
    source: str
    retrieved: AwareDatetime


class StoragePrices(Document):
    """Prices of a region's storage; ``None``: unknown. The first tier of S3 Standard is taken for all of it."""

    region: str
    gp3_gib_month: Price | None = None
    s3_gib_month: Price | None = None
    s3_thousand_puts: Price | None = None
    s3_thousand_gets: Price | None = None
    source: str
    retrieved: AwareDatetime


class PriceBook(Document):
    """``prices.json``; ``processors``: vCPUs by instance type, needed to estimate before any machine was seen."""

    format: Literal["casemill-prices/1"] = "casemill-prices/1"
    currency: Literal["USD"] = "USD"
    spot: tuple[SpotHistory, ...] = ()
    on_demand: tuple[ListPrice, ...] = ()
    storage: tuple[StoragePrices, ...] = ()
    processors: dict[str, int] = Field(default={})

    @field_validator("processors")
    @classmethod
    def _counted(cls, processors: dict[str, int]) -> dict[str, int]:
        if any(count < 1 for count in processors.values()):
            raise ValueError("an instance has at least one processor")
        return processors

    @model_validator(mode="after")
    def _each_once(self) -> PriceBook:
        named = [
            *(("spot", item.instance_type, item.zone) for item in self.spot),
            *(("on-demand", item.instance_type, item.region) for item in self.on_demand),
            *(("storage", item.region) for item in self.storage),
        ]
        twice = sorted({" ".join(name) for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"given twice: {', '.join(twice)}")
        return self

    def storage_of(self, region: str | None) -> StoragePrices | None:
        """The storage prices of a region."""
        return next((item for item in self.storage if item.region == region), None)

    @property
    def sources(self) -> tuple[str, ...]:
        """Who says so, and when, each once."""
        said = [(item.source, item.known_until) for item in self.spot]
        said += [(item.source, item.retrieved) for item in self.on_demand]
        said += [(item.source, item.retrieved) for item in self.storage]
        latest = {source: max(when for who, when in said if who == source) for source, _ in said}
        return tuple(f"{source} ({latest[source]:%Y-%m-%d})" for source in sorted(latest))


@dataclass(frozen=True)
class Step:
    """A price for an hour of the whole instance, from ``since`` to ``until``, in microseconds since 1970."""

    since: int | None
    until: int | None
    usd_per_hour: Decimal


def price_steps(book: PriceBook, capacity: str, instance_type: str, zone: str) -> tuple[Step, ...]:
    """The known prices as a step function, earliest first; empty where there is none."""
    if capacity == "on-demand":
        region = region_of(zone)
        return tuple(
            Step(None, None, item.usd_per_hour)
            for item in book.on_demand
            if (item.instance_type, item.region) == (instance_type, region)
        )
    found = next((item for item in book.spot if (item.instance_type, item.zone) == (instance_type, zone)), None)
    if found is None:
        return ()
    moments = [micros_at(point.since) for point in found.points]
    # A last price that is newer than the question's end is still in force at the moment that it came.
    ends = [*moments[1:], max(moments[-1], micros_at(found.known_until))]
    return tuple(
        Step(since, until, point.usd_per_hour) for since, until, point in zip(moments, ends, found.points, strict=True)
    )


def region_of(zone: str) -> str | None:
    """The region of an availability zone; None for local zones and zone ids, whose list prices are their own.

    >>> region_of("us-east-1a"), region_of("us-gov-west-1b"), region_of("us-west-2-lax-1a"), region_of("use1-az4")
    ('us-east-1', 'us-gov-west-1', None, None)
    """
    match = _ZONE.fullmatch(zone)
    return match[1] if match else None


def parse_prices(data: bytes, where: str) -> PriceBook:
    """Read ``prices.json``.

    Raises
    ------
    BadRequestError
        ``bad_prices``: not such a document.
    """
    try:
        return PriceBook.model_validate_json(data)
    except ValidationError as error:
        raise BadRequestError(
            "bad_prices", first_problem(error.errors()), where=where, fix="See docs/cost.md for the form."
        ) from error
