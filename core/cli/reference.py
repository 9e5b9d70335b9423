"""The reference page of every command, made of the commands themselves: ``python -m core.cli.reference > PAGE``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

HEAD = """# Every command

Made from the code by `make reference`; a test says when it is old. The same stands in `casemill COMMAND --help`.
Every command also takes `--verbose` (the trace of an error, on stderr) and `--help`; exit codes and error codes stand
in [errors.md](../errors.md).
"""


def reference_page() -> str:
    """Markdown: a section for each command with usage, description, example, and a table of its options."""
    from core.cli.main import app

    group: Any = get_command(app)
    context = typer.Context(group, info_name="casemill")
    return "\n".join([HEAD, *_sections(group, context)]).rstrip("\n") + "\n"


def _sections(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = typer.Context(command, info_name=name, parent=context)
        if hasattr(command, "list_commands"):
            yield from _sections(command, inner)
        else:
            yield from _section(command, inner)


def _section(command: Any, context: Any) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    yield f"```text\n{_usage(command, context)}\n```\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        text = " ".join(paragraph.split())
        example = text.removeprefix("Example: ")
        yield f"{text}\n" if example == text else f"```text\n{example}\n```\n"
    panels: dict[str, list[str]] = {}
    for parameter in command.params:
        row = f"| {_name(parameter)} | {_help(parameter)} | {_default(parameter)} |"
        panels.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(row)
    for panel, rows in panels.items():
        yield f"| {panel} | | default |\n|---|---|---|"
        yield "\n".join(rows) + "\n"


def _usage(command: Any, context: Any) -> str:
    needed = [item for item in command.params if item.required]
    words = [f"{_long(item)} {_word(item)}" if _is_option(item) else _word(item) for item in needed]
    return " ".join([context.command_path, *words, "[OPTIONS]"])


def _is_option(parameter: Any) -> bool:
    return any(name.startswith("-") for name in parameter.opts)


def _long(parameter: Any) -> str:
    return str(max(parameter.opts, key=len))


def _word(parameter: Any) -> str:
    word = parameter.metavar or parameter.name.upper()
    return f"{word}…" if parameter.nargs == -1 or getattr(parameter, "multiple", False) else word


def _name(parameter: Any) -> str:
    if not _is_option(parameter):
        return f"`{_word(parameter)}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names if getattr(parameter, "is_flag", False) else f"{names} {_word(parameter)}"


def _help(parameter: Any) -> str:
    return " ".join((parameter.help or "").split()).replace("|", "\\|").replace("<", "&lt;")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "needed"
    value = getattr(parameter.default, "value", parameter.default)
    if isinstance(value, bool):
        return "" if not value else "yes"
    return "" if value is None or value == () else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
