"""The page of ``casemill compare --html`` in a real browser: what stands in it, and that everybody can use it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import PHONE, Opener, Reported
from tests.browser.looks import check_accessible, take_pictures
from tests.command_line import casemill

SECTIONS = ["Cohort", "Splits", "Distributions", "How they were made"]


def compared(folder: Path, first: Reported, second: Reported) -> tuple[Path, dict[str, Any]]:
    """The page, and the comparison that it must tell."""
    file = folder / "comparison.html"
    runs = [reported.file.parent for reported in (first, second)]
    answer = casemill("compare", *runs, "--html", file, "--json")
    assert answer.code == 0, answer.err
    return file, answer.json


@pytest.fixture(scope="module")
def different(
    tmp_path_factory: pytest.TempPathFactory, demo: Reported, failed: Reported
) -> tuple[Path, dict[str, Any]]:
    """A verified data set and a run that failed: other cases, outcomes, sides and distributions."""
    return compared(tmp_path_factory.mktemp("different"), demo, failed)


def test_what_differs_stands_in_it(opening: Opener, different: tuple[Path, dict[str, Any]]) -> None:
    file, comparison = different
    opened = opening(file)
    page = opened.page
    assert [item.inner_text() for item in page.query_selector_all("main h2")] == SECTIONS
    head = opened.text("main table")
    for side in ("first", "second"):
        assert comparison[side]["run_id"] in head
        assert f"{comparison[side]['records']:,}" in head
    cases = comparison["cases"]
    only = [len(cases[side]) for side in ("only_first", "only_second")]
    assert f"Cases: {cases['both']:,} in both, {only[0]:,} only in A, {only[1]:,} only in B." in opened.text("main")
    rows = page.query_selector_all("h2:text-is('Distributions') ~ .scroll >> nth=0 >> tbody tr")
    assert len(rows) == len(comparison["features"]) > 0
    assert opened.said == []
    assert opened.asked == [file.as_uri()], "nothing comes from anywhere else"


def test_everybody_can_use_it(opening: Opener, different: tuple[Path, dict[str, Any]]) -> None:
    opened = opening(different[0])
    for closed in opened.page.query_selector_all("details:not([open]) > summary"):
        closed.focus()
        opened.page.keyboard.press("Enter")
    assert not opened.page.query_selector_all("details:not([open])"), "the keyboard opens them"
    check_accessible(opened)


def test_what_is_wider_than_a_phone_can_be_reached_by_the_keyboard(
    opening: Opener, different: tuple[Path, dict[str, Any]]
) -> None:
    page = opening(different[0], PHONE).page
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")
    wide = [
        item
        for item in page.query_selector_all(".scroll")
        if item.evaluate("(box) => box.scrollWidth > box.clientWidth")
    ]
    assert wide
    for box in wide:
        box.focus()
        assert box.evaluate("(box) => box === document.activeElement")
        assert box.get_attribute("role") == "region"
        assert re.search(r"\w", box.get_attribute("aria-label") or "")


def test_two_of_the_same(opening: Opener, demo: Reported, tmp_path: Path) -> None:
    file, comparison = compared(tmp_path, demo, demo)
    assert comparison["same_data"]
    opened = opening(file, PHONE)
    assert "Common cases with another outcome: none." in opened.text("main")
    assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    check_accessible(opened)
    assert opened.said == []


def test_pictures_of_it(opening: Opener, different: tuple[Path, dict[str, Any]]) -> None:
    take_pictures(opening, "comparison", different[0])
