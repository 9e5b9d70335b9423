"""A page that the browser stopped to draw is told from a page that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Error

from tests.browser import stalls
from tests.browser.conftest import Opened, Opener, pytest_pyfunc_call
from tests.browser.stalls import BrowserStalledError, answers_without_frames, scroll_to

NO_MORE_FRAMES = "requestAnimationFrame = () => 0"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_page_without_frames_is(opened: Opened, opening: Opener) -> None:
    opened.page.evaluate(NO_MORE_FRAMES)
    with pytest.raises(Error, match="no frame in 500 ms"):
        scroll_to(opened.page, 1500)
    assert opening.stalled()


def test_one_that_does_not_answer_is_not(opened: Opened) -> None:
    opened.page.close()
    assert not answers_without_frames(opened.page)


@pytest.mark.parametrize(("program", "raised"), [(NO_MORE_FRAMES, BrowserStalledError), ("0", Error)])
def test_what_fails_is_called_by_its_cause(
    opened: Opened, program: str, raised: type[Exception], request: pytest.FixtureRequest
) -> None:
    opened.page.evaluate(program)
    call = pytest_pyfunc_call(request.node)
    next(call)
    with pytest.raises(raised) as caught:
        call.throw(Error("Timeout 20000ms exceeded."))
    assert type(caught.value) is raised
