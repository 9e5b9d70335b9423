"""Where a sample belongs follows from its number alone, and is what was planned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadRequestError
from core.judging import AuditingWorkload, SplittingWorkload
from core.reporting import ReportingWorkload
from core.workload import SPLITS, SelectingWorkload
from core.workloads.trajectory.cohort import filed_under, plan_cohort, samples_of_case
from core.workloads.trajectory.configuration import resolve_configuration
from core.workloads.trajectory.workload import TrajectoryWorkload


@given(samples=st.integers(1, 700), block_size=st.integers(1, 300), salt=st.sampled_from(["casemill", "x"]))
def test_every_record_is_filed_where_its_case_was_planned(samples: int, block_size: int, salt: str) -> None:
    configuration = resolve_configuration({"samples": samples, "block_size": block_size, "salt": salt})
    for case in plan_cohort(configuration).cases:
        own = samples_of_case(case, configuration)
        numbers, sides = filed_under({"sample": own[:, None]}, configuration)
        assert set(numbers.tolist()) == {case.number}
        assert {SPLITS[side] for side in sides.tolist()} == {case.split}


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=20))
def test_numbers_that_no_case_holds_are_filed_nowhere(numbers: list[int]) -> None:
    configuration = resolve_configuration({"samples": 100})
    filed, sides = filed_under({"sample": np.array(numbers, np.int64)[:, None]}, configuration)
    for number, case, side in zip(numbers, filed.tolist(), sides.tolist(), strict=True):
        assert (case >= 0) == (side >= 0) == (0 <= number < 100)


def test_it_divides_judges_and_reports_and_selects_nothing() -> None:
    workload = TrajectoryWorkload({})
    for kind in (SplittingWorkload, AuditingWorkload, ReportingWorkload):
        assert isinstance(workload, kind)
    assert not isinstance(workload, SelectingWorkload)
    with pytest.raises(BadRequestError) as caught:
        workload.cohort(None, {"cases": "1-3"})
    assert (caught.value.code, caught.value.where) == ("bad_selection", "selection")


def test_a_sheet_of_each_class_below_a_megabyte() -> None:
    for settings in ({}, {"image": 256, "frames": 16, "channels": 3}):
        pictures = TrajectoryWorkload({**settings, "block_size": 10}).pictures([])
        assert len(pictures) == 4
        assert all(picture.png.startswith(b"\x89PNG") and picture.alternative for picture in pictures)
        assert sum(len(picture.png) for picture in pictures) < 1_000_000


def test_sheets_show_nothing_that_is_not_in_the_data_set() -> None:
    pictures = TrajectoryWorkload({"samples": 6}).pictures([])
    assert [picture.alternative.partition(",")[0] for picture in pictures] == [
        "2 videos of class linear",
        "2 videos of class circular",
        "1 video of class helical",
        "1 video of class parabolic",
    ]
    assert [picture.title for picture in TrajectoryWorkload({"samples": 1}).pictures([])] == ["Class linear"]


def test_a_class_that_cannot_be_made_has_no_sheet() -> None:
    # Circles are too large for so small a frame; the report of the failed run must not fail with it.
    pictures = TrajectoryWorkload({"camera": "fixed", "image": 16, "samples": 40}).pictures([])
    assert "Class circular" not in [picture.title for picture in pictures]
