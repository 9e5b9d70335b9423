"""What is wrong with a value, in the same words wherever a model refuses it."""

from __future__ import annotations

from collections.abc import Mapping
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
