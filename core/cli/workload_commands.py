"""The commands that the workloads bring, on our command line."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from core.cli import options
from core.cli.declare import declared
from core.cli.output import err, print_json, print_lines, print_table, say_error
from core.errors import ContentError
from core.workload_command import Advance
from core.workloads.registry import DEFAULT_WORKLOAD, commands_of, workload_names

if TYPE_CHECKING:
    from core.reporting import CaseTraces

OUTPUT = "output"


def add_workload_commands(app: typer.Typer, taken: Collection[str]) -> None:
    """Each command of each workload, in the workload's group of the help.

    A name that is ``taken``, or that several workloads have, gets the workload's before it (``dice-inspect``); of
    several, the default workload keeps it, so that no further workload ever renames a command.
    """
    brought = Counter(name for workload in workload_names() for name in commands_of(workload))
    for workload in workload_names():
        for name, command in commands_of(workload).items():
            clashes = name in taken or (brought[name] > 1 and workload != DEFAULT_WORKLOAD)
            shown = f"{workload}-{name}" if clashes else name
            app.command(shown, rich_help_panel=f"Workload {workload}")(_with_output(command))


def _with_output(command: Callable[..., int]) -> Callable[..., int]:
    """The command as Typer takes it: ``--json`` in the place of its output."""
    hints = get_type_hints(command, include_extras=True)
    parameters = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(command).parameters.items()
        if name != OUTPUT
    ]
    as_json = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=options.JsonOutput)

    @wraps(command)
    def called(**given: Any) -> int:
        return command(TerminalOutput(given.pop("json")), **given)

    return declared(called, [*parameters, as_json])


@dataclass(frozen=True)
class TerminalOutput:
    """:class:`core.workload_command.CommandOutput` of this process's streams."""

    as_json: bool

    def lines(self, lines: Iterable[str]) -> None:
        if not self.as_json:
            print_lines(lines)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        if not self.as_json:
            print_table(title, columns, rows)

    def document(self, content: Any) -> None:
        if self.as_json:
            print_json(content)

    def left_out(self, place: str, error: ContentError) -> None:
        if not self.as_json:
            say_error(error.code, error.what, where=place, fix="It is left out.", see="docs/output.md")

    @contextmanager
    def progress(self, what: str) -> Iterator[Advance]:
        from rich.progress import Progress

        with Progress(console=err, disable=not err.is_terminal) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, total=total, completed=done)

    def write_case_page(self, traces: CaseTraces, place: str, location: str) -> int:
        from core.cli.commands_report import write_file
        from core.report.page import render_case
        from core.report.viewing import view

        page = render_case(view(traces, "inspected"), place)
        write_file(location, page)
        return len(page)
