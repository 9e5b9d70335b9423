"""Tells a browser that has stopped to draw a page from a page that is wrong.

Chromium 150 without a graphics processor now and then makes no more frames of one page: in 6 of 260 openings of a run
report on 2 cores. No other page of the same browser is touched, and a reload ends it. Timers and programs of the
page go on, so everything that waits for a frame waits for ever: screenshots, clicks, scrolling. Of eleven switches of
the browser that were tried none was shown to prevent it.
"""

from __future__ import annotations

from collections.abc import Iterable

from playwright.sync_api import Error, Page

TWO_FRAMES_AT = """([place, patience]) => new Promise((seen, lost) => {
  scrollTo(0, place);
  requestAnimationFrame(() => requestAnimationFrame(() => seen()));
  setTimeout(() => lost(new Error(`no frame in ${patience} ms`)), patience);
})"""
FRAME_COMES = """(patience) => new Promise((answer) => {
  requestAnimationFrame(() => answer(true));
  setTimeout(() => answer(false), patience);
})"""
PATIENCE_MS = 10_000


class BrowserStalledError(Exception):
    """The page runs and the browser draws it no more: what was to be tested has not been seen."""


def scroll_to(page: Page, place: int) -> None:
    """Stays until two frames have been made there: what is in sight is looked at once a frame, however slow the
    machine is. Raises playwright's Error if none comes."""
    page.evaluate(TWO_FRAMES_AT, [place, PATIENCE_MS])


def any_stalled(pages: Iterable[Page]) -> bool:
    """Whether one of the pages answers and gets no frame. One that is busy for ever answers nothing: pytest's time
    limit ends the test then."""
    return any(answers_without_frames(page) for page in pages)


def answers_without_frames(page: Page) -> bool:
    """A page that is closed or has crashed does not answer."""
    try:
        return not page.evaluate(FRAME_COMES, PATIENCE_MS)
    except Error:
        return False
