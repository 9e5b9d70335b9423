"""Commands that a workload brings to the command line: the form in which it declares them, known to both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import ContentError

if TYPE_CHECKING:
    from core.reporting import CaseTraces

Advance = Callable[[int, int], None]
"""How far something is: what is done, and of how many."""


class CommandOutput(Protocol):
    """Where a command says what it has to say. Each command has ``--json``: people get lines and tables, programs get
    one document, and what is meant for the others is dropped."""

    def lines(self, lines: Iterable[str]) -> None:
        """Plain lines, for people."""
        ...

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table, for people; numbers to the right."""
        ...

    def document(self, content: Any) -> None:
        """All of the result as plain JSON, for programs; once, at the end."""
        ...

    def left_out(self, place: str, error: ContentError) -> None:
        """One of several things that cannot be used, for people: the command goes on without it."""
        ...

    def progress(self, what: str) -> AbstractContextManager[Advance]:
        """A bar that counts, on a terminal."""
        ...

    def write_case_page(self, traces: CaseTraces, place: str, location: str) -> int:
        """Write the report's case viewer for one case that was read from ``place`` to a file; its size in bytes.

        Raises
        ------
        BadRequestError
            ``bad_location``: the file cannot be written.
        """
        ...


Commands = Mapping[str, Callable[..., int]]
"""``COMMANDS`` of the workload's module ``commands``: functions by the command's name.

Each takes its :class:`CommandOutput` as ``output``; what else it takes are arguments and options, declared with Typer.
It gives the exit code. The module is imported for every ``--help``: nothing heavy in it.
"""
