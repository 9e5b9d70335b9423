"""The split: by group, near 70/15/15, and for good."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.run.models import SPLITS, Thresholds
from core.run.split import TARGET_TWENTIETHS, choose_thresholds, groups_by_split, rank, split_of

GROUPS = st.text(max_size=12)
SALTS = st.sampled_from(["casemill", "other", "", "æ"])


def error_of(weights: Sequence[int], first: int, second: int) -> int:
    """Sum of squared distances from 70/15/15, in twentieths of the total, when the groups are cut there."""
    parts = (sum(weights[:first]), sum(weights[first:second]), sum(weights[second:]))
    total = sum(weights)
    return sum((20 * part - TARGET_TWENTIETHS[side] * total) ** 2 for part, side in zip(parts, SPLITS, strict=True))


def error_of_thresholds(weights: dict[str, int], thresholds: Thresholds) -> int:
    sums = dict.fromkeys(SPLITS, 0)
    for group, weight in weights.items():
        sums[split_of(group, thresholds)] += weight
    total = sum(weights.values())
    return sum((20 * sums[side] - TARGET_TWENTIETHS[side] * total) ** 2 for side in SPLITS)


def least_error(weights: dict[str, int], salt: str) -> int:
    ordered = [weights[group] for group in sorted(weights, key=lambda group: (rank(salt, group), group))]
    cuts = range(len(ordered) + 1)
    return min(error_of(ordered, first, second) for first in cuts for second in cuts if first <= second)


@given(SALTS, GROUPS)
def test_rank_is_in_the_unit_interval(salt: str, group: str) -> None:
    assert 0.0 <= rank(salt, group) < 1.0


def test_rank_is_the_top_of_the_hash_of_salt_and_group() -> None:
    digest = int(hashlib.sha256(b"casemill\x007").hexdigest()[:16], 16)
    assert rank("casemill", "7") == pytest.approx(digest / 2**64, abs=2**-53)
    # Without a boundary between the two, ("a", "bc") would be ("ab", "c").
    assert rank("a", "bc") != rank("ab", "c")


def test_ranks_fill_the_interval_evenly() -> None:
    ranks = [rank("casemill", str(number)) for number in range(4000)]
    for tenth in range(10):
        assert 320 < sum(tenth / 10 <= position < (tenth + 1) / 10 for position in ranks) < 480


@given(st.dictionaries(GROUPS, st.integers(0, 50) | st.integers(0, 10**12), min_size=1, max_size=14), SALTS)
def test_thresholds_come_as_close_as_any_pair_of_cuts(weights: dict[str, int], salt: str) -> None:
    thresholds = choose_thresholds(weights, salt)
    assert 0.0 <= thresholds.validation <= thresholds.test <= 1.0
    weighed = weights if any(weights.values()) else dict.fromkeys(weights, 1)
    assert error_of_thresholds(weighed, thresholds) == least_error(weighed, salt)


def test_a_large_cohort_comes_close_to_the_targets() -> None:
    weights = {str(subject): 200 + subject % 700 for subject in range(3000)}
    thresholds = choose_thresholds(weights, "casemill")
    total = sum(weights.values())
    for side in SPLITS:
        own = sum(weights[group] for group in groups_by_split(weights, thresholds)[side])
        assert own / total == pytest.approx(TARGET_TWENTIETHS[side] / 20, abs=0.001)


@given(st.sets(GROUPS, min_size=1, max_size=30), SALTS)
def test_every_group_stands_on_one_side(groups: set[str], salt: str) -> None:
    thresholds = choose_thresholds(dict.fromkeys(groups, 3), salt)
    sides = groups_by_split([*groups, *groups], thresholds)
    listed = [group for side in SPLITS for group in sides[side]]
    assert sorted(listed) == sorted(groups)


def test_nobody_changes_sides_when_the_cohort_grows() -> None:
    few = {str(subject): 10 for subject in range(40)}
    thresholds = choose_thresholds(few, "casemill")
    before = {group: side for side, groups in groups_by_split(few, thresholds).items() for group in groups}
    many = groups_by_split([str(subject) for subject in range(400)], thresholds)
    after = {group: side for side, groups in many.items() for group in groups}
    assert before.items() <= after.items()
    # The choice anew would have moved somebody: that is why thresholds are stored.
    anew = choose_thresholds({str(subject): 10 for subject in range(400)}, "casemill")
    assert (anew.validation, anew.test) != (thresholds.validation, thresholds.test)


def test_another_salt_changes_sides() -> None:
    groups = [str(subject) for subject in range(100)]
    one, two = (groups_by_split(groups, choose_thresholds(dict.fromkeys(groups, 1), salt)) for salt in ("a", "b"))
    assert one != two


def test_weights_of_zero_are_counted_as_one_each() -> None:
    groups = [str(subject) for subject in range(20)]
    sides = groups_by_split(groups, choose_thresholds(dict.fromkeys(groups, 0), "casemill"))
    assert [len(sides[side]) for side in SPLITS] == [14, 3, 3]


def test_one_group_trains() -> None:
    assert split_of("7", choose_thresholds({"7": 5}, "casemill")) == "train"


def test_a_group_at_a_threshold_is_above_it() -> None:
    position = rank("casemill", "7")
    assert split_of("7", Thresholds(salt="casemill", validation=position, test=1.0)) == "validation"
    assert split_of("7", Thresholds(salt="casemill", validation=0.0, test=position)) == "test"
