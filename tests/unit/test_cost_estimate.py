"""Dollars before a run, and the words for them."""

from __future__ import annotations

from typing import Any

import pytest

from core.cost.estimate import EstimateOutcome, Machines, RunEstimate, Unknown, estimate_run, with_dollars
from core.cost.prices import PriceBook
from core.cost.text import estimate_lines, outcome_line
from core.cost.time_model import time_model
from core.run.projection import Estimate
from tests.cost_examples import MODELS, at, book, shard

SPOT = Machines(4, "spot", "big", zone="us-east-1a")


def estimated(hours: float = 10.0) -> RunEstimate:
    seconds = Estimate(value=hours * 3600, low=hours * 1800, high=hours * 7200)
    return RunEstimate(
        cases=10, bytes=10, records=10, shards=4, workers=4, seconds=seconds, worker_seconds=seconds, calibrated=True
    )


def dollars(machines: Machines, prices: PriceBook | None = None) -> Estimate | str:
    """The dollars of ten worker hours (five to twenty), or why they are unknown."""
    found = with_dollars(estimated(), prices or book(), machines)
    if found.dollars is not None:
        return found.dollars
    return next(item.why for item in found.unknown if item.what == "dollars")


def test_spot_takes_the_latest_price_and_the_range_of_the_history() -> None:
    found = dollars(SPOT)
    assert isinstance(found, Estimate)
    # 10 h on one of two vCPUs at 0.072; at least 5 h at 0.036; at most 20 h at 0.072.
    assert (found.value, found.low, found.high) == pytest.approx((0.36, 0.09, 0.72))


def test_on_demand_takes_the_list_price_of_the_region() -> None:
    for machines in (
        Machines(4, "on-demand", "big", zone="us-east-1b"),
        Machines(4, "on-demand", "big", region="us-east-1"),
        Machines(4, "on-demand", "big"),
    ):
        found = dollars(machines)
        assert isinstance(found, Estimate)
        assert (found.value, found.low, found.high) == pytest.approx((0.45, 0.225, 0.9))


def test_a_job_of_two_processors_costs_twice_as_much() -> None:
    one, two = dollars(SPOT), dollars(Machines(4, "spot", "big", zone="us-east-1a", job_processors=2))
    assert isinstance(one, Estimate)
    assert isinstance(two, Estimate)
    assert two.value == pytest.approx(2 * one.value)


def history(zone: str, price: str) -> dict[str, Any]:
    points = [{"since": at(0), "usd_per_hour": price}]
    return {"instance_type": "big", "zone": zone, "points": points, "known_until": at(1), "source": "x"}


def test_a_region_takes_all_of_its_zones() -> None:
    zones = [
        history("us-east-1a", "1"),
        history("us-east-1b", "2"),
        history("us-east-1c", "6"),
        history("eu-west-1a", "9"),
    ]
    found = dollars(Machines(4, "spot", "big", region="us-east-1"), book(spot=zones))
    assert isinstance(found, Estimate)
    assert (found.value, found.low, found.high) == pytest.approx((10.0, 2.5, 60.0))
    assert dollars(Machines(4, "spot", "big"), book(spot=zones)) == "no spot price of big in any one region"


@pytest.mark.parametrize(
    ("machines", "prices", "why"),
    [
        (Machines(4, "spot"), book(), "the instance type is not known"),
        (Machines(4, "spot", "other"), book(), "the prices do not say how many vCPUs other has"),
        (Machines(4, "spot", "big", zone="us-east-1b"), book(), "no spot price of big in us-east-1b"),
        (Machines(4, "on-demand", "big", region="eu-west-1"), book(), "no on-demand price of big in eu-west-1"),
    ],
)
def test_unknown_dollars_have_a_reason(machines: Machines, prices: PriceBook, why: str) -> None:
    assert dollars(machines, prices) == why


def test_without_prices_the_dollars_are_unknown_and_it_says_what_to_do() -> None:
    found = with_dollars(estimated(), None, SPOT)
    assert found.dollars is None
    assert found.unknown[0] == Unknown(
        what="dollars", why="no prices were given", how="give --prices FILE; docs/cost.md shows the form"
    )
    text = "\n".join(estimate_lines(found))
    assert "cost      unknown" in text
    assert "give --prices FILE" in text


def test_without_figures_of_the_workload_the_time_is_unknown() -> None:
    found = with_dollars(estimate_run("other", None, [shard(0)], 2), book(), SPOT)
    assert (found.seconds, found.worker_seconds, found.dollars) == (None, None, None)
    assert found.unknown[0].what == "time"
    assert "time      unknown" in "\n".join(estimate_lines(found))


def test_more_workers_than_shards_are_remarked_on() -> None:
    model = time_model(MODELS, "vitaldb")
    assert estimate_run("vitaldb", model, [shard(0), shard(1)], 2).notes == ()
    (note,) = estimate_run("vitaldb", model, [shard(0), shard(1)], 3).notes
    assert "more workers than that have nothing to do" in note


def test_what_was_estimated_stands_beside_what_it_took() -> None:
    estimate = estimated().model_copy(update={"seconds": Estimate(value=12, low=9, high=20)})
    outcome = EstimateOutcome(run_id="r", estimate=estimate, took_seconds=14.2, whole_run=True)
    assert outcome_line(outcome) == "estimated 12 s (9–20), took 14 s"
    assert outcome.ratio == pytest.approx(14.2 / 12)
    assert EstimateOutcome.model_validate_json(outcome.to_bytes()) == outcome
    first = (
        outcome.to_bytes().replace(b"casemill-estimate/2", b"casemill-estimate/1").replace(b'"records"', b'"windows"')
    )
    assert EstimateOutcome.model_validate_json(first).estimate == estimate
    none = outcome.model_copy(update={"estimate": estimate.model_copy(update={"seconds": None})})
    assert outcome_line(none) == "no estimate, took 14 s"
    assert none.ratio is None
