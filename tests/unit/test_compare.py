"""What differs between two sides: pure, with sides made by hand."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.compare.comparison import Comparison, compare
from core.compare.drift import Histogram
from core.compare.page import comparison_page
from core.compare.read import features_of
from core.compare.side import CaseState, Effort, Feature, Side
from core.compare.text import change_lines, cohort_lines, feature_table, figure_lines, head_lines, split_table, warnings
from core.schema import Field, Kind, Role, Schema

ORDER = Field(name="order", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE)
VALUES = Field(name="values", kind=Kind.FLOAT, shape=(4,), role=Role.INPUT, minimum=-1.0, maximum=1.0)


def schema(*fields: Field) -> Schema:
    return Schema(fields=fields, case_field=None, group_field=None, order_field="order")


def histogram(*counts: int) -> Histogram:
    return Histogram(0.0, 10.0, "m", np.array(counts, np.int64))


SIDE = Side(
    location="out/datasets/a",
    kind="data set",
    name="a",
    run_id="toy-1",
    workload="toy",
    code_version="0.1.0",
    root_hash="00ff",
    schema=schema(ORDER, VALUES),
    configuration={"windows": 6, "nested": {"list": [1, 2]}},
    settings={"compression": "gzip", "source": "/data"},
    cases={
        "1": CaseState("g1", "train", "done", "", 6),
        "2": CaseState("g2", "train", "done", "", 5),
        "3": CaseState("g3", "test", "failed", "unreadable", 0),
    },
    features={"speed": Feature(histogram(0, 5, 5, 0), {"observed_share": 0.9, "cases_with_signal": 2})},
    effort=Effort(attempts=2, reclaimed=1, worker_seconds=10.0, elapsed_seconds=6.0),
)


def said(comparison: Comparison) -> str:
    tables = [split_table(comparison), feature_table(comparison)]
    cells = [str(cell) for table in tables for row in table.rows for cell in row]
    lines = [*warnings(comparison), *head_lines(comparison), *cohort_lines(comparison), *figure_lines(comparison)]
    return "\n".join([*lines, *change_lines(comparison), *cells])


def test_a_side_and_itself() -> None:
    found = compare(SIDE, SIDE)
    assert found.same_data
    assert not [*found.outcomes, *found.sides, *found.records, *found.schema_changes, *found.configuration]
    assert found.features[0].psi == found.features[0].ks == found.features[0].distance == 0.0
    assert "The data are the same" in said(found)
    assert "6.0 s from first start to last end, 10.0 s of workers in 2 attempts, 1 reclaimed" in said(found)


def test_cohort_outcomes_and_sides() -> None:
    cases = {
        "2": CaseState("g2", "validation", "done", "", 7),
        "3": CaseState("g9", "test", "failed", "no_signal", 0),
        "4": CaseState("g4", "train", "open", "", 0),
    }
    found = compare(SIDE, replace(SIDE, cases=cases, root_hash=None, doubts=("unfinished: 1 of 2 shards",)))
    assert (found.cases.both, found.cases.only_first, found.cases.only_second) == (2, ("1",), ("4",))
    assert (found.groups.only_first, found.groups.only_second) == (("g1", "g3"), ("g4", "g9"))
    assert [(change.case_id, change.first, change.second) for change in found.outcomes] == [
        ("3", "failed (unreadable)", "failed (no_signal)")
    ]
    assert [(change.case_id, change.first, change.second) for change in found.sides] == [("2", "train", "validation")]
    assert [(change.case_id, change.second) for change in found.other_groups] == [("3", "g9")]
    assert [(change.case_id, change.first, change.second) for change in found.records] == [("2", "5", "7")]
    validation = next(change for change in found.splits if change.split == "validation")
    assert (validation.first.records, validation.second.records) == (0, 7)
    text = said(found)
    assert "B is NOT VERIFIED: unfinished: 1 of 2 shards" in text
    assert "nobody can say whether the data are the same" in text
    assert "1 common case changed sides: 2 train → validation" in text
    assert not found.same_data


@pytest.mark.parametrize(
    "change",
    [
        {"root_hash": "11"},
        {"root_hash": None},
        {"schema": schema(ORDER)},
        {"cases": {**SIDE.cases, "4": CaseState("g4", "train", "empty", "", 0)}},
        {"cases": {**SIDE.cases, "3": CaseState("g3", "test", "failed", "no_signal", 0)}},
    ],
)
def test_what_makes_other_data(change: dict[str, Any]) -> None:
    assert not compare(SIDE, replace(SIDE, **change)).same_data
    assert not compare(replace(SIDE, **change), SIDE).same_data


@pytest.mark.parametrize(
    "change",
    [{"name": "b"}, {"code_version": "0.2.0"}, {"effort": Effort()}, {"settings": {}}, {"doubts": ("changed",)}],
)
def test_what_does_not(change: dict[str, Any]) -> None:
    assert compare(SIDE, replace(SIDE, **change)).same_data


def test_what_is_not_verified_is_the_same_by_its_documents_only() -> None:
    text = said(compare(SIDE, replace(SIDE, doubts=("changed",))))
    assert "By their documents the data are the same; not both are verified." in text
    assert "The data are the same" not in text


def test_two_unfinished_runs_are_never_called_the_same() -> None:
    open_side = replace(SIDE, root_hash=None)
    assert not compare(open_side, open_side).same_data


def test_schema_configuration_and_settings() -> None:
    other = replace(
        SIDE,
        schema=schema(ORDER, VALUES.model_copy(update={"shape": (5,)})),
        configuration={"windows": 6, "nested": {"list": [1, 3, 4]}, "new": None},
        settings={"compression": "none", "shard_cases": 2},
    )
    found = compare(SIDE, other)
    assert [(change.path, change.first, change.second) for change in found.schema_changes] == [
        ("fields.values.shape.0", 4, 5)
    ]
    assert [(change.path, change.first, change.second) for change in found.configuration] == [
        ("nested.list.1", 2, 3), ("nested.list.2", None, 4), ("new", None, None),
    ]  # fmt: skip
    # What one side does not know is no difference.
    assert [change.path for change in found.settings] == ["compression"]
    assert compare(SIDE, replace(SIDE, configuration=None)).configuration == ()


@pytest.mark.parametrize(
    ("features", "why"),
    [
        ({}, "no histogram in B"),
        ({"speed": Feature()}, "no histogram in B"),
        ({"speed": Feature(histogram(0, 5, 5, 5, 0))}, "range, unit or bins differ"),
        ({"speed": Feature(histogram(0, 0, 0, 0))}, "no values in B"),
    ],
)
def test_distributions_that_cannot_be_compared(features: dict[str, Feature], why: str) -> None:
    (change,) = compare(SIDE, replace(SIDE, features=features)).features
    assert (change.psi, change.verdict, change.why) == (None, "not comparable", why)
    assert why in said(compare(SIDE, replace(SIDE, features=features)))


def test_a_distribution_that_moved() -> None:
    features = {"speed": Feature(histogram(0, 1, 9, 0), {"observed_share": 0.5, "cases_with_signal": 2})}
    found = compare(SIDE, replace(SIDE, features=features))
    (change,) = found.features
    # The same cases on both sides: no chance.
    assert (change.verdict, change.psi_by_chance) == ("large", 0.0)
    assert (change.distance, change.distance_share) == (pytest.approx(2.0), pytest.approx(0.2))
    assert (change.first.mean, change.second.mean) == (pytest.approx(5.0), pytest.approx(7.0))
    assert "speed: observed_share 90.0% → 50.0%" in said(found)
    others = {"8": CaseState("g8", "train", "done", "", 1), "9": CaseState("g9", "train", "done", "", 1)}
    assert compare(SIDE, replace(SIDE, features=features, cases=others)).features[0].verdict == "by chance"


def test_metadata_in_another_shape_are_remarked_and_not_believed() -> None:
    good = {"minimum": 0, "maximum": 1, "unit": "m", "below": 0, "bins": [1, 2], "above": 3}
    remarks: list[str] = []
    bad: list[Any] = [{}, [], None, {**good, "bins": [-1]}, {**good, "bins": "x"}, {**good, "minimum": "low"}]
    quality = {"histograms": {"good": good, **{f"bad{number}": value for number, value in enumerate(bad)}}}
    found = features_of({"quality": quality}, remarks)
    assert found["good"].histogram is not None
    assert found["good"].histogram.counts.tolist() == [0, 1, 2, 3]
    assert [name for name, feature in found.items() if feature.histogram] == ["good"]
    assert len(remarks) == len(bad)
    for metadata in ({}, {"quality": []}, {"quality": {"histograms": [], "features": 1}}):
        assert features_of(metadata, []) == {}
    assert features_of({"quality": {"features": {"x": {"a": 1.5, "b": "words"}}}}, [])["x"].figures == {"a": 1.5}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src") or name.startswith("on")]


def test_the_page_says_it_all_and_loads_nothing() -> None:
    other = replace(SIDE, name="b", root_hash="11", cases={}, features={"speed": Feature(histogram(0, 1, 9, 0))})
    page = comparison_page(compare(SIDE, other))
    for words in ("The data differ", "3 only in A", "speed", "observed share", "out/datasets/a"):
        assert words in page
    parsed = _Tags()
    parsed.feed(page)
    assert parsed.links == []
    assert not parsed.tags & {"script", "link", "img", "iframe"}
    assert page == comparison_page(compare(SIDE, other))


@given(st.sampled_from(["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "a'b&c</style>"]))
def test_hostile_names_stay_text(name: str) -> None:
    side = replace(
        SIDE,
        name=name,
        location=name,
        cases={name: CaseState(name, "train", "failed", name, 0)},
        configuration={name: name},
        features={name: Feature(replace(histogram(0, 1, 9, 0), unit=name), {name: 0.5})},
        doubts=(name,),
    )
    both = replace(side, cases={name: CaseState("g", "test", "done", "", 1)}, configuration={name: 1})
    page = comparison_page(compare(side, both))
    parsed = _Tags()
    parsed.feed(page)
    assert not parsed.tags & {"script", "img"}
    assert "49" not in page.replace(name, "")
    assert parsed.links == []
