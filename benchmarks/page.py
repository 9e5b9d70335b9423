"""The measured tables within ``docs/performance.md``: generated, between two marks."""

from __future__ import annotations

from pathlib import Path

from benchmarks.table import Results, markdown

BEGIN = "<!-- measured: python -m benchmarks --write-page writes what follows -->"
END = "<!-- end of what was measured -->"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def with_results(page: str, results: Results) -> str:
    """The page with these results in place of those it had.

    Raises
    ------
    ValueError
        The page has not both marks, once each.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs both marks, once each: {BEGIN} and {END}")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{markdown(results)}\n{END}{rest.partition(END)[2]}"
