"""The guard's projection: never above what is sure to come, never silent when the money is gone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cost.budget import WorkDone, project

BUDGET = Decimal("20")


def test_half_done_costs_twice_what_was_spent() -> None:
    found = project(Decimal("6"), WorkDone(planned=100, finished=50, in_hand=10))
    assert found.projected_usd == Decimal("12")
    assert found.lowest_usd == Decimal("10")  # 6 × 100 / 60
    assert not found.is_over(BUDGET)


def test_too_little_to_go_by_is_unknown_until_the_budget_is_spent() -> None:
    early = WorkDone(planned=1000, finished=49)
    assert project(Decimal("19.99"), early).projected_usd is None
    assert not project(Decimal("19.99"), early).is_over(BUDGET)
    assert not project(BUDGET, early).is_over(BUDGET)
    assert project(Decimal("20.01"), early).is_over(BUDGET)
    assert project(Decimal("2"), WorkDone(1000, 50)).is_over(BUDGET)


def test_every_worker_has_finished_as_much_as_it_has_in_hand_before_anything_is_projected() -> None:
    assert project(Decimal("1"), WorkDone(planned=1000, finished=99, in_hand=100)).projected_usd is None
    assert project(Decimal("1"), WorkDone(planned=1000, finished=100, in_hand=100)).projected_usd == Decimal("10")


def test_what_is_in_hand_may_be_all_but_finished_so_a_run_on_the_edge_goes_on() -> None:
    # 10 of 20 cases for 10.5 dollars look like 21, but the other 10 may be finished in a moment.
    edge = project(Decimal("10.5"), WorkDone(planned=20, finished=10, in_hand=10))
    assert edge.projected_usd == Decimal("21")
    assert not edge.is_over(BUDGET)


def test_finished_run_costs_what_it_cost() -> None:
    found = project(Decimal("3.21"), WorkDone(planned=10, finished=10))
    assert found.lowest_usd == found.projected_usd == Decimal("3.21")


def test_seconds_without_a_price_count_like_the_others() -> None:
    found = project(Decimal("6"), WorkDone(100, 50), priced_seconds=300, unknown_seconds=100)
    assert found.projected_usd == Decimal("16")
    assert found.spent_usd == Decimal("6")


def test_no_price_at_all_cannot_be_watched() -> None:
    found = project(Decimal("0"), WorkDone(100, 50), priced_seconds=0, unknown_seconds=100)
    assert found.projected_usd is None
    assert "cannot be watched" in found.why


def test_an_empty_plan_is_not_projected() -> None:
    assert project(Decimal("0"), WorkDone(0, 0)).projected_usd is None


def test_negative_figures_are_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        project(Decimal("-1"), WorkDone(1, 1))


spent = st.decimals("0", "1000", places=6)
counts = st.integers(1, 10_000)


@given(spent, counts, st.integers(0, 10_000), st.integers(0, 200), st.floats(0, 1e6))
def test_spent_is_below_the_lowest_is_below_the_projected(
    amount: Decimal, planned: int, finished: int, in_hand: int, unknown: float
) -> None:
    found = project(amount, WorkDone(planned, min(finished, planned), in_hand), unknown_seconds=unknown)
    if found.projected_usd is None:
        assert found.why
        assert found.is_over(BUDGET) == (amount > BUDGET)
    else:
        assert found.lowest_usd is not None
        assert found.spent_usd <= found.lowest_usd <= found.projected_usd
        assert found.is_over(BUDGET) or amount <= BUDGET


@given(spent, spent, counts, st.integers(0, 10_000), st.integers(0, 200))
def test_monotone_in_price(one: Decimal, more: Decimal, planned: int, finished: int, in_hand: int) -> None:
    work = WorkDone(planned, min(finished, planned), in_hand)
    cheap, dear = project(one, work), project(one + more, work)
    if cheap.projected_usd is not None and dear.projected_usd is not None:
        assert cheap.projected_usd <= dear.projected_usd
    assert not cheap.is_over(BUDGET) or dear.is_over(BUDGET)


@given(spent, counts, st.integers(0, 10_000), st.integers(0, 10_000))
def test_more_progress_for_the_same_money_projects_less(amount: Decimal, planned: int, one: int, more: int) -> None:
    first = project(amount, WorkDone(planned, min(one, planned)))
    later = project(amount, WorkDone(planned, min(one + more, planned)))
    if first.projected_usd is not None:
        assert later.projected_usd is not None
        assert later.projected_usd <= first.projected_usd
