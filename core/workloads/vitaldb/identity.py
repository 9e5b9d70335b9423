"""Case ids: the text that names a case everywhere, and the number that its examples carry."""

from __future__ import annotations

import hashlib
import re

_NUMBER = re.compile(r"[0-9]{1,18}")
_NAME_BITS = 52


def is_number(text: str) -> bool:
    """Whether an id is a number that examples can carry as it is: up to 18 digits.

    >>> is_number("0022"), is_number("1234567890123456789"), is_number("\u0663")
    (True, False, False)
    """
    return _NUMBER.fullmatch(text) is not None


def case_number(text: str) -> int:
    """A numeric id's value; for any other name a 52-bit number that depends on the name alone.

    >>> case_number("0022"), case_number("theatre3_240101") > 2**32
    (22, True)
    """
    if is_number(text):
        return int(text)
    digest = hashlib.sha256(text.encode()).digest()
    # The top bit keeps names clear of the numbers that people give.
    return 1 << _NAME_BITS | int.from_bytes(digest[:8], "big") >> (64 - _NAME_BITS)


def case_id(number: int) -> str:
    """A numeric case's id: zero-padded to four digits, as its file is named (spec/vitaldb, input).

    >>> case_id(22), case_id(123456)
    ('0022', '123456')
    """
    return f"{number:04d}"
