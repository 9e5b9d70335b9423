"""How pages look, and whether everybody can use them."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import DESKTOP, PHONE, PICTURES, Opened, Opener

LOOKS = (("desktop", DESKTOP, "light"), ("phone", PHONE, "light"), ("dark", DESKTOP, "dark"))


def check_accessible(opened: Opened) -> None:
    """No violation that axe calls serious or critical. Thousands of rows that are all alike are taken out first: axe
    takes minutes for them. So this comes last."""
    alike = "#cases-table tbody tr:nth-child(n+40)"
    opened.page.evaluate(f"document.querySelectorAll('{alike}').forEach((row) => row.remove())")
    found = Axe().run(opened.page).response["violations"]
    grave = [
        (item["id"], item["nodes"][0]["html"][:200]) for item in found if item["impact"] in ("serious", "critical")
    ]
    assert not grave, grave


def take_pictures(opening: Opener, name: str, file: Path, looks: int = len(LOOKS)) -> None:
    """At desktop and phone width, light and dark, and on paper; nothing may be wider than the screen."""
    for label, size, scheme in LOOKS[:looks]:
        opened = opening(file, size, scheme)
        opened.scroll_through()
        opened.page.evaluate("scrollTo(0, 0)")
        opened.page.screenshot(path=PICTURES / f"{name}-{label}.png", full_page=True)
        assert opened.page.evaluate("document.documentElement.scrollWidth") == size["width"]
        assert opened.said == []
        if scheme == "dark" or size is PHONE:
            check_accessible(opened)
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.pdf(path=PICTURES / f"{name}.pdf", format="A4")
