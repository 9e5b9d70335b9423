"""The kept grid: the same bits come back, and what is no kept grid is never taken for one."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.workload import Case, ExtractingWorkload, Outcome
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import FEATURES
from core.workloads.vitaldb.grid_cache import MOST_SECONDS, GridExtract, extract_depends_on, read_extract
from core.workloads.vitaldb.patient import Patient
from core.workloads.vitaldb.workload import VitaldbWorkload

AWKWARD = [0.0, -0.0, float("nan"), float("inf"), 5e-324, 36.6, -1.5]
VALUES = st.one_of(st.sampled_from(AWKWARD), st.floats(width=64))
GRIDS = st.integers(0, 40).flatmap(lambda seconds: arrays.arrays(np.float64, (seconds, len(FEATURES)), elements=VALUES))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
EXTRACTS = st.builds(
    GridExtract,
    reason=st.sampled_from(["", "unreadable", "unknown_unit"]),
    detail=st.text(),
    flags=st.sampled_from([(), ("truncated",)]),
    signal_groups=st.integers(0, 3),
    figures=st.dictionaries(st.text(), PLAIN, max_size=4),
    histograms=st.dictionaries(
        st.text(), arrays.arrays(np.int64, st.integers(0, 52), elements=st.integers(0, 2**62)), max_size=3
    ),
    grid=GRIDS,
)


def a_grid(seconds: int = 50) -> GridExtract:
    grid = np.repeat(np.random.default_rng(3).uniform(20, 200, (seconds // 5, len(FEATURES))), 5, axis=0)
    grid[3:9, 4] = np.nan
    return GridExtract(signal_groups=3, figures={"seconds": seconds}, grid=grid)


def same(one: GridExtract, other: GridExtract) -> bool:
    """To the bit, NaN and the sign of zero included."""
    return (
        (one.reason, one.detail, one.flags, one.signal_groups, one.figures)
        == (other.reason, other.detail, other.flags, other.signal_groups, other.figures)
        and {name: counts.tolist() for name, counts in one.histograms.items()}
        == {name: counts.tolist() for name, counts in other.histograms.items()}
        and one.grid.shape == other.grid.shape
        and one.grid.tobytes() == other.grid.tobytes()
    )


@given(EXTRACTS)
def test_what_is_kept_comes_back_to_the_bit(extract: GridExtract) -> None:
    back = read_extract(extract.to_bytes())
    assert same(back, extract)
    assert back.to_bytes() == extract.to_bytes()


def test_text_that_is_not_text_and_figures_that_are_no_numbers_come_back() -> None:
    extract = GridExtract(detail="\ud800", figures={"loss": {"seconds": float("nan"), "gap": float("inf")}})
    back = read_extract(extract.to_bytes())
    assert back.detail == "\ud800"
    assert np.isnan(back.figures["loss"]["seconds"])
    assert back.figures["loss"]["gap"] == float("inf")


def test_a_cut_anywhere_is_found() -> None:
    data = a_grid().to_bytes()
    for length in range(len(data)):
        with pytest.raises(ValueError):  # noqa: PT011  whichever part the cut went through
            read_extract(data[:length])


@given(st.binary(max_size=400))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_extract(data)


@given(st.data())
def test_a_changed_byte_breaks_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(a_grid().to_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    try:
        read_extract(bytes(whole))
    except ValueError:
        return


def test_sizes_are_not_trusted() -> None:
    header = GridExtract().to_bytes()[8:]
    for seconds in (MOST_SECONDS + 1, 2**32 - 1):
        with pytest.raises(ValueError, match="more than any recording"):
            read_extract(struct.pack("<II", len(header), seconds) + header)
    with pytest.raises(ValueError, match="cut inside the grid"):
        read_extract(struct.pack("<II", len(header), MOST_SECONDS) + header)
    with pytest.raises(ValueError):  # noqa: PT011  the header is cut
        read_extract(struct.pack("<II", 2**32 - 1, 1) + header)


def test_a_signal_that_stands_takes_little() -> None:
    hours = GridExtract(grid=np.full((36_000, len(FEATURES)), 37.0))
    assert len(hours.to_bytes()) < 80_000


def test_windows_do_not_matter_to_the_extract_and_everything_else_does() -> None:
    patient = Patient(weight_kg=81.0, height_cm=180.0)
    usual = extract_depends_on(Configuration(), patient)
    assert extract_depends_on(Configuration(window_s=60, step_s=1, horizon_s=0), patient) == usual
    assert extract_depends_on(Configuration(), Patient(weight_kg=81.0, height_cm=180.0, age_y=3, asa=5)) == usual
    others = [
        extract_depends_on(Configuration(profiles="draeger"), patient),
        extract_depends_on(Configuration(concentrations={"Orchestra/NEPI_RATE": 40.0}), patient),
        extract_depends_on(Configuration(), Patient(weight_kg=82.0, height_cm=180.0)),
        extract_depends_on(Configuration(), Patient(weight_kg=81.0, height_cm=181.0)),
        extract_depends_on(Configuration(), Patient(weight_kg=81.0, height_cm=180.0, male=True)),
    ]
    assert len({str(entry) for entry in [usual, *others]}) == 6


def test_the_workload_works_in_two_steps() -> None:
    workload = VitaldbWorkload({})
    assert isinstance(workload, ExtractingWorkload)
    case = Case("0001", 1, "1", 1, None, 0, 0)
    result = workload.process(case, None)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "not_found")
