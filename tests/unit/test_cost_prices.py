"""``prices.json``: what it takes, and what it refuses."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.cost.money import dollars_of, micros_at, micros_of, nano_dollars
from core.cost.prices import PriceBook, parse_prices, price_steps
from core.errors import BadRequestError
from tests.cost_examples import MIDNIGHT, START, at, book


def document(**changes: Any) -> bytes:
    return json.dumps({**book().model_dump(mode="json"), **changes}).encode()


def test_reads_back_as_it_was() -> None:
    assert parse_prices(book().to_bytes(), "prices.json") == book()


def test_prices_may_be_text_or_numbers_and_are_exact() -> None:
    content = json.loads(document())
    content["on_demand"][0]["usd_per_hour"] = 0.1
    found = parse_prices(json.dumps(content).encode(), "prices.json")
    assert found.on_demand[0].usd_per_hour == Decimal("0.1")


def test_spot_prices_are_steps_in_order() -> None:
    steps = price_steps(book(), "spot", "big", "us-east-1a")
    assert [(step.since, step.until, step.usd_per_hour) for step in steps] == [
        (micros_at(at(0)), micros_at(at(1)), Decimal("0.036")),
        (micros_at(at(1)), micros_at(at(5)), Decimal("0.072")),
    ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: c["on_demand"][0].update(usd_per_hour="0"), "0 is too small, it must be above 0"),
        (lambda c: c["on_demand"][0].update(usd_per_hour="-1"), "-1 is too small, it must be above 0"),
        (lambda c: c["on_demand"][0].update(usd_per_hour="nan"), "finite number"),
        (lambda c: c["on_demand"][0].update(usd_per_hour="cheap"), "decimal"),
        (lambda c: c["on_demand"][0].update(retrieved="2026-01-01T00:00:00"), "timezone"),
        (lambda c: c["on_demand"].append(c["on_demand"][0]), "given twice: on-demand big us-east-1"),
        (lambda c: c["spot"].append(c["spot"][0]), "given twice: spot big us-east-1a"),
        (lambda c: c["spot"][0].update(points=[]), "at least 1"),
        (lambda c: c["spot"][0]["points"].append({"since": at(0).isoformat(), "usd_per_hour": "7"}), "same moment"),
        (lambda c: c["processors"].update(big=0), "at least one processor"),
        (lambda c: c.update(currency="EUR"), "USD"),
        (lambda c: c.update(surprise=1), "surprise: not known here"),
    ],
)  # fmt: skip
def test_refuses(change: Any, what: str) -> None:
    content = json.loads(document())
    change(content)
    with pytest.raises(BadRequestError, match=what) as caught:
        parse_prices(json.dumps(content).encode(), "prices.json")
    assert caught.value.code == "bad_prices"


def test_refuses_what_is_no_json() -> None:
    with pytest.raises(BadRequestError, match="bad_prices"):
        parse_prices(b"{", "prices.json")


def test_the_same_point_twice_is_one() -> None:
    content = json.loads(document())
    content["spot"][0]["points"] *= 2
    assert len(PriceBook.model_validate(content).spot[0].points) == 2


def test_sources_are_named_once_with_their_latest_date() -> None:
    assert book().sources == ("made up (2026-01-01)",)


def test_time_and_money_are_whole_numbers() -> None:
    assert micros_of(START) == micros_at(MIDNIGHT) == 1_767_225_600_000_000
    assert micros_of(0.0000015) == 2
    assert dollars_of(nano_dollars(Decimal("12.345678901"))) == Decimal("12.345678901")


def test_the_example_of_the_documentation_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cost.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    found = parse_prices(example.encode(), "docs/cost.md")
    assert len(price_steps(found, "spot", "m7i.large", "eu-north-1a")) == 2
    assert price_steps(found, "on-demand", "m7i.large", "eu-north-1b")
