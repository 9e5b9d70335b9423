"""Selections of cases as people write them."""

from __future__ import annotations

import pytest

from core.errors import BadRequestError
from core.workloads.vitaldb.selection import parse_cases


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("7", [7]),
        ("1-3", [1, 2, 3]),
        ("3-3", [3]),
        ("1,5,10", [1, 5, 10]),
        ("1-3,17,0022", [1, 2, 3, 17, 22]),
        (" 1 - 2 , 4 ", [1, 2, 4]),
        ("5,1-6,5", [5, 1, 2, 3, 4, 5, 6, 5]),
        ("0", [0]),
    ],
)
def test_what_is_asked_for(text: str, numbers: list[int]) -> None:
    ranges = parse_cases(text)
    assert ranges is not None
    assert [number for part in ranges for number in part] == numbers


@pytest.mark.parametrize("text", ["all", " ALL "])
def test_all(text: str) -> None:
    assert parse_cases(text) is None


@pytest.mark.parametrize(
    ("text", "piece", "position", "character"),
    [
        ("9-3", "9-3", 1, 1),
        ("1-2-3", "1-2-3", 1, 1),
        ("abc", "abc", 1, 1),
        ("", "", 1, 1),
        ("1,", "", 2, 3),
        ("1,,2", "", 2, 3),
        ("1-3,5,x7", "x7", 3, 7),
        ("1-3,9-3", "9-3", 2, 5),
        ("-3", "-3", 1, 1),
        ("3-", "3-", 1, 1),
        ("1.5", "1.5", 1, 1),
        ("1 2", "1 2", 1, 1),
        ("all,3", "all", 1, 1),
        ("٣", "٣", 1, 1),
    ],
)
def test_malformed_pieces_are_named_with_their_place(text: str, piece: str, position: int, character: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_cases(text)
    assert caught.value.code == "bad_cases"
    assert repr(piece) in caught.value.what
    assert caught.value.where == f"--cases, piece {position} (character {character})"


def test_a_slip_of_the_keyboard_does_not_fill_the_memory() -> None:
    with pytest.raises(BadRequestError, match="more than"):
        parse_cases("1-99999999999999")
