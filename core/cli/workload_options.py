"""The options of all workloads on one command line: collected, and only those of the chosen one let through."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import fields
from typing import Annotated, Any, get_args, get_type_hints

import typer

from core.errors import BadRequestError, BugError
from core.workload_options import WorkloadOptions
from core.workloads.registry import options_of, workload_names


def parameters_of_workloads() -> list[inspect.Parameter]:
    """One parameter for each option of any workload. Two workloads may share one of the same type; its help
    then names both."""
    found: dict[str, inspect.Parameter] = {}
    for workload in workload_names():
        options = options_of(workload)
        hints = get_type_hints(options, include_extras=True) if options else {}
        for field in fields(options) if options else ():  # type: ignore[arg-type]
            kind, option = get_args(hints[field.name])
            earlier = found.get(field.name)
            if earlier and get_args(earlier.annotation)[0] != kind:
                raise BugError("option_clash", f"{field.name} of {workload} is of another type than another workload's")
            found[field.name] = inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind, _shown(workload, option, get_args(earlier.annotation) if earlier else ())],
            )
    return list(found.values())


def source_option() -> Any:
    """``--source``, whose help says what each workload reads."""
    return typer.Option(help=f"Folder or s3:// location to read the cases from ({what_workloads_read()}).")


def what_workloads_read() -> str:
    """What each workload reads from a source, in its own words."""
    declared = [(name, options_of(name)) for name in workload_names()]
    return "; ".join(f"{name}: {options.reads}" for name, options in declared if options and options.reads)


def _shown(workload: str, option: Any, earlier: Sequence[Any]) -> Any:
    """The option in the panel of its workload, or of both."""
    help_text, panel = option.help, f"Workload {workload}"
    if isinstance(option.show_default, str):
        help_text = f"{help_text.rstrip('.')}; {option.show_default} if not given."
    if earlier:
        other = earlier[1]
        help_text, panel = f"{other.help} {workload}: {help_text}", f"{other.rich_help_panel}, {workload}"
    # A copy: the declaration stays as its workload wrote it.
    shown = copy(option)
    shown.help, shown.rich_help_panel, shown.show_default = help_text, panel, False
    return shown


def chosen_options(workload: str, given: Mapping[str, Any], source: str | None) -> WorkloadOptions | None:
    """The options of the chosen workload; None where it declares none.

    Raises
    ------
    BadRequestError
        ``unknown_workload``; ``bad_option``: an option of another workload, or a source for one that reads nothing;
        ``no_source``: none for one that does.
    """
    options = options_of(workload)
    known = {field.name for field in fields(options)} if options else set()  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            owners = ", ".join(other for other in workload_names() if name in _names(other))
            raise BadRequestError(
                "bad_option",
                f"the workload {workload} knows no such option; it is one of {owners}",
                where=_spelled(name),
                fix="Leave it out, or give another --workload.",
            )
    if options is None:
        return None
    if options.reads and source is None:
        what = f"the workload {workload} reads {options.reads}"
        raise BadRequestError("no_source", what, where="--source", fix="Give --source.")
    if not options.reads and source is not None:
        what = f"the workload {workload} reads nothing"
        raise BadRequestError("bad_option", what, where="--source", fix="Leave it out.")
    return options(**given)


def settings_of(options: WorkloadOptions | None, assignments: Sequence[str]) -> dict[str, Any]:
    """The settings that were given by options, and those of ``--set``.

    Raises
    ------
    BadRequestError
        ``bad_setting``: no ``NAME=VALUE``, or a setting that is given twice.
    """
    settings = options.settings() if options else {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip()
        if not equals or not name:
            raise BadRequestError(
                "bad_setting",
                f"{assignment!r} is not NAME=VALUE",
                where="--set",
                fix="Give a name and a value.",
            )
        if name in settings:
            raise BadRequestError("bad_setting", f"{name} is given twice", where="--set", fix="Give it once.")
        settings[name] = _value(text)
    return settings


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _names(workload: str) -> set[str]:
    options = options_of(workload)
    return {field.name for field in fields(options)} if options else set()  # type: ignore[arg-type]


def _spelled(name: str) -> str:
    return "--" + name.replace("_", "-")
