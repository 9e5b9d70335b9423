"""What instances cost: spot history and list prices, for the attempts that there were."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from core.cost.occupied import OccupiedTime
from core.cost.prices import ListPrice, PriceBook, PricePoint, SpotHistory, StoragePrices, region_of
from core.errors import BugError, TransientError
from handlers.aws.clients import asking, client
from handlers.observability import logger

PRICING_REGION = "us-east-1"
"""Where the price list is served (AWS Price List API endpoints)."""

PRODUCT = "Linux/UNIX"
SPOT_SOURCE = "EC2 DescribeSpotPriceHistory"
LIST_SOURCE = "AWS Price List"

EARLIEST = timedelta(days=89)
"""How far back the spot history goes, about (notes of the EC2 API: 90 days)."""


def price_book(times: Sequence[OccupiedTime], region: str, now: datetime) -> PriceBook:
    """The prices that these times need; what cannot be had is left out, and so is reported as unknown."""
    placed = {(time.capacity, time.instance_type, time.zone) for time in times if time.instance_type and time.zone}
    first = min((time.started for time in times), default=now.timestamp())
    since = max(datetime.fromtimestamp(first, timezone.utc), now - EARLIEST)
    spot = [_spot(kind, zone, since, now) for capacity, kind, zone in sorted(placed, key=str) if capacity == "spot"]
    listed = sorted(
        {(kind, region_of(zone or "")) for capacity, kind, zone in placed if capacity == "on-demand"}, key=str
    )
    return PriceBook(
        spot=tuple(found for found in spot if found is not None),
        on_demand=tuple(found for kind, place in listed if place and (found := _listed(str(kind), place, now))),
        storage=tuple(found for found in [_storage(region, now)] if found is not None),
    )


def _spot(instance_type: Any, zone: Any, since: datetime, now: datetime) -> SpotHistory | None:
    pages = client("ec2").get_paginator("describe_spot_price_history")
    points: list[PricePoint] = []
    try:
        with asking("DescribeSpotPriceHistory"):
            for page in pages.paginate(
                InstanceTypes=[instance_type],
                AvailabilityZone=zone,
                ProductDescriptions=[PRODUCT],
                StartTime=since,
                EndTime=now,
            ):
                points += [
                    PricePoint(since=item["Timestamp"], usd_per_hour=Decimal(item["SpotPrice"]))
                    for item in page["SpotPriceHistory"]
                ]
    except (TransientError, BugError) as error:
        _unknown(f"spot {instance_type} {zone}", error)
        return None
    if not points:
        return None
    return SpotHistory(
        instance_type=instance_type, zone=zone, points=_each_moment(points), known_until=now, source=SPOT_SOURCE
    )


def _each_moment(points: Iterable[PricePoint]) -> tuple[PricePoint, ...]:
    """One price a moment: the dearer, where the history gives two."""
    return tuple({point.since: point for point in sorted(points, key=lambda item: item.usd_per_hour)}.values())


def _listed(instance_type: str, region: str, now: datetime) -> ListPrice | None:
    wanted = {
        "instanceType": instance_type,
        "regionCode": region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }
    amount = _price("AmazonEC2", wanted, "Hrs")
    if amount is None:
        return None
    return ListPrice(instance_type=instance_type, region=region, usd_per_hour=amount, source=LIST_SOURCE, retrieved=now)


def _storage(region: str, now: datetime) -> StoragePrices | None:
    place = {"regionCode": region}
    volume = _price("AmazonEC2", {**place, "volumeApiName": "gp3", "productFamily": "Storage"}, "GB-Mo")
    objects = _price("AmazonS3", {**place, "volumeType": "Standard", "productFamily": "Storage"}, "GB-Mo")
    puts = _price("AmazonS3", {**place, "group": "S3-API-Tier1", "productFamily": "API Request"}, "Requests")
    gets = _price("AmazonS3", {**place, "group": "S3-API-Tier2", "productFamily": "API Request"}, "Requests")
    if volume is None and objects is None and puts is None and gets is None:
        return None
    return StoragePrices(
        region=region,
        gp3_gib_month=volume,
        s3_gib_month=objects,
        s3_thousand_puts=None if puts is None else puts * 1000,
        s3_thousand_gets=None if gets is None else gets * 1000,
        source=LIST_SOURCE,
        retrieved=now,
    )


def _price(service: str, wanted: dict[str, str], unit: str) -> Decimal | None:
    """The on-demand price of the first tier of the one product that fits; None where there is none."""
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    try:
        with asking("GetProducts"):
            found = client("pricing", PRICING_REGION).get_products(ServiceCode=service, Filters=filters, MaxResults=100)
    except (TransientError, BugError) as error:
        _unknown(f"{service} {unit}", error)
        return None
    amounts = {
        Decimal(dimension["pricePerUnit"]["USD"])
        for product in found["PriceList"]
        for term in json.loads(product).get("terms", {}).get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if dimension["unit"] == unit and dimension.get("beginRange", "0") == "0" and "USD" in dimension["pricePerUnit"]
    } - {Decimal(0)}
    # Several products with different prices are none that can be told apart: better unknown than wrong.
    return amounts.pop() if len(amounts) == 1 else None


def _unknown(what: str, error: TransientError | BugError) -> None:
    """A price that cannot be had makes the cost unknown, not the run fail."""
    logger.warning("no price", extra={"what": what, "code": error.code, "said": error.what})
