"""Small counts of persons, and what would give them away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.small_cells import SMALLEST_TOLD, hide_small_cells


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({"a": 9, "b": 12}, set()),
        ({"a": 0, "b": 12}, set()),
        ({"a": 4, "b": 12}, {"a", "b"}),
        ({"a": 4, "b": 12, "c": 7}, {"a", "c"}),
        ({"a": 1, "b": 1, "c": 7, "d": 8}, {"a", "b", "c"}),
        ({"a": 1, "b": 4, "c": 7}, {"a", "b"}),
        ({**dict.fromkeys("abcde", 1), "f": 30, "g": 31}, {*"abcdef"}),
        ({"a": 3}, {"a"}),
        ({}, set()),
    ],
)
def test_what_is_hidden(counts: dict[str, int], hidden: set[str]) -> None:
    shown = hide_small_cells(counts)
    assert {name for name, count in shown.items() if count is None} == hidden
    assert {name: count for name, count in shown.items() if count is not None} == {
        name: count for name, count in counts.items() if name not in hidden
    }


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_no_small_count_is_told_or_follows_from_the_total(values: list[int]) -> None:
    counts = {str(position): value for position, value in enumerate(values)}
    shown = hide_small_cells(counts)
    assert all(count is None or count == 0 or count >= SMALLEST_TOLD for count in shown.values())
    hidden = [name for name, count in shown.items() if count is None]
    left = sum(values) - sum(count or 0 for count in shown.values())
    if any(shown[name] for name in counts):  # where nothing else is told, there was nothing to hide behind
        # Hidden counts are at least 1 each; with something left over, each of them may be one more or one less.
        assert not hidden or (len(hidden) > 1 and left > len(hidden) and left >= SMALLEST_TOLD)
