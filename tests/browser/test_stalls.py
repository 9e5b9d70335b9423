"""A page that the browser stopped to draw is told from a page that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Error

from tests.browser import stalls
from tests.browser.conftest import Opened, Opener, pytest_pyfunc_call
from tests.browser.stalls import BrowserStalledError, answers_without_frames, scroll_to

NO_MORE_FRAMES = "requestAnimationFrame = () => 0"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only for pages without frames: where one comes, it may take its time on a busy machine."""
    monkeypatch.setattr(stalls, "PATIENCE_MS", 500)


@pytest.fixture
def opened(opening: Opener, tmp_path: Path) -> Opened:
    file = tmp_path / "page.html"
    file.write_text("<!doctype html><title>long</title><p style='height: 5000px'>long</p>")
    return opening(file)


def test_a_page_that_is_drawn_is_not_stalled(opened: Opened, opening: Opener) -> None:
    scroll_to(opened.page, 1500)
    assert opened.page.evaluate("scrollY") == 1500
    assert not opening.stalled()


@pytest.mark.usefixtures("impatient")
def test_a_page_without_frames_is(opened: Opened, opening: Opener) -> None:
    opened.page.evaluate(NO_MORE_FRAMES)
    with pytest.raises(Error, match="no frame in 500 ms"):
        scroll_to(opened.page, 1500)
    assert opening.stalled()


def test_one_that_is_closed_is_not(opened: Opened) -> None:
    opened.page.close()
    assert not answers_without_frames(opened.page)


def fails_in_playwright(test: pytest.Function) -> None:
    """What pytest is told of a test that waited in vain."""
    call = pytest_pyfunc_call(test)
    next(call)
    call.throw(Error("Timeout 20000ms exceeded."))


def test_what_waited_for_a_page_that_is_drawn_is_its_own_error(opened: Opened, request: pytest.FixtureRequest) -> None:
    scroll_to(opened.page, 0)
    with pytest.raises(Error, match="Timeout 20000ms exceeded"):
        fails_in_playwright(request.node)


@pytest.mark.usefixtures("impatient")
def test_what_waited_for_a_frame_in_vain_is_the_browsers(opened: Opened, request: pytest.FixtureRequest) -> None:
    opened.page.evaluate(NO_MORE_FRAMES)
    with pytest.raises(BrowserStalledError, match="Timeout 20000ms exceeded"):
        fails_in_playwright(request.node)
