"""The options of the workloads on one command line, and only those of the chosen one."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from datetime import date
from typing import Annotated, Any, get_args, get_type_hints

import pytest
import typer
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.cli import workload_options
from core.cli.options import OWN_FIELDS, Asked, asked_run, cache_of, locations, over_a_cohort
from core.cli.workload_options import chosen_options, parameters_of_workloads, settings_of
from core.errors import BadRequestError, BugError
from core.workloads.registry import build_workload, options_of, workload_names
from core.workloads.settings import checked_settings
from tests.command_line import REPOSITORY


class Odd(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = Field(default=1, ge=1)
    marks: dict[str, int] = {}
    day: date | None = None

    @model_validator(mode="after")
    def _check(self) -> Odd:
        if self.size == 7:
            raise ValueError("seven is unlucky")
        return self


DECLARED = [(name, options) for name in workload_names() if (options := options_of(name))]


def code_of(caught: pytest.ExceptionInfo[BadRequestError]) -> tuple[str, str]:
    return caught.value.code, caught.value.where


def test_the_workloads_are_the_folders() -> None:
    folders = (REPOSITORY / "core" / "workloads").glob("*/workload.py")
    assert workload_names() == tuple(sorted(path.parent.name for path in folders))
    assert {"trajectory", "vitaldb"} <= {*workload_names()}


@pytest.mark.parametrize(("name", "options"), DECLARED, ids=[name for name, _ in DECLARED])
def test_what_a_help_text_calls_the_default_is_the_default(name: str, options: Any) -> None:
    chosen = options()
    defaults = {**build_workload(name, {}).configuration(), **chosen.selection()}
    hints = get_type_hints(options, include_extras=True)
    for field in fields(options):
        assert field.default is None
        shown = get_args(hints[field.name])[1].show_default
        if isinstance(shown, str) and shown not in ("by preset", "auto"):
            assert str(defaults[field.name]) == shown, field.name


@pytest.mark.parametrize(("name", "options"), DECLARED, ids=[name for name, _ in DECLARED])
def test_nothing_given_is_the_default_configuration(name: str, options: Any) -> None:
    assert build_workload(name, options().settings()).configuration() == build_workload(name, {}).configuration()


def test_no_option_of_a_workload_is_one_of_the_platform() -> None:
    names = [parameter.name for parameter in parameters_of_workloads()]
    assert len(set(names)) == len(names)
    assert not set(names) & {field.name for field in OWN_FIELDS}


def test_a_commands_own_option_has_the_right_of_way() -> None:
    def command(asked: Asked, seed: int = 3) -> int:
        return seed

    wrapped = over_a_cohort(command)
    parameters = inspect.signature(wrapped).parameters
    assert parameters["seed"].default == 3
    assert "samples" in parameters


def test_an_option_of_two_workloads_has_one_type(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Other:
        samples: Annotated[str | None, typer.Option(help="Which.")] = None

    monkeypatch.setattr(workload_options, "options_of", lambda name: Other if name == "vitaldb" else options_of(name))
    with pytest.raises(BugError, match="option_clash"):
        parameters_of_workloads()


def test_options_of_another_workload_are_refused_by_name() -> None:
    with pytest.raises(BadRequestError) as caught:
        chosen_options("trajectory", {"samples": 8, "window_s": 60}, None)
    assert code_of(caught) == ("bad_option", "--window-s")
    assert "one of vitaldb" in caught.value.what
    with pytest.raises(BadRequestError) as caught:
        chosen_options("vitaldb", {"block_size": 8}, "cohort")
    assert code_of(caught) == ("bad_option", "--block-size")


def test_a_source_where_there_is_nothing_to_read_and_none_where_there_is() -> None:
    with pytest.raises(BadRequestError) as caught:
        chosen_options("trajectory", {}, "cohort")
    assert code_of(caught) == ("bad_option", "--source")
    with pytest.raises(BadRequestError) as caught:
        chosen_options("vitaldb", {}, None)
    assert code_of(caught) == ("no_source", "--source")


@pytest.mark.parametrize(
    ("assignment", "value"),
    [("samples=8", 8), ("salt=other", "other"), ("open_circle=true", True), ("salt=", ""), (" augment =0.25", 0.25)],
)
def test_any_setting_can_be_assigned(assignment: str, value: Any) -> None:
    settings = settings_of(chosen_options("trajectory", {}, None), [assignment])
    assert list(settings.values()) == [value]
    assert build_workload("trajectory", settings).configuration().items() >= settings.items()


@pytest.mark.parametrize("assignments", [["samples"], ["=3"], [""], ["samples=3", "samples=4"], ["seed=1"]])
def test_what_is_no_assignment_or_a_second_one(assignments: list[str]) -> None:
    with pytest.raises(BadRequestError) as caught:
        settings_of(chosen_options("trajectory", {"seed": 2}, None), assignments)
    assert code_of(caught) == ("bad_setting", "--set")


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(BadRequestError) as caught:
        asked_run(Asked(workload="trajectory", setting=["windows=3"]))
    assert code_of(caught) == ("bad_setting", "windows")


@pytest.mark.parametrize(
    ("given", "where", "what", "fix"),
    [
        ({"size": -1}, "size", "-1 is too small, 1 is the least", "See docs/x.md."),
        ({"size": True}, "size", "True is no number", "See docs/x.md."),
        ({"sise": 3}, "sise", "there is no such setting", "Did you mean size? See docs/x.md."),
        ({"other": 3}, "other", "there is no such setting", "See docs/x.md."),
        ({"marks": {"a": "b"}}, "marks.a", "'b' is no whole number", "See docs/x.md."),
        ({"day": "never"}, "day", "input should be a valid date or datetime, input is too short", "See docs/x.md."),
        ({"size": 7}, "configuration", "seven is unlucky", "See docs/x.md."),
    ],
)
def test_a_wrong_setting_is_told_in_our_words(given: dict[str, Any], where: str, what: str, fix: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        checked_settings(Odd, given, "docs/x.md")
    assert code_of(caught) == ("bad_setting", where)
    assert (caught.value.what, caught.value.fix) == (what, fix)


def test_what_is_asked_is_complete_without_a_source() -> None:
    document = asked_run(Asked(workload="trajectory", of_workload={"samples": 40}))
    assert (document.source, document.selection, document.settings["samples"]) == (None, {}, 40)
    assert document.settings == build_workload("trajectory", {"samples": 40}).configuration()
    assert locations(Asked(workload="trajectory")) == {}


def test_locations_are_shown_as_they_were_written() -> None:
    asked = Asked(source="here", of_workload={"clinical": "a b.csv"})
    assert locations(asked) == {"--source": "here", "--clinical": "a b.csv"}


def test_a_cache_for_a_workload_that_keeps_nothing() -> None:
    with pytest.raises(BadRequestError) as caught:
        cache_of("here", build_workload("trajectory", {}))
    assert code_of(caught) == ("bad_option", "--grid-cache")
