"""A price list, which the emulator lacks: one price for every type of instance, and none for anything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.storage_faults import Application

ON_DEMAND_USD = "0.0893"
"""An hour of any instance; an amount of the size of a c7i.large's."""


def with_price_list(application: Application) -> Application:
    """The application, and before it the answers to GetProducts."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "/pricing/aws4_request" not in environ.get("HTTP_AUTHORIZATION", ""):
            return application(environ, start_response)
        asked = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        wanted = {item["Field"]: item["Value"] for item in asked.get("Filters", ())}
        products = [_product(wanted["instanceType"])] if "instanceType" in wanted else []
        body = json.dumps({"FormatVersion": "aws_v1", "PriceList": products}).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return answer


def _product(instance_type: str) -> str:
    """As the price list spells it."""
    dimension = {"unit": "Hrs", "beginRange": "0", "pricePerUnit": {"USD": ON_DEMAND_USD}}
    terms = {"OnDemand": {"term": {"priceDimensions": {"rate": dimension}}}}
    attributes = {"usagetype": f"EU-BoxUsage:{instance_type}"}
    return json.dumps({"product": {"attributes": attributes}, "terms": terms})
