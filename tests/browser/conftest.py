"""Runs and their reports, opened in Debian's Chromium; pictures of them go to browser/ at the repository's root."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, ViewportSize, sync_playwright

from core.report.write import Viewing, make_page
from core.store import open_store
from core.workloads.registry import build_workload
from tests.browser.stalls import BrowserStalledError, any_stalled, scroll_to
from tests.command_line import casemill
from tests.synthetic_run import SyntheticRun, write_synthetic_run

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PICTURES = Path(__file__).parents[2] / "browser"
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
MOST_TRIES = 4


@dataclass
class Opened:
    """A page and everything that it said."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def scroll_through(self) -> None:
        """So that everything which waits to be seen is drawn."""
        page = self.page
        height = page.evaluate("document.documentElement.scrollHeight")
        for place in range(0, height, 500):
            scroll_to(page, place)
        page.wait_for_function("[...document.querySelectorAll('.chart')].every((chart) => chart.dataset.drawn)")

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)


@dataclass(frozen=True)
class Reported:
    """A run, its report, and the manifest to hold it against."""

    name: str
    file: Path
    manifest: dict[str, Any]
    run_id: str


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.fail("no Chromium: apt install chromium")
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


class Opener:
    """Opens files in windows of their own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def stalled(self) -> bool:
        """Whether the browser has stopped to draw one of the pages."""
        return any_stalled(page for context in self._browser.contexts for page in context.pages)

    def __call__(self, file: Path, size: ViewportSize = DESKTOP, scheme: Any = "light") -> Opened:
        context = self._browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(20_000)
        opened = Opened(page)

        def heard(message: ConsoleMessage) -> None:
            opened.said.append(f"{message.type}: {message.text}")

        page.on("console", heard)
        page.on("pageerror", lambda error: opened.said.append(f"error: {error}"))
        page.on("request", lambda request: opened.asked.append(request.url))
        started = time.monotonic()
        page.goto(file.as_uri())
        opened.seconds = time.monotonic() - started
        return opened


@pytest.fixture
def opening(browser: Browser) -> Iterator[Opener]:
    yield Opener(browser)
    for context in browser.contexts:
        context.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that the browser stalled begins again; whatever else fails, fails."""
    again = pytest.mark.flaky(reruns=MOST_TRIES - 1, only_rerun=[BrowserStalledError.__name__])
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(again)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    try:
        return (yield)
    except Error as error:
        opener = pyfuncitem.funcargs.get("opening")
        if isinstance(opener, Opener) and opener.stalled():
            raise BrowserStalledError(f"the browser draws a page no more; what waited for it: {error}") from error
        raise


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """The report that ``casemill run`` leaves."""
    return _run(tmp_path_factory.mktemp("demo"), "demo", ["--cases", 8, "--seed", 7], code=0)


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """That of a run with too many bad recordings."""
    return _run(tmp_path_factory.mktemp("failed"), "failed", ["--cases", 1, "--seed", 7, "--faults"], code=1)


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reported, SyntheticRun]:
    """That of 3,000 cases, which were made up."""
    folder = tmp_path_factory.mktemp("synthetic")
    run = write_synthetic_run(folder, 3000)
    file = folder / "report.html"
    file.write_bytes(make_page(open_store(run.output), run.run_id, build_workload, Viewing()))
    manifest = json.loads(run.manifest.to_bytes())
    return Reported("synthetic", file, manifest, run.run_id), run


def _run(folder: Path, name: str, options: list[Any], code: int) -> Reported:
    cohort = folder / "cohort"
    assert casemill("demo-data", "--out", cohort, *options).code == 0
    answer = casemill(
        "run", "--source", cohort / "vital_files", "--clinical", cohort / "clinical_data.csv", "--out", folder / "out",
        "--name", name, "--workers", 1, "--json",
    )  # fmt: skip
    assert answer.code == code, answer.err
    file = Path(answer.json["report"])
    assert file == Path(answer.json["run_location"]) / "report.html"
    return Reported(name, file, answer.json, answer.json["run_id"])


@pytest.fixture(scope="session", autouse=True)
def fresh_pictures() -> None:
    shutil.rmtree(PICTURES, ignore_errors=True)
