"""What instances cost: spot history and list prices, for the attempts that there were.

A price that cannot be had is left out, and so is reported as unknown; it fails nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar

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

SPOT_KEPT_SECONDS = 300.0
LISTED_KEPT_SECONDS = 6 * 3600.0
"""How long a warm function takes an answer for the price of the moment: the guard looks every minute."""

Answer = TypeVar("Answer")
_kept: dict[tuple[object, ...], tuple[float, Any]] = {}


def price_book(times: Sequence[OccupiedTime], region: str, now: datetime, *, objects: bool = True) -> PriceBook:
    """The prices that these times need, those of volumes and, with ``objects``, those of S3 in ``region``."""
    spot: set[tuple[str, str]] = set()
    listed: set[tuple[str, str]] = set()
    for used in times:
        if used.instance_type and used.zone and used.capacity == "spot":
            spot.add((used.instance_type, used.zone))
        place = region_of(used.zone) if used.zone else None
        if used.instance_type and place and used.capacity == "on-demand":
            listed.add((used.instance_type, place))
    since = _first(times, now)
    histories = [_spot(kind, zone, since, now) for kind, zone in sorted(spot)]
    prices = [_listed(kind, place, now) for kind, place in sorted(listed)]
    storage = _storage(region, now, objects)
    return PriceBook(
        spot=tuple(found for found in histories if found is not None),
        on_demand=tuple(found for found in prices if found is not None),
        storage=() if storage is None else (storage,),
    )


def forget_prices() -> None:
    """Ask anew from here on."""
    _kept.clear()


def _first(times: Iterable[OccupiedTime], now: datetime) -> datetime:
    """From when on prices are needed, in whole hours, so that the guard's questions are the same for a while."""
    earliest = min((used.started for used in times), default=now.timestamp())
    first = datetime.fromtimestamp(earliest - earliest % 3600, timezone.utc)
    return max(first, now - EARLIEST)


def _spot(instance_type: str, zone: str, since: datetime, now: datetime) -> SpotHistory | None:
    points = _remembered(
        ("spot", instance_type, zone, since), SPOT_KEPT_SECONDS, lambda: _points(instance_type, zone, since, now)
    )
    if not points:
        return None
    return SpotHistory(instance_type=instance_type, zone=zone, points=points, known_until=now, source=SPOT_SOURCE)


def _points(instance_type: str, zone: str, since: datetime, now: datetime) -> tuple[PricePoint, ...]:
    pages = client("ec2").get_paginator("describe_spot_price_history")
    with asking("DescribeSpotPriceHistory"):
        items = [
            item
            for page in pages.paginate(
                InstanceTypes=[instance_type],
                AvailabilityZone=zone,
                ProductDescriptions=[PRODUCT],
                StartTime=since,
                EndTime=now,
            )
            for item in page["SpotPriceHistory"]
        ]
    amounts: dict[datetime, Decimal] = {}
    for item in items:
        # One price a moment: the dearer, where the history gives two.
        amounts[item["Timestamp"]] = max(Decimal(item["SpotPrice"]), amounts.get(item["Timestamp"], Decimal(0)))
    return tuple(
        PricePoint(since=moment, usd_per_hour=amounts[moment]) for moment in sorted(amounts) if amounts[moment] > 0
    )


def _listed(instance_type: str, region: str, now: datetime) -> ListPrice | None:
    wanted = {
        "instanceType": instance_type,
        "regionCode": region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }
    amount = _price("AmazonEC2", wanted, "Hrs", f"BoxUsage:{instance_type}")
    if amount is None:
        return None
    return ListPrice(instance_type=instance_type, region=region, usd_per_hour=amount, source=LIST_SOURCE, retrieved=now)


def _storage(region: str, now: datetime, objects: bool) -> StoragePrices | None:
    place = {"regionCode": region}
    requests = {**place, "productFamily": "API Request"}
    volume = _price(
        "AmazonEC2", {**place, "volumeApiName": "gp3", "productFamily": "Storage"}, "GB-Mo", "EBS:VolumeUsage.gp3"
    )
    stored, puts, gets = None, None, None
    if objects:
        standard = {**place, "volumeType": "Standard", "productFamily": "Storage"}
        stored = _price("AmazonS3", standard, "GB-Mo", "TimedStorage-ByteHrs")
        puts = _price("AmazonS3", {**requests, "group": "S3-API-Tier1"}, "Requests", "Requests-Tier1")
        gets = _price("AmazonS3", {**requests, "group": "S3-API-Tier2"}, "Requests", "Requests-Tier2")
    if volume is None and stored is None and puts is None and gets is None:
        return None
    return StoragePrices(
        region=region,
        gp3_gib_month=volume,
        s3_gib_month=stored,
        s3_thousand_puts=None if puts is None else puts * 1000,
        s3_thousand_gets=None if gets is None else gets * 1000,
        source=LIST_SOURCE,
        retrieved=now,
    )


def _price(service: str, wanted: dict[str, str], unit: str, usage: str) -> Decimal | None:
    """The on-demand price of the first tier of the one product that fits; None where there is none, or several.

    ``usage`` ends the product's usage type, which begins with the region's short name everywhere but in us-east-1.
    """
    key = (service, *sorted(wanted.items()), unit)
    return _remembered(key, LISTED_KEPT_SECONDS, lambda: _ask_price(service, wanted, unit, usage))


def _ask_price(service: str, wanted: dict[str, str], unit: str, usage: str) -> Decimal | None:
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    pages = client("pricing", PRICING_REGION).get_paginator("get_products")
    with asking("GetProducts"):
        found = [json.loads(item) for page in pages.paginate(ServiceCode=service, Filters=filters)
                 for item in page["PriceList"]]  # fmt: skip
    amounts = {amount for product in found for amount in _amounts(product, unit, usage)} - {Decimal(0)}
    # Several products with different prices are none that can be told apart: better unknown than wrong.
    return amounts.pop() if len(amounts) == 1 else None


def _amounts(product: dict[str, Any], unit: str, usage: str) -> Iterator[Decimal]:
    used = product["product"]["attributes"].get("usagetype", "")
    if used != usage and not used.endswith(f"-{usage}"):
        return
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            # Other partitions have their prices in other currencies.
            if dimension["unit"] == unit and dimension.get("beginRange", "0") == "0":
                yield Decimal(dimension["pricePerUnit"].get("USD", "0"))


def _remembered(key: tuple[object, ...], seconds: float, ask: Callable[[], Answer | None]) -> Answer | None:
    """The answer, or the one of a short time ago; also that there is none, so that a refusal is not asked for again."""
    now = time.monotonic()
    expires, answer = _kept.get(key, (0.0, None))
    if now < expires:
        found: Answer | None = answer
        return found
    try:
        found = ask()
    except (TransientError, BugError) as error:
        logger.warning("no price", extra={"what": " ".join(map(str, key[:3])), "code": error.code, "said": error.what})
        found, seconds = None, SPOT_KEPT_SECONDS
    for old in [name for name, (until, _) in _kept.items() if until <= now]:
        del _kept[old]
    _kept[key] = (now + seconds, found)
    return found
