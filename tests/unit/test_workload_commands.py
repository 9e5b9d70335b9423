"""Commands that workloads bring: their names, their ``--json``, and that nobody's command is lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command

from core.cli import main, workload_commands
from core.cli.workload_commands import TerminalOutput, add_workload_commands
from core.errors import ContentError
from core.workload_command import CommandOutput
from core.workloads.registry import commands_of, workload_names
from tests.command_line import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def throw(output: CommandOutput, times: Annotated[int, typer.Option(help="How often.")] = 1) -> int:
    """Throw a die."""
    output.lines([f"{times} throws"])
    output.document({"times": times})
    return 3


def app_of(monkeypatch: pytest.MonkeyPatch, brought: Mapping[str, Mapping[str, Callable[..., int]]]) -> Any:
    monkeypatch.setattr(workload_commands, "workload_names", lambda: tuple(sorted(brought)))
    monkeypatch.setattr(workload_commands, "commands_of", lambda name: brought[name])
    app = typer.Typer()
    app.command("run")(lambda: 0)
    app.command("stop")(lambda: 0)
    add_workload_commands(app, ["run", "stop"])
    return get_command(app)


def test_its_function_is_a_command_with_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = app_of(monkeypatch, {"dice": {"throw": throw}})
    command = app.commands["throw"]
    assert (command.help, command.rich_help_panel) == ("Throw a die.", "Workload dice")
    assert [parameter.name for parameter in command.params] == ["times", "json"]
    assert app(["throw", "--times", "2"], standalone_mode=False) == 3
    assert capsys.readouterr().out == "2 throws\n"
    assert app(["throw", "--json"], standalone_mode=False) == 3
    assert json.loads(capsys.readouterr().out) == {"times": 1}


@pytest.mark.parametrize(
    ("brought", "names"),
    [
        ({"dice": {"run": throw}}, {"dice-run"}),
        ({"dice": {"inspect": throw}, "vitaldb": {"inspect": throw}}, {"dice-inspect", "inspect"}),
        ({"dice": {"throw": throw}, "darts": {"throw": throw}}, {"dice-throw", "darts-throw"}),
        ({"dice": {"throw": throw}, "darts": {}}, {"throw"}),
        ({"dice": {}}, set()),
    ],
)
def test_no_name_is_taken_twice(
    monkeypatch: pytest.MonkeyPatch, brought: dict[str, dict[str, Callable[..., int]]], names: set[str]
) -> None:
    assert set(app_of(monkeypatch, brought).commands) == {"run", "stop", *names}


def test_no_command_of_a_workload_hides_one_of_the_platform_or_of_the_cloud() -> None:
    """Those of the cloud are looked for last, so that nothing at run time would say it."""
    elsewhere = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    names = [name for workload in workload_names() for name in commands_of(workload)]
    own = [command.name for command in main.app.registered_commands]
    assert {*names} <= {*own}
    assert {"demo-data", "inspect"} <= {*names}
    assert len({*names}) == len(names), "none of them needs its workload's name before it"
    assert not {*names} & {*elsewhere["project"]["entry-points"]["casemill.commands"]}


def test_people_and_programs_get_what_is_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        output: CommandOutput = TerminalOutput(as_json)
        output.table("", ("throw", "eyes"), [(1, 6)])
        output.left_out("2.dice", ContentError("unreadable", "it rolled away"))
        with output.progress("throws") as advance:
            advance(1, 2)
        told = capsys.readouterr()
        if as_json:
            assert told.out == told.err == ""
        else:
            assert told.out.split() == ["throw", "eyes", "1", "6"]
            assert told.err.startswith(
                "error [unreadable] 2.dice: it rolled away\n  It is left out. More: docs/output.md"
            )
