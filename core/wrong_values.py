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
    "value_error": "{error}",
}
"""By the kinds of pydantic's errors."""


def sentence_of(error: Mapping[str, Any]) -> str | None:
    """The sentence on one of the ``errors()`` of pydantic's ``ValidationError``; None for a kind that has none here.

    >>> sentence_of({"type": "greater_than_equal", "input": 0, "ctx": {"ge": 1}})
    '0 is too small, 1 is the least'
    """
    sentence = _SENTENCES.get(error["type"])
    return sentence.format(input=error["input"], **error.get("ctx", {})) if sentence else None


def first_problem(errors: Sequence[Mapping[str, Any]]) -> str:
    """Where the first of the ``errors()`` of pydantic's ``ValidationError`` is, and what: in our words, or in its own.

    >>> first_problem([{"type": "less_than", "loc": ("disk", 0), "input": 9, "ctx": {"lt": 5}, "msg": ""}])
    'disk.0: 9 is too large, it must be below 5'
    """
    first = errors[0]
    place = ".".join(map(str, first["loc"]))
    what = sentence_of(first) or plain(first["msg"])
    return f"{place}: {what}" if place else what


def plain(message: str) -> str:
    """Without a capital and a full stop, as every ``what`` is."""
    text = message.strip().rstrip(".")
    return text[:1].lower() + text[1:]
