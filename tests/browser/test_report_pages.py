"""Run reports in a real browser: what stands in them, that they work, and that everybody can use them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.report.page import render_case
from core.report.viewing import view
from core.report.write import MOST_BYTES
from core.reporting import CaseTraces, Trace
from tests.browser.conftest import PHONE, PICTURES, Opened, Opener, Reported
from tests.browser.looks import check_accessible, take_pictures
from tests.command_line import casemill
from tests.synthetic_run import ODD, SyntheticRun

SECTIONS = {
    "worked": "Did it work, and how do we know?",
    "content": "What is in the data set?",
    "quality": "Is the data good?",
    "work": "What did it cost, and how did it go?",
    "exactly": "What exactly was run?",
    "viewer": "Look at cases",
}
SPLIT_ROW = "#content table >> tbody tr:has(th:text-is('{split}'))"


def figures(opened: Opened, selector: str) -> list[str]:
    return [cell.inner_text() for cell in opened.page.query_selector_all(f"{selector} >> td")]


def check_figures(opened: Opened, manifest: dict[str, Any]) -> None:
    """Every section is there, in order, and its figures are the manifest's."""
    page = opened.page
    assert [item.inner_text() for item in page.query_selector_all("main h2")] == list(SECTIONS.values())
    assert [item.get_attribute("id") for item in page.query_selector_all("main > section")] == list(SECTIONS)
    tiles = opened.text("#worked .tiles")
    assert f"{manifest['records']:,}" in tiles
    assert f"{manifest['outcomes'].get('done', 0):,} of {manifest['planned_cases']:,}" in tiles
    for split, counts in manifest["splits"].items():
        row = figures(opened, SPLIT_ROW.format(split=split))
        assert row[0] == f"{counts['records']:,}"
        assert (row[3], row[5], row[6]) == (f"{counts['cases']:,}", f"{counts['groups']:,}", f"{counts['shards']:,}")
    flow = opened.text("ol.flow")
    assert f"{manifest['planned_cases']:,} cases" in flow
    for reason, count in manifest["reasons"].items():
        assert f"−{count:,} failed: {reason}" in flow
    if empty := manifest["outcomes"].get("empty"):
        assert f"−{empty:,} empty" in flow
    assert manifest["root_hash"] in opened.text("#exactly")


def test_the_report_of_a_verified_run(opening: Opener, demo: Reported) -> None:
    opened = opening(demo.file)
    opened.scroll_through()
    check_figures(opened, demo.manifest)
    assert opened.text(".verdict .headline").split() == ["✓", "Verified"]
    checks = demo.manifest["checks"]
    assert len(opened.page.query_selector_all("table.checks tbody tr")) == len(checks)
    assert all(check["detail"] in opened.text("table.checks") for check in checks)
    assert len(opened.page.query_selector_all("#quality .feature svg")) >= 14
    assert opened.page.query_selector_all("#timeline svg")
    check_accessible(opened)
    assert opened.said == []
    assert opened.asked == [demo.file.as_uri()], "nothing comes from anywhere else"


def test_the_report_of_a_failed_run(opening: Opener, failed: Reported) -> None:
    opened = opening(failed.file)
    opened.scroll_through()
    check_figures(opened, failed.manifest)
    verdict = opened.text(".verdict")
    assert "Not verified" in verdict
    assert "success rate" in verdict
    assert "quarantine.jsonl" in verdict, "it says what to do"
    assert "no" in opened.text("table.checks tbody tr:first-child td"), "what failed comes first"
    opened.page.select_option("#case-outcome", "failed")
    rows = opened.page.query_selector_all("#cases-table tbody tr:visible")
    assert len(rows) == failed.manifest["outcomes"]["failed"]
    check_accessible(opened)
    assert opened.said == []


def test_the_report_of_three_thousand_cases(opening: Opener, synthetic: tuple[Reported, SyntheticRun]) -> None:
    reported, _ = synthetic
    assert reported.file.stat().st_size < MOST_BYTES
    opened = opening(reported.file)
    opened.scroll_through()
    check_figures(opened, reported.manifest)
    work = opened.text("#work")
    assert "Wasted at the most\n30 min" in work
    assert re.search(r"Reclaims\n2\b", work)
    assert "at least 4.2099 dollars" in work
    assert [row.inner_text() for row in opened.page.query_selector_all("#odd-table tbody th")][:3] == list(ODD)
    check_accessible(opened)
    assert opened.said == []
    # Of a quiet machine it is a third of a second; a benchmark is no test.
    assert opened.seconds < 60


