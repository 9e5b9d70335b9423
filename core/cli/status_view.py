"""The status of a run for eyes and for programs: lines, JSON, and a live table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.cli.output import out

if TYPE_CHECKING:
    from rich.console import RenderableType

    from core.run.progress import Progress
    from core.run.progress_counts import PartitionProgress

MOST_ROWS = 16
"""Partitions shown one by one."""

Stage = Literal["not started", "working", "verifying", "published", "not verified"]


@dataclass(frozen=True)
class Status:
    """One look at a run."""

    progress: Progress
    stage: Stage
    data_set: str
    root_hash: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will change by itself."""
        return self.stage in ("published", "not verified")


@contextmanager
def show_status(as_json: bool) -> Iterator[Callable[[Status], None]]:
    """Give a function that shows a status each time it is called: a live table on a terminal, lines elsewhere."""
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

    progress = seen.progress
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("partition", "state", "cases", "of", "failed", "examples", "attempts", "last sign"):
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


def print_line(document: dict[str, Any]) -> None:
    """A document as one line of JSON, at once."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def status_document(seen: Status) -> dict[str, Any]:
    """The status for programs."""
    progress = seen.progress
    return {
        **progress.model_dump(mode="json"),
        "cases_left": progress.cases_left,
        "share": progress.share,
        "cases_per_second": progress.rate,
        "records_per_second": progress.record_rate,
        "left_seconds": progress.left_seconds,
        "reclaims": progress.reclaims,
        "stale": list(progress.stale),
        "stage": seen.stage,
        "data_set": seen.data_set,
        "verified": seen.stage == "published",
        "root_hash": seen.root_hash,
    }


def print_status_line(seen: Status) -> None:
    """The status as one line of JSON."""
    print_line(status_document(seen))


def status_lines(seen: Status) -> list[str]:
    """The status for people."""
    from core.run.progress import clock_text, duration_text, rates_text

    progress = seen.progress
    ends = ", ".join(f"{count} {why}" for why, count in progress.ends.items())
    lines = [
        f"run       {progress.run_id}: {seen.stage}",
        f"cases     {progress.cases_finished:,} of {progress.cases_planned:,} ({progress.share:.1%}): "
        f"{progress.cases_done:,} done, {progress.cases_empty:,} empty, {progress.cases_failed:,} failed; "
        f"{progress.cases_left:,} left",
        f"shards    {progress.shards_committed:,} of {progress.shards_planned:,} committed",
        f"examples  {progress.records:,}",
        f"rate      {rates_text(progress)}; time left {duration_text(progress.left_seconds)}",
        f"attempts  {progress.attempts:,}" + (f" ({ends})" if ends else "") + f"; {progress.reclaims} reclaims",
        f"updated   {clock_text(progress.updated)}",
        f"data set  {seen.data_set}: {'verified and published' if seen.stage == 'published' else 'not published'}",
    ]
    if progress.stale:
        shown = ", ".join(map(str, progress.stale[:10])) + (", …" if len(progress.stale) > 10 else "")
        lines.insert(1, f"STALE     {len(progress.stale)} workers are silent for too long, of partition {shown}")
    return lines


def headline(seen: Status) -> str:
    """The status in one line."""
    from core.run.progress import duration_text, rates_text

    progress = seen.progress
    parts = [
        f"{progress.share:.1%}",
        f"{progress.cases_finished:,} of {progress.cases_planned:,} cases",
        rates_text(progress),
        f"{duration_text(progress.left_seconds)} left".replace("unknown left", "time left unknown"),
        f"{progress.cases_failed:,} failed",
        f"{progress.reclaims} reclaims",
    ]
    if progress.stale:
        parts.append(f"{len(progress.stale)} STALE")
    return " · ".join([*parts, seen.stage])
