"""The cost of runs against examples worked by hand; the arithmetic stands beside each."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cost.account import CaseTime, RunUse, account, case_costs
from core.cost.charge import charge
from core.cost.occupied import OccupiedTime
from core.cost.report import NOT_INCLUDED, CostReport
from core.cost.text import cost_lines
from tests.cost_examples import SOURCE, at, book, worked

NOTHING_ELSE = RunUse(scratch_gib=0, stored_bytes=0, puts=0, gets=0)


def cost(*times: OccupiedTime, **changes: Any) -> CostReport:
    content: dict[str, Any] = {"book": book(), "use": NOTHING_ELSE, **changes}
    return account("run-1", times, content.pop("book"), **content)


def test_reclaimed_twice() -> None:
    report = cost(
        worked(0, 600, "reclaimed", attempt=1, cases=2),
        worked(700, 1200, "reclaimed", attempt=2, cases=3),
        worked(1800, 1800, attempt=3, cases=5),
        cases=10,
    )
    # 600 + 1,200 + 1,800 s, all before 1 o'clock, at 0.000005 dollars a second for one of two processors.
    assert report.total_usd == report.compute_usd == Decimal("0.018")
    assert report.complete
    assert report.by_end["reclaimed"].usd == Decimal("0.009")
    assert (report.by_end["reclaimed"].attempts, report.by_end["reclaimed"].seconds) == (2, 1800.0)
    assert report.by_end["reclaimed"].cases == 5, "finished and saved before the machine went"
    assert report.by_end["useful"].usd == Decimal("0.009")
    assert report.usd_per_case == Decimal("0.0018")


def test_mixed_spot_and_on_demand() -> None:
    report = cost(worked(0, 1000), worked(0, 2000, partition=1, capacity="on-demand"))
    # Spot: 1,000 s × 0.036 / 3,600 × 1/2 = 0.005. On-demand: 2,000 s × 0.09 / 3,600 × 1/2 = 0.025.
    assert report.total_usd == Decimal("0.03")
    assert {name: line.usd for name, line in report.by_capacity.items()} == {
        "spot": Decimal("0.005"),
        "on-demand": Decimal("0.025"),
    }
    assert report.by_instance_type["big"].seconds == 3000.0


def test_price_change_in_mid_run() -> None:
    report = cost(worked(3000, 1200, processors=2))
    # 0:50 to 1:00 at 0.036, 1:00 to 1:10 at 0.072, the whole instance: 600 s × 0.00001 + 600 s × 0.00002.
    assert report.total_usd == Decimal("0.018")


def test_whole_hour_over_several_changes() -> None:
    points = [
        {"since": at(hours).isoformat(), "usd_per_hour": price} for hours, price in ((0, "1"), (0.25, "3"), (0.5, "2"))
    ]
    prices = book(
        spot=[
            {
                "instance_type": "big",
                "zone": "us-east-1a",
                "points": points,
                "known_until": at(1).isoformat(),
                "source": "x",
            }
        ]
    )
    # A quarter of an hour at 1, a quarter at 3, half an hour at 2.
    assert cost(worked(0, 3600, processors=2), book=prices).total_usd == Decimal("2")


def test_unknown_price_is_unknown_and_never_zero() -> None:
    report = cost(worked(0, 1000), worked(0, 2000, "reclaimed", partition=1, zone="us-east-1b"))
    assert report.total_usd == Decimal("0.005")
    assert not report.complete
    (unknown,) = report.unknown
    assert (unknown.what, unknown.seconds, unknown.attempts) == ("compute", 2000.0, 1)
    assert unknown.why == "no spot price of big in us-east-1b"
    assert report.by_end["reclaimed"].usd is None
    text = "\n".join(cost_lines(report))
    assert "at least 0.0050 dollars; a part is unknown" in text
    assert "reclaimed: 1 attempt, 33 min 20 s, unknown" in text


def test_nothing_is_known() -> None:
    report = cost(worked(0, 1000), book=book(spot=[], on_demand=[]), cases=3)
    assert report.total_usd is None
    assert report.compute_usd is None
    assert report.usd_per_case is None
    assert "cost       unknown" in cost_lines(report)[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"instance_type": None}, "does not know its instance type and zone"),
        ({"zone": None}, "does not know its instance type and zone"),
        ({"capacity": None}, "spot or on-demand"),
        ({"processors": None}, "its share of the instance"),
        ({"host_processors": None}, "its share of the instance"),
        ({"processors": 4}, "its share of the instance"),
        ({"instance_type": "other"}, "no spot price of other"),
        ({"capacity": "on-demand", "zone": "us-west-2-lax-1a"}, "no on-demand price of big in us-west-2-lax-1a"),
    ],
)  # fmt: skip
def test_each_thing_that_can_be_missing_is_named(changes: dict[str, Any], why: str) -> None:
    report = cost(worked(0, 1000, **changes))
    assert report.total_usd is None
    assert why in report.unknown[0].why
    assert report.unknown[0].seconds == 1000.0


def test_a_clock_that_went_backwards_is_unknown_time() -> None:
    report = cost(worked(0, -50))
    assert not report.complete
    assert "went backwards" in report.unknown[0].why


def test_prices_are_known_for_their_own_time_only() -> None:
    # From half an hour before midnight to half past: 1,800 s are before the first price.
    early = charge(worked(-1800, 3600), book())
    assert (early.priced, [part.micros for part in early.unknown]) == (1_800_000_000, [1_800_000_000])
    assert early.nanos == 9_000_000
    # 4:30 to 5:30: the prices were asked for until 5.
    late = charge(worked(4.5 * 3600, 3600), book())
    assert (late.priced, [part.micros for part in late.unknown]) == (1_800_000_000, [1_800_000_000])
    assert late.nanos == 18_000_000
    assert charge(worked(6 * 3600, 60), book()).priced == 0


def test_scratch_storage_and_requests() -> None:
    use = RunUse(scratch_gib=30, stored_bytes=10 * 2**30, puts=2000, gets=10_000, region="us-east-1")
    report = cost(worked(0, 3600), worked(0, 3600, partition=1), use=use)
    # 30 GiB × 1/2 × 0.08 × 3,600 s / 2,592,000 s = 0.001666667 for each of two attempts.
    assert report.scratch_usd == Decimal("0.003333334")
    assert report.storage_usd == Decimal("0.2")  # 10 GiB × 0.02, for a month
    assert report.requests_usd == Decimal("0.014")  # 2 × 0.005 + 10 × 0.0004
    assert report.compute_usd == Decimal("0.036")
    assert report.total_usd == Decimal("0.253333334"), "the parts add up"
    assert report.complete


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (RunUse(stored_bytes=0, puts=0, gets=0), ["scratch"]),
        (RunUse(scratch_gib=0, puts=0, gets=0), ["storage"]),
        (RunUse(scratch_gib=0, stored_bytes=0), ["requests", "requests"]),
        (RunUse(scratch_gib=0, stored_bytes=1, puts=1, gets=0, region="eu-north-1"), ["storage", "requests"]),
    ],
)
def test_use_that_is_unknown_is_said(use: RunUse, what: list[str]) -> None:
    report = cost(worked(0, 1000), use=use)
    assert [item.what for item in report.unknown] == what
    assert report.total_usd == Decimal("0.005")
    assert "unknown" in "\n".join(cost_lines(report))


def test_starting_instances_are_estimated_apart_and_what_is_not_included_is_said() -> None:
    report = cost(worked(0, 1000), use=RunUse(scratch_gib=0, stored_bytes=0, puts=0, gets=0, boot_seconds=120))
    assert report.total_usd == Decimal("0.005")
    assert report.estimates[0].usd == Decimal("0.0006")  # 120 s × 0.000005
    assert report.not_included == NOT_INCLUDED
    text = "\n".join(cost_lines(report))
    assert all(item in text for item in NOT_INCLUDED)


def test_cases_are_paid_for_at_the_mean_price_of_their_attempt() -> None:
    # 1,200 s for 0.009 dollars (as in the price change, one processor): 0.0000075 dollars a second.
    times = [worked(3000, 1200), worked(0, 100, partition=1, zone="nowhere")]
    seen = [CaseTime("0001", 0, 1, 400.0), CaseTime("0002", 0, 1, 600.0), CaseTime("0003", 1, 1, 50.0)]
    assert case_costs([charge(time, book()) for time in times], seen) == {"0001": 3_000_000, "0002": 4_500_000}
    report = cost(*times, by_case=seen)
    assert [(case.case_id, case.usd) for case in report.dearest_cases] == [
        ("0002", Decimal("0.0045")),
        ("0001", Decimal("0.003")),
    ]


def test_document_reads_back_as_it_was_and_holds_numbers() -> None:
    report = cost(
        worked(0, 1001, "reclaimed"),
        worked(5000, 3333, attempt=2, capacity="on-demand"),
        worked(0, 7, partition=2, zone="x"),
        cases=7,
        by_case=[CaseTime("a", 0, 1, 1 / 3)],
        use=RunUse(scratch_gib=30, stored_bytes=12345, puts=3, region="us-east-1", boot_seconds=90),
    )
    data = report.to_bytes()
    assert CostReport.model_validate_json(data) == report
    assert CostReport.model_validate_json(data).to_bytes() == data
    assert b'"total_usd": 0.0' in data


def test_a_run_without_attempts_costs_nothing_known() -> None:
    report = cost()
    assert (report.total_usd, report.complete) == (Decimal("0"), True)


attempts = st.builds(
    lambda first, seconds, why, capacity, zone, processors: worked(
        first, seconds, why, capacity=capacity, zone=zone, processors=processors
    ),
    st.integers(-4000, 20_000),
    st.floats(0, 5000, allow_nan=False),
    st.sampled_from(["finished", "reclaimed", "crashed", "running"]),
    st.sampled_from(["spot", "on-demand"]),
    st.sampled_from(["us-east-1a", "us-east-1b"]),
    st.sampled_from([1, 2]),
)


@settings(max_examples=40)
@given(st.lists(attempts, max_size=8), st.randoms(use_true_random=False))
def test_parts_add_up_in_any_order(times: list[OccupiedTime], chance: Any) -> None:
    report = cost(*times)
    for parts in (report.by_capacity, report.by_end, report.by_instance_type):
        assert sum((line.usd or Decimal(0) for line in parts.values()), Decimal(0)) == (report.total_usd or Decimal(0))
        assert sum(line.attempts for line in parts.values()) == len(times)
    shuffled = list(times)
    chance.shuffle(shuffled)
    assert cost(*shuffled) == report


@given(attempts, st.floats(0, 1))
def test_every_microsecond_is_priced_or_unknown_and_an_attempt_may_be_cut_anywhere(
    time: OccupiedTime, place: float
) -> None:
    whole = charge(time, book())
    assert whole.priced + sum(part.micros for part in whole.unknown) == time.micros
    middle = time.started + (time.ended - time.started) * place
    halves = [charge(replace(time, ended=middle), book()), charge(replace(time, started=middle), book())]
    assert abs(sum(half.nanos for half in halves) - whole.nanos) <= 1
    assert abs(sum(half.priced for half in halves) - whole.priced) <= 1


@settings(max_examples=40)
@given(st.lists(attempts, max_size=4), st.decimals("0.001", "10", places=4), st.decimals("0", "5", places=4))
def test_a_higher_price_never_costs_less(times: list[OccupiedTime], price: Decimal, more: Decimal) -> None:
    def total(each: Decimal) -> Decimal:
        listed = {"instance_type": "big", "region": "us-east-1", "usd_per_hour": str(each), **SOURCE}
        return cost(*times, book=book(on_demand=[listed])).total_usd or Decimal(0)

    assert total(price) <= total(price + more)
