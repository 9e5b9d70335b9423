"""Commands from elsewhere: entry points of the group ``casemill.commands``, loaded when one is asked for.

The core cannot know its cloud, so the cloud's commands come in this way. An entry point is named as its command and
gives a function or a Typer application. A command of the core's own has the right of way.
"""

from __future__ import annotations

import os
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from core.cli.bad_command import refuse_empty, unknown_command
from core.cli.panels import arrange
from core.errors import BadRequestError

GROUP = "casemill.commands"
PANEL = "In the cloud"
VERBOSE = "CASEMILL_VERBOSE"
"""The environment variable that asks for the trace of an error."""


class CarefulGroup(TyperGroup):
    """A group whose help is arranged, that takes ``--verbose`` anywhere, and that says what is the nearest command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        if "--verbose" in args[:end]:
            os.environ[VERBOSE] = "1"
            args = [arg for place, arg in enumerate(args) if arg != "--verbose" or place > end]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return arrange(super().get_command(ctx, cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if not ctx.resilient_parsing:
            if self.get_command(ctx, args[0]) is None:
                raise unknown_command(ctx.command_path, args[0], self.list_commands(ctx))
            refuse_empty(args)
        return super().resolve_command(ctx, args)


class PluggableGroup(CarefulGroup):
    """A group that looks for further commands, but only when its own do not serve: looking takes time."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *(name for name in self._found if name not in self.commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in self._found:
            return own
        self.commands[cmd_name] = arrange(command_of(self._found[cmd_name]))
        return self.commands[cmd_name]

    @cached_property
    def _found(self) -> dict[str, EntryPoint]:
        return {found.name: found for found in sorted(entry_points(group=GROUP), key=lambda found: found.name)}


def command_of(found: EntryPoint) -> Any:
    """The command of an entry point; one that cannot be loaded says so when it is called, and spoils no other."""
    try:
        loaded = found.load()
    except (ImportError, AttributeError) as error:
        loaded = _broken(found, error)
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
    if isinstance(loaded, typer.Typer):
        app.add_typer(loaded, name=found.name, rich_help_panel=PANEL)
        return get_command(app).commands[found.name]  # type: ignore[attr-defined]
    app.command(found.name, rich_help_panel=getattr(loaded, "help_panel", PANEL))(loaded)
    return get_command(app)


def _broken(found: EntryPoint, error: Exception) -> Any:
    what = f"the command cannot be loaded: {error}"

    def broken() -> int:
        raise BadRequestError("broken_command", what, where=found.value, fix="Install its package again.") from error

    broken.__doc__ = f"(cannot be loaded from {found.value})"
    return broken
