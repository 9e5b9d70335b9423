"""Units: which a track may declare, and the factors to its default unit and to the unit that is written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from core.errors import ContentError

KPA_PER_MMHG = 0.133322
CMH2O_PER_MBAR = 1.01972
CMH2O_PER_KPA = 10.1972
KPA_PER_VOLUME_PERCENT = 1.01325


class Quantity(Enum):
    """What a track measures; decides units, bounds and conversion."""

    HEART_RATE = auto()
    SYSTOLIC = auto()
    DIASTOLIC = auto()
    MEAN_PRESSURE = auto()
    SATURATION = auto()
    CARBON_DIOXIDE = auto()
    BISPECTRAL_INDEX = auto()
    PROPOFOL = auto()
    REMIFENTANIL = auto()
    NORADRENALINE = auto()
    TIDAL_VOLUME = auto()
    AIRWAY_PRESSURE = auto()
    OXYGEN_FRACTION = auto()
    RESPIRATORY_RATE = auto()
    SEVOFLURANE = auto()


@dataclass(frozen=True)
class Factors:
    """Multipliers from a declared unit: ``to_default`` (bounds apply there) and ``to_written``."""

    to_default: float = 1.0
    to_written: float = 1.0


_SAME = Factors()
_RATE = {"/min": _SAME, "1/min": _SAME, "bpm": _SAME}
_PRESSURE = {"mmhg": _SAME, "kpa": Factors(1 / KPA_PER_MMHG, 1 / KPA_PER_MMHG)}
_PERCENT = {"%": _SAME}
_INFUSION = {"ml/h": _SAME, "ml/hr": _SAME}
_MBAR = Factors(1.0, CMH2O_PER_MBAR)
_VOLUME_PERCENT = Factors(KPA_PER_VOLUME_PERCENT, KPA_PER_VOLUME_PERCENT)

_UNITS: dict[Quantity, tuple[str, dict[str, Factors]]] = {
    Quantity.HEART_RATE: ("/min", _RATE),
    Quantity.SYSTOLIC: ("mmHg", _PRESSURE),
    Quantity.DIASTOLIC: ("mmHg", _PRESSURE),
    Quantity.MEAN_PRESSURE: ("mmHg", _PRESSURE),
    Quantity.SATURATION: ("%", _PERCENT),
    Quantity.CARBON_DIOXIDE: (
        "mmHg",
        {"mmhg": Factors(1.0, KPA_PER_MMHG), "kpa": Factors(1 / KPA_PER_MMHG, 1.0)},
    ),
    # The index has no unit; the open data set's track list spells that "unitless".
    Quantity.BISPECTRAL_INDEX: ("unitless", {"unitless": _SAME}),
    Quantity.PROPOFOL: ("mL/h", _INFUSION),
    Quantity.REMIFENTANIL: ("mL/h", _INFUSION),
    Quantity.NORADRENALINE: ("mL/h", _INFUSION),
    Quantity.TIDAL_VOLUME: ("mL", {"ml": _SAME}),
    Quantity.AIRWAY_PRESSURE: (
        "mbar",
        {
            "mbar": _MBAR,
            "hpa": _MBAR,
            "cmh2o": Factors(1 / CMH2O_PER_MBAR, 1.0),
            "kpa": Factors(CMH2O_PER_KPA / CMH2O_PER_MBAR, CMH2O_PER_KPA),
        },
    ),
    Quantity.OXYGEN_FRACTION: ("%", _PERCENT),
    Quantity.RESPIRATORY_RATE: ("/min", _RATE),
    Quantity.SEVOFLURANE: ("kPa", {"kpa": _SAME, "%": _VOLUME_PERCENT, "vol%": _VOLUME_PERCENT}),
}


def default_unit(quantity: Quantity) -> str:
    """The unit that an empty declaration means, as the open data set spells it."""
    return _UNITS[quantity][0]


def factors(quantity: Quantity, declared: str, track: str) -> Factors:
    """The factors of a declared unit; case and blanks do not matter, empty means the default.

    Raises
    ------
    ContentError
        ``unknown_unit``: never a guess.

    >>> factors(Quantity.CARBON_DIOXIDE, "mm Hg", "Solar8000/ETCO2").to_written
    0.133322
    """
    default, known = _UNITS[quantity]
    spelling = "".join((declared or default).split()).lower()
    spelling = spelling or default.lower()
    try:
        return known[spelling]
    except KeyError:
        raise ContentError(
            "unknown_unit", f"declares {declared[:40]!r}, known are {', '.join(sorted(known))}", where=track
        ) from None
