"""The split of samples: exact shares, once and for all, whatever the blocks."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.workload import SPLITS
from core.workloads.trajectory.cohort import plan_cohort, samples_of_case
from core.workloads.trajectory.configuration import resolve_configuration
from core.workloads.trajectory.sample_split import samples_of, side_of

SALTS = st.sampled_from(["casemill", "other", "", "æ"])


@given(SALTS, st.integers(0, 10_000))
def test_every_stretch_of_eighty_is_divided_exactly_in_each_class(salt: str, stretch: int) -> None:
    samples = np.arange(80 * stretch, 80 * (stretch + 1))
    sides = side_of(samples, salt)
    for kind in range(4):
        assert np.bincount(sides[samples % 4 == kind]).tolist() == [14, 3, 3]


@given(SALTS, st.integers(0, 3_000), st.integers(0, 3_000))
def test_growing_leaves_every_sample_where_it_is(salt: str, few: int, more: int) -> None:
    few, more = sorted((few, more))
    assert np.array_equal(side_of(np.arange(few), salt), side_of(np.arange(more), salt)[:few])


@given(SALTS, st.lists(st.integers(0, 1 << 40), max_size=20))
def test_the_side_of_a_number_depends_on_the_number_alone(salt: str, numbers: list[int]) -> None:
    together = side_of(np.array(numbers, np.int64), salt)
    assert together.tolist() == [int(side_of(np.array([number]), salt)[0]) for number in numbers]


def test_the_rank_is_the_hash_that_the_documentation_names() -> None:
    run = range(3, 80, 4)
    ranked = sorted(run, key=lambda number: hashlib.sha256(f"salt\0{number}".encode()).digest())
    assert (
        sorted(ranked[14:17])
        == samples_of(0, 80, "validation", "salt")[samples_of(0, 80, "validation", "salt") % 4 == 3].tolist()
    )


def test_another_salt_is_another_split() -> None:
    samples = np.arange(800)
    assert (side_of(samples, "casemill") != side_of(samples, "other")).mean() > 0.2


@settings(deadline=None)
@given(st.integers(1, 2_000), st.integers(1, 700))
def test_the_cases_hold_every_sample_once(samples: int, block_size: int) -> None:
    configuration = resolve_configuration({"samples": samples, "block_size": block_size})
    cases = plan_cohort(configuration).cases
    assert len({case.id for case in cases}) == len({case.number for case in cases}) == len(cases)
    found = []
    for case in cases:
        own = samples_of_case(case, configuration)
        assert len(own) == case.estimated_records > 0
        assert (np.diff(own) > 0).all()
        assert {SPLITS[side] for side in side_of(own, configuration.salt)} == {case.split}
        found.append(own)
    assert np.array_equal(np.sort(np.concatenate(found)), np.arange(samples))


@pytest.mark.parametrize("samples", [30_000, 1_000])
def test_shares_and_classes_of_a_data_set(samples: int) -> None:
    sides = side_of(np.arange(samples), "casemill")
    shares = np.bincount(sides) / samples
    assert np.abs(shares - [0.7, 0.15, 0.15]).max() <= 0.5 * 80 / samples