def test_tables_sort_and_filter(opening: Opener, synthetic: tuple[Reported, SyntheticRun]) -> None:
    reported, _ = synthetic
    opened = opening(reported.file)
    page = opened.page
    windows = sorted(case["records"] for shard in reported.manifest["shards"] for case in shard["cases"])
    column = "[...document.querySelectorAll('#cases-table tbody tr')].map((row) => Number(row.cells[4].textContent))"
    button = page.get_by_role("region", name="Cases", exact=True).get_by_role("button", name="Examples")
    button.click()
    assert page.evaluate(column) == windows
    button.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(column) == windows[::-1]
    head = "#cases-table thead th:nth-child(5)"
    assert page.get_attribute(head, "aria-sort") == "descending"
    page.fill("#case-filter", "no_signal")
    count = reported.manifest["reasons"]["no_signal"]
    assert page.inner_text("#cases-table-count") == f"{count} cases"
    assert len(page.query_selector_all("#cases-table tbody tr:visible")) == count
    page.select_option("#case-outcome", "done")
    assert page.inner_text("#cases-table-count") == "0 cases"
    page.fill("#case-filter", "")
    assert page.inner_text("#cases-table-count") == f"{reported.manifest['outcomes']['done']:,} cases"


def test_the_viewer_shows_odd_cases_and_moves(opening: Opener, synthetic: tuple[Reported, SyntheticRun]) -> None:
    opened = opening(synthetic[0].file)
    page = opened.page
    page.click(f"#odd-table a:text-is('{ODD[1]}')")
    page.wait_for_selector(f"#viewer-chart[data-shown='{ODD[1]}'][data-drawn] svg")
    assert f"Case {ODD[1]}" in opened.text("#viewer-title")
    assert "odd: HR measured 5%" in opened.text("#viewer-title")
    titles = opened.text("#viewer-chart")
    assert "windows" in titles
    assert "HR (bpm)" in titles
    whole = page.get_attribute("#viewer-chart", "data-span")
    assert whole is not None
    end = int(whole.split("-")[1])
    page.focus("#viewer-in")
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.getElementById('viewer-chart').dataset.span !== '{whole}'")
    narrow = page.get_attribute("#viewer-chart", "data-span")
    assert narrow is not None
    start, stop = map(int, narrow.split("-"))
    assert abs((stop - start) - end / 2) <= 1
    page.click("#viewer-reset")
    page.wait_for_function(f"document.getElementById('viewer-chart').dataset.span === '{whole}'")
    shown = page.input_value("#viewer-case")
    page.click("#viewer-next")
    page.wait_for_function(f"document.getElementById('viewer-chart').dataset.shown !== '{ODD[1]}'")
    assert int(page.input_value("#viewer-case")) == int(shown) + 1
    check_accessible(opened)
    assert opened.said == []


@pytest.mark.parametrize("which", ["demo", "failed"])
def test_pictures_of_the_reports(opening: Opener, which: str, request: pytest.FixtureRequest) -> None:
    reported = request.getfixturevalue(which)
    take_pictures(opening, reported.name, reported.file)


def test_pictures_of_the_large_report(opening: Opener, synthetic: tuple[Reported, SyntheticRun]) -> None:
    take_pictures(opening, synthetic[0].name, synthetic[0].file, looks=2)


def test_the_page_of_a_single_case(opening: Opener, demo: Reported, tmp_path: Path) -> None:
    source = demo.file.parents[3] / "cohort"
    file = tmp_path / "case.html"
    answer = casemill(
        "inspect", source / "vital_files" / "0003.vital", "--clinical", source / "clinical_data.csv",
        "--html", file, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    opened = opening(file, PHONE)
    opened.page.wait_for_selector("#viewer-chart[data-shown='0003'][data-drawn] svg")
    assert f"{answer.json['windows']:,} windows" in opened.text("#viewer-title")
    assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    check_accessible(opened)
    assert opened.said == []


def test_a_long_case_is_shown_in_hours(opening: Opener, tmp_path: Path) -> None:
    hours = 120
    trace = Trace(
        "potassium", "mmol/L", 2.0, 8.0, np.arange(24.0, hours, 6) * 3600, 4 + np.arange(16.0) % 3,
        4 + np.arange(float(hours)) % 3, np.arange(hours) >= 24,
    )  # fmt: skip
    traces = CaseTraces("stay 7", hours * 3600, (trace,), ((0, 86_400), (86_400, 172_800)), step_seconds=3600.0)
    file = tmp_path / "stay.html"
    file.write_bytes(render_case(view(traces, "made up"), "nowhere"))
    opened = opening(file)
    opened.page.wait_for_selector("#viewer-chart[data-shown='stay 7'][data-drawn] svg")
    assert "hours since the case's start" in opened.text("#viewer-chart")
    assert "120.0 h" in opened.text("#viewer-title")
    PICTURES.mkdir(parents=True, exist_ok=True)
    opened.page.screenshot(path=PICTURES / "long-case.png", full_page=True)
    assert opened.said == []
