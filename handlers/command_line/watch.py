"""``casemill watch``: a run in the cloud until its execution ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from core.cli import options as cohort_options
from core.cli.commands_status import look
from core.cli.output import out, print_lines
from core.cli.status_view import Status, headline, print_line, status_document, status_table
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED
from handlers.command_line import options

if TYPE_CHECKING:
    from core.run.progress import ProgressReader
    from core.store import Store
    from handlers.command_line.executions import Execution
    from handlers.command_line.moment import Moment
    from handlers.command_line.stack import DeployedStack

REFRESH_SECONDS = 10.0
REPORT_SECONDS = 20.0
"""The report of an execution that was stopped is written after its end, by the event of it."""

Show = "Callable[[Moment, Status | None], None]"


def watch(
    run: options.Run,
    stack: options.Stack = options.DEFAULT_STACK,
    aws_profile: options.AwsProfile = None,
    region: options.Region = None,
    json: cohort_options.JsonOutput = False,
) -> int:
    """Watch a run in the cloud until its execution ends, and say how it ended.

    Exit code 0: verified and published; 1: not; 130: left with Ctrl-C. The run itself is not touched.

    Example: casemill watch vitaldb-0123456789ab
    """
    return watch_to_the_end(options.open_stack(stack, aws_profile, region), run, json)


def watch_to_the_end(stack: DeployedStack, run_id: str, as_json: bool) -> int:
    """Show the run every ten seconds until its execution ends; returns the exit code.

    Raises
    ------
    BadRequestError
        ``no_execution``.
    """
    from handlers.command_line.executions import needed_execution
    from handlers.command_line.moment import look_at

    execution = needed_execution(stack, run_id)
    progress = _RunProgress(stack, run_id)
    with _shown(run_id, as_json) as show:
        while True:
            moment = look_at(execution)
            show(moment, progress.now())
            if not moment.running:
                break
            time.sleep(REFRESH_SECONDS)
    report = _report(stack.open_output(progress.store), run_id, execution, moment)
    if as_json:
        print_line({"run_id": run_id, **moment.document(), "verified": moment.succeeded, "report": report})
    else:
        print_lines(_ending(moment, report))
    return EXIT_DONE if moment.succeeded else EXIT_NOT_VERIFIED


class _RunProgress:
    """The run's progress in the bucket; None until it is planned."""

    def __init__(self, stack: DeployedStack, run_id: str) -> None:
        self._stack, self._run_id = stack, run_id
        self.store: Store | None = None
        self._reader: ProgressReader | None = None

    def now(self) -> Status | None:
        from core.run.layout import RunLayout
        from core.run.plan_store import read_request
        from core.run.progress import ProgressReader, read_shards

        self.store = self._stack.open_output(self.store)
        if self._reader is None:
            if self.store.head(RunLayout(self._run_id).request) is None:
                return None
            self._reader = ProgressReader(self.store, self._run_id, read_shards(self.store, self._run_id))
            self._request = read_request(self.store, self._run_id)
        self._reader.store = self.store
        return look(self._reader, self._request)


@contextmanager
def _shown(run_id: str, as_json: bool) -> Iterator[Callable[[Moment, Status | None], None]]:
    """A live table on a terminal, a line for each change elsewhere."""
    if as_json:
        yield lambda moment, seen: print_line(_document(run_id, moment, seen))
    elif out.is_terminal:
        from rich.console import Group
        from rich.live import Live
        from rich.text import Text

        with Live(console=out, auto_refresh=False) as live:

            def refresh(moment: Moment, seen: Status | None) -> None:
                head = Text("\n".join(moment.lines()))
                below = status_table(seen) if seen else Text(f"run {run_id}: not planned yet")
                live.update(Group(head, below), refresh=True)

            yield refresh
    else:
        yield _lines(run_id)


def _lines(run_id: str) -> Callable[[Moment, Status | None], None]:
    last: list[str] = []

    def show(moment: Moment, seen: Status | None) -> None:
        nonlocal last
        lines = [*moment.lines(), f"run       {headline(seen)}" if seen else f"run       {run_id}: not planned yet"]
        print_lines(line for line in lines if line not in last)
        out.file.flush()
        last = lines

    return show


def _document(run_id: str, moment: Moment, seen: Status | None) -> dict[str, Any]:
    progress = None if seen is None else status_document(seen)
    return {"run_id": run_id, **moment.document(), "progress": progress}


def _report(store: Store, run_id: str, execution: Execution, moment: Moment) -> str | None:
    """The report of the execution, which for a stopped one comes a moment after its end; None where none came."""
    from core.run.layout import RunLayout

    key = RunLayout(run_id).execution_report(execution.name)
    ended_now = execution.running
    patience = time.monotonic() + (0.0 if moment.succeeded or not ended_now else REPORT_SECONDS)
    while True:
        try:
            return store.get(key).decode("utf-8", "replace")
        except FileNotFoundError:
            if time.monotonic() >= patience:
                return None
        time.sleep(1.0)


def _ending(moment: Moment, report: str | None) -> Iterator[str]:
    if report is not None:
        yield from report.rstrip("\n").splitlines()
        return
    yield f"ended     {moment.status.lower().replace('_', ' ')}" + (f": {moment.error}" if moment.error else "")
    if moment.cause:
        yield f"cause     {' '.join(moment.cause.split())[:500]}"
