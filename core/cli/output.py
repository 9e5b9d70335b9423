"""What people see: errors in one shape, tables for eyes, JSON for programs. Results on stdout, all else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console

from core.cli.streams import give_up, takes_unicode

CODES = "docs/errors.md"
"""Where every code stands; those of single cases stand in docs/output.md."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would leave with exit code 1, which is ours for something else."""
        raise BrokenPipeError


out = _Console(soft_wrap=True, highlight=False, markup=False)
err = _Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def say_error(code: str, what: str, where: str = "", fix: str = "", see: str = CODES, *, document: bool = True) -> None:
    """What went wrong and where in one line; what to do, and where the code is looked up, in a second one.

    With ``--json`` it is a ``document`` too, but where the command goes on to write its own.
    """
    place = f"{where}: " if where else ""
    try:
        err.print(f"error [{code}] {place}{what}", style="bold red" if err.is_terminal else None)
        err.print(f"  {fix} More: {see}" if fix else f"  More: {see}")
    except OSError:
        give_up(sys.stderr)  # nobody can be told; the exit code still says it
    if document and "--json" in sys.argv:
        print_json({"error": {"code": code, "where": where, "what": what, "fix": fix, "see": see}})


def note(text: str) -> None:
    """A remark on stderr."""
    err.print(text)


def print_json(content: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=not takes_unicode(sys.stdout)) + "\n")


def print_lines(lines: Iterable[str]) -> None:
    """Plain lines on stdout."""
    for line in lines:
        out.print(line)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers to the right."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    body = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = bool(body) and all(isinstance(row[position], (int, float)) for row in body)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return str(value)
