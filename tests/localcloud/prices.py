"""Prices, of which the emulator knows next to none: one for spot, one for on-demand, whatever the type of the instance.

They are a thousand times real ones, so that the seconds of a test are whole cents.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from tests.storage_faults import Application

SPOT_USD, ON_DEMAND_USD = "36.0", "90.0"
"""An hour of any instance."""

SPOT_USD_A_SECOND = Decimal(SPOT_USD) / 3600 / (os.cpu_count() or 1)
"""Of one job on a spot instance: it has one of the processors that this machine shows it."""

Answer = tuple[str, bytes]


def with_prices(application: Application) -> Application:
    """The application, and before it the answers to GetProducts and DescribeSpotPriceHistory."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        credential = environ.get("HTTP_AUTHORIZATION", "")
        answer: Answer | None = None
        if "/pricing/aws4_request" in credential:
            answer = _products(_body(environ))
        elif "/ec2/aws4_request" in credential:
            answer = _spot_history(_body(environ))
        if answer is None:
            return application(environ, start_response)
        kind, body = answer
        start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return serve


def _products(body: bytes) -> Answer:
    wanted = {item["Field"]: item["Value"] for item in json.loads(body).get("Filters", ())}
    products = [_product(wanted["instanceType"])] if "instanceType" in wanted else []
    return "application/x-amz-json-1.1", json.dumps({"FormatVersion": "aws_v1", "PriceList": products}).encode()


def _product(instance_type: str) -> str:
    """As the price list spells it."""
    dimension = {"unit": "Hrs", "beginRange": "0", "pricePerUnit": {"USD": ON_DEMAND_USD}}
    terms = {"OnDemand": {"term": {"priceDimensions": {"rate": dimension}}}}
    attributes = {"usagetype": f"EU-BoxUsage:{instance_type}"}
    return json.dumps({"product": {"attributes": attributes}, "terms": terms})


def _spot_history(body: bytes) -> Answer | None:
    """One price that has held since the time asked for; None for any other call of EC2."""
    asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    if asked.get("Action") != "DescribeSpotPriceHistory":
        return None
    fields = {
        "instanceType": asked["InstanceType.1"],
        "productDescription": asked["ProductDescription.1"],
        "spotPrice": SPOT_USD,
        "timestamp": asked["StartTime"],
        "availabilityZone": asked["AvailabilityZone"],
    }
    item = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    history = f"<spotPriceHistorySet><item>{item}</item></spotPriceHistorySet><nextToken></nextToken>"
    name = "DescribeSpotPriceHistoryResponse"
    return "text/xml", f'<{name} xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{history}</{name}>'.encode()


def _body(environ: dict[str, Any]) -> bytes:
    """The request's body, put back for the application."""
    data: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(data)
    return data
