"""Prices as AWS answers them: which product counts, what is unknown, and how often AWS is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from handlers.aws import clients, prices
from handlers.environment import environment
from tests.cost_examples import START, worked
from tests.functions_bench import stub

NOW = datetime.fromtimestamp(START, timezone.utc) + timedelta(hours=2)
SPOT = worked(0, 3600, instance_type="c7i.large")
LISTED = worked(0, 3600, instance_type="c7i.large", capacity="on-demand")
HOURLY = {"usagetype": "BoxUsage:c7i.large", "operation": "RunInstances", "locationType": "AWS Region"}


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names = ("SPOT_QUEUE", "ON_DEMAND_QUEUE", "JOB_DEFINITION", "IMAGE", "TOPIC", "QUARANTINE_QUEUE", "STAGE")
    for name in names:
        monkeypatch.setenv(f"CASEMILL_{name}", "x")
    for name, value in {
        "CASEMILL_OUTPUT": "s3://b/x", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    environment.cache_clear()
    clients.client.cache_clear()
    prices.forget_prices()
    yield
    clients.client.cache_clear()
    environment.cache_clear()
    prices.forget_prices()


@pytest.fixture
def ec2() -> Iterator[Stubber]:
    with stub("ec2") as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def listing() -> Iterator[Stubber]:
    with stub("pricing", "us-east-1") as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def product(amount: str, unit: str, usage: str, begin: str = "0", currency: str = "USD") -> str:
    """One item of a price list, as the API gives it: JSON in text (AWS Price List API, GetProducts)."""
    rate = {
        "unit": unit, "beginRange": begin, "endRange": "Inf", "description": f"${amount} per {unit}", "appliesTo": [],
        "rateCode": "SKU.JRTCKXETXF.6YS6EN2CT7", "pricePerUnit": {currency: amount},
    }  # fmt: skip
    term = {"sku": "SKU", "offerTermCode": "JRTCKXETXF", "priceDimensions": {"SKU.JRTCKXETXF.6YS6EN2CT7": rate}}
    return json.dumps(
        {
            "product": {"productFamily": "x", "attributes": {"usagetype": usage}, "sku": "SKU"},
            "serviceCode": "x",
            "terms": {"OnDemand": {"SKU.JRTCKXETXF": term}, "Reserved": {}},
        }
    )


def filters(**wanted: str) -> list[dict[str, str]]:
    return [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]


def answer(listing: Stubber, service: str, *items: str, **wanted: str) -> None:
    asked = {"ServiceCode": service, "Filters": filters(**wanted) if wanted else ANY}
    listing.add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": list(items)}, asked)


def no_volume(listing: Stubber) -> None:
    answer(listing, "AmazonEC2", regionCode="us-east-1", volumeApiName="gp3", productFamily="Storage")


def history(ec2: Stubber, *points: tuple[float, str]) -> None:
    items: list[dict[str, Any]] = [
        {
            "AvailabilityZone": "us-east-1a", "InstanceType": "c7i.large", "ProductDescription": "Linux/UNIX",
            "SpotPrice": price, "Timestamp": datetime.fromtimestamp(START + seconds, timezone.utc),
        }
        for seconds, price in points
    ]  # fmt: skip
    asked = {
        "InstanceTypes": ["c7i.large"], "AvailabilityZone": "us-east-1a", "ProductDescriptions": ["Linux/UNIX"],
        "StartTime": datetime.fromtimestamp(START, timezone.utc), "EndTime": ANY,
    }  # fmt: skip
    ec2.add_response("describe_spot_price_history", {"SpotPriceHistory": items, "NextToken": ""}, asked)


def book(*times: Any, now: datetime = NOW, objects: bool = False) -> Any:
    return prices.price_book(times, "us-east-1", now, objects=objects)


def test_spot_prices_come_from_the_history_of_type_and_zone(ec2: Stubber, listing: Stubber) -> None:
    no_volume(listing)
    history(ec2, (3000, "0.040000"), (-100, "0.030000"), (3000, "0.050000"))
    [found] = book(SPOT).spot
    assert [point.usd_per_hour for point in found.points] == [Decimal("0.03"), Decimal("0.05")]
    assert found.known_until == NOW


def test_the_guard_asks_rarely(ec2: Stubber, listing: Stubber) -> None:
    """One answer for some minutes, which is taken to hold up to the moment of the question."""
    no_volume(listing)
    history(ec2, (0, "0.03"))
    book(SPOT)
    later = NOW + timedelta(seconds=60)
    [found] = book(SPOT, worked(60, 30, instance_type="c7i.large", partition=1), now=later).spot
    assert found.known_until == later


def test_the_list_price_is_asked_for_by_the_fields_of_the_price_list(listing: Stubber) -> None:
    answer(
        listing, "AmazonEC2",
        product("0.0892500000", "Hrs", "BoxUsage:c7i.large"),
        product("0.0000000000", "Hrs", "Reservation:c7i.large"),
        instanceType="c7i.large", regionCode="us-east-1", operatingSystem="Linux", preInstalledSw="NA",
        tenancy="Shared", capacitystatus="Used",
    )  # fmt: skip
    no_volume(listing)
    [found] = book(LISTED).on_demand
    assert (found.instance_type, found.region, found.usd_per_hour) == ("c7i.large", "us-east-1", Decimal("0.08925"))


@pytest.mark.parametrize(
    "items",
    [
        (),
        (product("0.09", "Hrs", "BoxUsage:c7i.large"), product("0.10", "Hrs", "EU-BoxUsage:c7i.large")),
        (product("0.09", "Hrs", "DedicatedUsage:c7i.large"),),
        (product("0.09", "Quantity", "BoxUsage:c7i.large"),),
        (product("0.6", "Hrs", "BoxUsage:c7i.large", currency="CNY"),),
    ],
    ids=["none", "two that differ", "another usage", "another unit", "another currency"],
)
def test_a_price_that_is_not_one_price_is_unknown(listing: Stubber, items: tuple[str, ...]) -> None:
    answer(listing, "AmazonEC2", *items)
    no_volume(listing)
    assert book(LISTED).on_demand == ()


def test_storage_is_priced_by_its_first_tier(listing: Stubber) -> None:
    answer(listing, "AmazonEC2", product("0.08", "GB-Mo", "EBS:VolumeUsage.gp3"))
    answer(
        listing, "AmazonS3",
        product("0.023", "GB-Mo", "TimedStorage-ByteHrs"), product("0.021", "GB-Mo", "TimedStorage-ByteHrs", "512000"),
        product("0.0125", "GB-Mo", "TimedStorage-SIA-ByteHrs"),
        regionCode="us-east-1", volumeType="Standard", productFamily="Storage",
    )  # fmt: skip
    for tier, amount in (("1", "0.0000050"), ("2", "0.0000004")):
        answer(
            listing, "AmazonS3", product(amount, "Requests", f"USE2-Requests-Tier{tier}"),
            regionCode="us-east-1", productFamily="API Request", group=f"S3-API-Tier{tier}",
        )  # fmt: skip
    [found] = book(objects=True).storage
    assert (found.gp3_gib_month, found.s3_gib_month) == (Decimal("0.08"), Decimal("0.023"))
    assert (found.s3_thousand_puts, found.s3_thousand_gets) == (Decimal("0.005"), Decimal("0.0004"))


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "UnauthorizedOperation", "AuthFailure", "OptInRequired"])
def test_prices_that_are_refused_are_unknown_and_not_asked_for_again_at_once(
    ec2: Stubber, listing: Stubber, code: str
) -> None:
    """Other partitions have no price list; a run there goes on, without figures."""
    ec2.add_client_error("describe_spot_price_history", code, http_status_code=400)
    listing.add_client_error("get_products", "UnrecognizedClientException", http_status_code=400)
    for _ in range(3):
        found = book(SPOT)
        assert (found.spot, found.on_demand, found.storage) == ((), (), ())


def test_times_without_a_place_ask_for_nothing(listing: Stubber) -> None:
    no_volume(listing)
    found = book(worked(0, 10, zone=None), worked(0, 10, instance_type=None), worked(0, 10, capacity=None))
    assert (found.spot, found.on_demand) == ((), ())


def test_the_history_goes_back_only_so_far(ec2: Stubber, listing: Stubber) -> None:
    no_volume(listing)
    late = NOW + timedelta(days=200)
    asked = {
        "InstanceTypes": ["c7i.large"], "AvailabilityZone": "us-east-1a", "ProductDescriptions": ["Linux/UNIX"],
        "StartTime": late - prices.EARLIEST, "EndTime": late,
    }  # fmt: skip
    ec2.add_response("describe_spot_price_history", {"SpotPriceHistory": []}, asked)
    assert book(SPOT, now=late).spot == ()
