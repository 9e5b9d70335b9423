"""What is wrong with a value is told in our words, and where the value may be anything, without it."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core import wrong_values
from core.wrong_values import first_problem, sentence_of, why_unreadable


class Kind(str, Enum):
    GZIP = "gzip"
    NONE = "none"


class Part(BaseModel):
    name: str


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    whole: int = 1
    limited: int = Field(default=1, ge=1, le=9)
    open: float = Field(default=1.0, gt=0, lt=2)
    yes: bool = True
    text: str = Field(default="a", min_length=1, pattern="^[a-z]*$")
    kind: Kind = Kind.GZIP
    colour: Literal["grey", "RGB"] = "grey"
    part: Part = Part(name="a")
    names: dict[str, str] = {}
    many: list[int] = []
    pair: tuple[int, ...] = ()
    own: int = 0

    @field_validator("own")
    @classmethod
    def _refuse(cls, value: int) -> int:
        if value:
            raise ValueError("it is not ours")
        return value


BAD = [
    ({"whole": "Mueller"}, "whole: 'Mueller' is no whole number"),
    ({"whole": ["Mueller"]}, "whole: ['Mueller'] is no whole number"),
    ({"whole": 1.5}, "whole: 1.5 is no whole number"),
    ({"whole": "9" * 5000}, f"whole: '{'9' * 5000}' is too large a number"),
    ({"limited": 0}, "limited: 0 is too small, 1 is the least"),
    ({"limited": 10}, "limited: 10 is too large, 9 is the most"),
    ({"open": 0.0}, "open: 0.0 is too small, it must be above 0.0"),
    ({"open": 2.5}, "open: 2.5 is too large, it must be below 2.0"),
    ({"open": "Mueller"}, "open: 'Mueller' is no number"),
    ({"open": ["Mueller"]}, "open: ['Mueller'] is no number"),
    ({"open": float("nan")}, "open: nan is no finite number"),
    ({"yes": "Mueller"}, "yes: 'Mueller' is neither yes nor no"),
    ({"yes": ["Mueller"]}, "yes: ['Mueller'] is neither yes nor no"),
    ({"text": 63}, "text: 63 is no text"),
    ({"text": ""}, "text: too short a text, 1 is the least"),
    ({"text": "Mueller"}, "text: 'Mueller' does not fit ^[a-z]*$"),
    ({"kind": "Mueller"}, "kind: 'Mueller' is unknown, it must be 'gzip' or 'none'"),
    ({"colour": "Mueller"}, "colour: 'Mueller' is unknown, it must be 'grey' or 'RGB'"),
    ({"part": {}}, "part.name: missing"),
    ({"part": "Mueller"}, "part: no object with names"),
    ({"names": "Mueller"}, "names: no object with names"),
    ({"many": "Mueller"}, "many: no list"),
    ({"many": [1, "Mueller"]}, "many.1: 'Mueller' is no whole number"),
    ({"pair": "Mueller"}, "pair: no list"),
    ({"own": 63}, "own: it is not ours"),
    ({"other": "Mueller"}, "other: not known here"),
]  # fmt: skip


def errors_of(given: Any) -> list[Any]:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate_json(given) if isinstance(given, bytes) else Whole.model_validate(given)
    return caught.value.errors()


@pytest.mark.parametrize(("given", "said"), BAD, ids=[said[:40] for _, said in BAD])
def test_what_is_wrong_in_our_words(given: dict[str, Any], said: str) -> None:
    found = errors_of(given)
    assert first_problem(found) == said
    value = next(iter(given.values()))
    quoted = repr(value[1] if value == [1, "Mueller"] else value)
    assert first_problem(found, quote=False) == said.replace(quoted, "it", 1)
    assert not {"Mueller", "63", "1.5"} & set(first_problem(found, quote=False).replace("'", " ").split())


def test_no_kind_of_error_is_left_out_above() -> None:
    told = {errors_of(given)[0]["type"] for given, _ in BAD}
    assert told == set(wrong_values._SENTENCES)


def test_a_kind_without_a_sentence_is_told_in_pydantics() -> None:
    found = [{"type": "other", "loc": (), "input": "Mueller", "msg": "Input should be other."}]
    assert sentence_of(found[0]) is None
    assert first_problem(found) == first_problem(found, quote=False) == "input should be other"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"", "invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b'{"text": "Mueller', "invalid JSON: EOF while parsing a string at line 1 column 17"),
        (b"[]", "no object with names"),
        (b'{"whole": "Mueller", "open": "Mueller"}', "whole: it is no whole number"),
    ],
)
def test_why_a_document_cannot_be_read(document: bytes, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate_json(document)
    assert why_unreadable(caught.value) == said


def test_why_another_reader_could_not_read_it() -> None:
    assert why_unreadable(FileNotFoundError("s3://bucket/key")) == "missing"
    assert why_unreadable(ValueError("No magic bytes.\nAt all.")) == "no magic bytes"
    assert why_unreadable(KeyError()) == "KeyError"
