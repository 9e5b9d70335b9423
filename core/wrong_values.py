"""What is wrong with a value, in the same words wherever a model refuses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SENTENCES = {
    "int_type": "{input!r} is no whole number",
    "int_parsing": "{input!r} is no whole number",
    "int_from_float": "{input!r} is no whole number",
    "int_parsing_size": "{input!r} is too large a number",
    "float_type": "{input!r} is no number",
    "float_parsing": "{input!r} is no number",
    "finite_number": "{input!r} is no finite number",
    "bool_type": "{input!r} is neither yes nor no",
    "bool_parsing": "{input!r} is neither yes nor no",
    "string_type": "{input!r} is no text",
    "greater_than_equal": "{input} is too small, {ge} is the least",
    "greater_than": "{input} is too small, it must be above {gt}",
    "less_than_equal": "{input} is too large, {le} is the most",
    "less_than": "{input} is too large, it must be below {lt}",
    "enum": "{input!r} is unknown, it must be {expected}",
    "literal_error": "{input!r} is unknown, it must be {expected}",
    "string_pattern_mismatch": "{input!r} does not fit {pattern}",
    "missing": "missing",
    "extra_forbidden": "not known here",
    "model_type": "no object with names",
    "dict_type": "no object with names",
    "list_type": "no list",
    "tuple_type": "no list",
    "string_too_short": "too short a text, {min_length} is the least",
    "value_error": "{error}",
}
"""By the kinds of pydantic's errors."""


class _Untold:
    """Stands for a value that is not told."""

    def __repr__(self) -> str:
        return "it"


def sentence_of(error: Mapping[str, Any], *, quote: bool = True) -> str | None:
    """The sentence on one of the ``errors()`` of pydantic's ``ValidationError``; None for a kind that has none here.

    Without ``quote`` the value is not in it.

    >>> sentence_of({"type": "greater_than_equal", "input": 0, "ctx": {"ge": 1}})
    '0 is too small, 1 is the least'
    """
    sentence = _SENTENCES.get(error["type"])
    given = error["input"] if quote else _Untold()
    return sentence.format(input=given, **error.get("ctx", {})) if sentence else None


def place_of(error: Mapping[str, Any]) -> str:
    """Where one of the ``errors()`` is: names and numbers, joined by points; empty for the whole."""
    return ".".join(map(str, error["loc"]))


def what_of(error: Mapping[str, Any], *, quote: bool = True) -> str:
    """What one of the ``errors()`` is: in our words, or in pydantic's own."""
    return sentence_of(error, quote=quote) or plain(error["msg"])


def first_problem(errors: Sequence[Mapping[str, Any]], *, quote: bool = True) -> str:
    """Where the first of the ``errors()`` of pydantic's ``ValidationError`` is, and what.

    Without ``quote`` the value itself is not told: what is read on AWS gets into logs and mails, and may be anything.

    >>> error = {"type": "less_than", "loc": ("disk", 0), "input": 9, "ctx": {"lt": 5}, "msg": ""}
    >>> first_problem([error])
    'disk.0: 9 is too large, it must be below 5'
    >>> first_problem([error], quote=False)
    'disk.0: it is too large, it must be below 5'
    """
    place, what = place_of(errors[0]), what_of(errors[0], quote=quote)
    return f"{place}: {what}" if place else what


def why_unreadable(error: Exception) -> str:
    """Why one of our own documents cannot be read, without its values: what a store or a model raised, in our words.

    >>> why_unreadable(FileNotFoundError("runs/a/pins.json"))
    'missing'
    """
    from pydantic import ValidationError  # not at the top: the command line starts without it

    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, ValidationError):
        return first_problem(error.errors(), quote=False)
    lines = str(error).strip().splitlines()
    return plain(lines[0]) if lines else type(error).__name__


def plain(message: str) -> str:
    """Without a capital and a full stop, as every ``what`` is."""
    text = message.strip().rstrip(".")
    return text[:1].lower() + text[1:]
