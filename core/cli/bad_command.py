"""What is wrong with a command as it was written, in the shape of every other error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from typer.exceptions import TyperException

from core.errors import BadRequestError
from core.wrong_values import plain, sentence_of

CODE = "bad_command"


def explained(error: TyperException) -> BadRequestError:
    """The parser's error: which option or argument, what is wrong with it, and where its help stands.

    Typer publishes only the base of its parser's errors, so they are told apart by their names.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    context: Any = getattr(error, "ctx", None)
    help_of = f"See {context.command_path if context else 'casemill'} --help."
    if "MissingParameter" in kinds:
        return BadRequestError(CODE, "is missing", where=_place(error), fix=f"Give it. {help_of}")
    if "BadParameter" in kinds:
        return BadRequestError(CODE, _wrong_value(error), where=_place(error), fix=f"Give another value. {help_of}")
    option = str(getattr(error, "option_name", ""))
    if "NoSuchOption" in kinds:
        known = [name for parameter in context.command.params for name in parameter.opts] if context else []
        return BadRequestError(
            CODE, "there is no such option", where=option, fix=f"{did_you_mean(option, known)}{help_of}"
        )
    if "BadOptionUsage" in kinds:
        what = "needs a value" if "requires" in error.message else plain(error.message)
        return BadRequestError(CODE, what, where=option, fix=help_of)
    return BadRequestError(CODE, plain(error.format_message()), fix=help_of)


def unknown_command(path: str, name: str, known: Iterable[str]) -> BadRequestError:
    """A command that does not exist, with the nearest that does."""
    fix = f"{did_you_mean(name, list(known))}See {path} --help."
    return BadRequestError(CODE, f"there is no command {name!r}", where=path, fix=fix)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """``Did you mean X? ``, or nothing where nothing is near."""
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}? " if near else ""


def refuse_empty(arguments: Sequence[str]) -> None:
    """Refuse values of no characters: mostly an unset variable of a shell, and as a path it would mean this folder.

    Raises
    ------
    BadRequestError
        ``bad_command``.
    """
    for place, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        before = arguments[place - 1] if place else ""
        if argument == "":
            where = before if before.startswith("--") else f"argument {place} of {arguments[0]}"
        elif option.startswith("--") and equals and not value:
            where = option
        else:
            continue
        raise BadRequestError(
            CODE,
            "the value is empty",
            where=where,
            fix="Is a variable of the shell not set? Give a value or leave it out.",
        )


def _place(error: TyperException) -> str:
    parameter: Any = getattr(error, "param", None)
    if parameter is None:
        return str(getattr(error, "param_hint", None) or "")
    long = [name for name in parameter.opts if name.startswith("--")]
    return long[0] if long else str(parameter.metavar or parameter.name).upper()


def _wrong_value(error: TyperException) -> str:
    from pydantic import ValidationError

    cause = error.__cause__ or error.__context__
    if isinstance(cause, ValidationError):
        sentence = sentence_of(cause.errors()[0])
        if sentence:
            return plain(sentence)
    return plain(error.message.removeprefix("Value error, "))
