"""Money and time in whole numbers: nano-dollars and microseconds, so that sums are exact in any order.

A price is a decimal; what one attempt cost is an exact fraction that is rounded once, to a nano-dollar (half to even).
Everything else is a sum of those whole numbers, so the parts of a report always add up to its total.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import Field, PlainSerializer

NANO = 10**9
MICRO = 10**6
HOUR = 3600
MONTH_SECONDS = 30 * 86_400
"""A month of 30 days, as AWS reckons in its examples of EBS charges; S3 takes the hours of the real month."""

GIBIBYTE = 2**30
"""What AWS bills as a GB."""

Dollars = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
"""A number in JSON; nine decimals survive the way there and back up to a million dollars."""

Price = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
"""Never zero: a price that nobody knows is left out."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micros_of(seconds: float) -> int:
    """Seconds since 1970 in whole microseconds."""
    return round(Fraction(seconds) * MICRO)


def micros_at(moment: datetime) -> int:
    """A moment in whole microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def seconds_of(micros: int) -> float:
    """Microseconds as seconds."""
    return micros / MICRO


def nano_dollars(amount: Fraction | Decimal) -> int:
    """Dollars in whole nano-dollars, half to even.

    >>> nano_dollars(Fraction(1, 3)), nano_dollars(Decimal("0.0000000005"))
    (333333333, 0)
    """
    return round(Fraction(amount) * NANO)


def dollars_of(nanos: int) -> Decimal:
    """Nano-dollars as dollars."""
    return Decimal(nanos).scaleb(-9)


def dollars_text(amount: Decimal | float | None) -> str:
    """Dollars for people: whole cents from ten dollars up, else four decimals; what is unknown is called so.

    >>> dollars_text(Decimal("1234.5")), dollars_text(Decimal("0.01234")), dollars_text(None)
    ('1,234.50 dollars', '0.0123 dollars', 'unknown')
    >>> dollars_text(Decimal("0.00001"))
    'less than 0.0001 dollars'
    """
    if amount is None:
        return "unknown"
    if 0 < amount < 0.00005:
        return "less than 0.0001 dollars"
    return f"{amount:,.2f} dollars" if amount >= 10 else f"{amount:,.4f} dollars"
