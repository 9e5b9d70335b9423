"""Progress that moves: the bar of ``run`` on stderr, the table of ``status --watch`` on stdout; lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.cli.output import err, note, out

if TYPE_CHECKING:
    from rich.console import RenderableType

    from core.cli.commands_status import Status
    from core.run.progress import Progress
    from core.run.progress_counts import PartitionProgress

LINE_SECONDS = 10.0
MOST_ROWS = 16
"""Partitions shown one by one."""


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

    def update(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        finished = progress.cases_finished == progress.cases_planned
        if now - last < LINE_SECONDS and not finished:
            return
        last = now
        note(f"{progress.cases_finished} of {progress.cases_planned} cases, {_rates(progress)}")

    return update


def _rates(progress: Progress) -> str:
    from core.run.progress import rates_text

    failed = f", {progress.cases_failed} failed" if progress.cases_failed else ""
    return f"{rates_text(progress)}{failed}"


@contextmanager
def show_status(as_json: bool) -> Iterator[Callable[[Status], None]]:
    """Give a function that shows a status each time it is called: a live table on a terminal, lines elsewhere."""
    from core.cli.commands_status import headline, print_status_line

    if as_json:
        yield print_status_line
    elif out.is_terminal:
        from rich.live import Live

        with Live(console=out, auto_refresh=False) as live:
            yield lambda seen: live.update(status_table(seen), refresh=True)
    else:

        def show(seen: Status) -> None:
            out.print(headline(seen))
            out.file.flush()

        yield show


def status_table(seen: Status) -> RenderableType:
    """Overall line, bar and partitions; where these are many, those that need no look stand together."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from core.cli.commands_status import headline

    progress = seen.progress
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("partition", "state", "cases", "of", "failed", "windows", "attempts", "last sign"):
        table.add_column(name, justify="left" if name in ("partition", "state") else "right", no_wrap=True)
    for row in _rows(progress.partitions):
        style = {"stale": "bold red", "stopped": "yellow", "finished": "green"}.get(row[1], "")
        table.add_row(*row, style=style)
    return Group(
        Text(f"run {progress.run_id} · data set {seen.data_set}"),
        Text(headline(seen), style="bold"),
        # A bar does not end its line; the padding does.
        Padding(ProgressBar(total=max(progress.cases_planned, 1), completed=progress.cases_finished, width=60)),
        table,
    )


def _rows(partitions: Sequence[PartitionProgress]) -> Iterator[tuple[str, ...]]:
    order = {"stale": 0, "stopped": 1, "working": 2, "waiting": 3, "finished": 4}
    if len(partitions) <= MOST_ROWS:
        yield from (_row(str(item.partition), [item]) for item in partitions)
        return
    single = sorted((item for item in partitions if order[item.state] < 3), key=lambda item: order[item.state])[
        :MOST_ROWS
    ]
    shown = {item.partition for item in single}
    yield from (_row(str(item.partition), [item]) for item in single)
    for state in order:
        rest = [item for item in partitions if item.state == state and item.partition not in shown]
        if rest:
            yield _row(f"{len(rest)} {'more' if order[state] < 3 else 'together'}", rest)


def _row(name: str, group: Sequence[PartitionProgress]) -> tuple[str, ...]:
    from core.run.progress import duration_text

    ages = [item.age for item in group if item.age is not None]
    return (
        name,
        group[0].state,
        f"{sum(item.cases_finished for item in group):,}",
        f"{sum(item.cases_planned for item in group):,}",
        f"{sum(item.cases_failed for item in group):,}",
        f"{sum(item.records for item in group):,}",
        f"{sum(item.attempts for item in group):,}",
        f"{duration_text(min(ages))} ago" if ages else "",
    )
