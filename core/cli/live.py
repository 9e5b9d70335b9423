"""Progress while a run works: a bar on a terminal, a line now and then elsewhere. On stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.cli.output import err, note

if TYPE_CHECKING:
    from core.run.progress import Progress

LINE_SECONDS = 10.0


@contextmanager
def show_progress(run_id: str) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows a run's progress each time it is called."""
    note(f"run {run_id}")
    if err.is_terminal:
        with _bar() as update:
            yield update
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cases"),
        TextColumn("{task.fields[rates]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=err) as bar:
        task = bar.add_task("", total=None, rates="")

        def update(progress: Progress) -> None:
            rates = _rates(progress)
            bar.update(task, total=progress.cases_planned, completed=progress.cases_finished, rates=rates)

        yield update


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()
    told = False

    def update(progress: Progress) -> None:
        nonlocal last, told
        now = time.monotonic()
        finished = progress.cases_finished == progress.cases_planned
        if told or (now - last < LINE_SECONDS and not finished):
            return
        last, told = now, finished
        note(f"{progress.cases_finished} of {progress.cases_planned} cases, {_rates(progress)}")

    return update


def _rates(progress: Progress) -> str:
    from core.run.progress import rates_text

    failed = f", {progress.cases_failed} failed" if progress.cases_failed else ""
    return f"{rates_text(progress)}{failed}"
