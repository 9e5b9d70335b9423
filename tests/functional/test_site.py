"""The documentation site: every link leads somewhere, and no page fetches anything from another site."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
"""Elements whose address is fetched when a page is opened; that of ``a`` only when somebody wants it."""


class Fetches(HTMLParser):
    """Addresses that a page fetches, and those of its links."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(FETCHED.get(tag, ""))
        if address and given.get("rel") not in ("canonical", "prev", "next", "alternate"):
            self.fetched.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as ``make docs`` builds it, but for the drawing library, whose place an empty file takes."""
    place = tmp_path_factory.mktemp("site")
    (place / "mermaid.js").write_text("var mermaid = {initialize() {}};\n")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(place / "site")],
        cwd=ROOT, env={**os.environ, "CASEMILL_MERMAID": str(place / "mermaid.js"), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place / "site"


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        parser = Fetches()
        parser.feed(page.read_text(encoding="utf-8"))
        foreign = [address for address in parser.fetched if re.match(r"(https?:)?//", address)]
        assert foreign == [], page
        assert any("mermaid.min.js" in address for address in parser.fetched), "or the theme fetches it from elsewhere"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_every_page_is_in_the_site_and_says_what_it_is(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        name = "index.html" if page.name in ("README.md", "index.md") else f"{page.stem}.html"
        built = (site / page.relative_to(ROOT / "docs")).with_name(name).read_text(encoding="utf-8")
        assert "<h1" in built, page
    assert "read_case" in (site / "reference" / "python.html").read_text(encoding="utf-8")


def test_a_link_that_leads_nowhere_is_an_error() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "anchors: warn, not_found: warn" in settings, "with --strict every warning is an error"
