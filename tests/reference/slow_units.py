"""Units and bounds: one raw value of one track -> the value in the feature's unit, or ``None`` (cleaned away)."""

from __future__ import annotations

from .slow_clinical import SlowStatic

_RATE = {"", "/min", "1/min", "bpm"}
_PRESSURE = {"", "mmhg", "kpa"}
_PERCENT = {"", "%"}
_INFUSION = {"", "ml/h", "ml/hr"}

KNOWN_UNITS: dict[str, set[str]] = {
    "heart_rate": _RATE,
    "systolic": _PRESSURE,
    "diastolic": _PRESSURE,
    "mean": _PRESSURE,
    "spo2": _PERCENT,
    "etco2": _PRESSURE,
    "bis": {"", "unitless"},
    "propofol": _INFUSION,
    "remifentanil": _INFUSION,
    "noradrenaline": _INFUSION,
    "tidal_volume": {"", "ml"},
    "peep": {"", "mbar", "hpa", "cmh2o", "kpa"},
    "fio2": _PERCENT,
    "respiratory_rate": _RATE,
    "sevoflurane": {"", "kpa", "%", "vol%"},
}

# Inclusive, in the default unit. FIO2 must also be above 0.
BOUNDS: dict[str, tuple[float, float]] = {
    "heart_rate": (1, 300),
    "systolic": (20, 300),
    "diastolic": (5, 225),
    "mean": (10, 250),
    "spo2": (1, 100),
    "etco2": (0, 150),
    "bis": (0, 100),
    "propofol": (0, 1200),
    "remifentanil": (0, 1200),
    "noradrenaline": (0, 1200),
    "tidal_volume": (0, 3000),
    "peep": (0, 60),
    "fio2": (0, 100),
    "respiratory_rate": (0, 80),
    "sevoflurane": (0, 10),
}


def plain_unit(unit: str) -> str:
    """The spelling that units are compared in: no case, no blanks."""
    return "".join(unit.split()).lower()


def is_known(quantity: str, unit: str) -> bool:
    """Whether a track of ``quantity`` may declare ``unit``."""
    return plain_unit(unit) in KNOWN_UNITS[quantity]


def in_default_unit(quantity: str, value: float, unit: str) -> float:
    """``value`` in the unit that the bounds are given in."""
    unit = plain_unit(unit)
    if quantity in ("systolic", "diastolic", "mean", "etco2") and unit == "kpa":
        return value / 0.133322
    if quantity == "peep" and unit == "cmh2o":
        return value / 1.01972
    if quantity == "peep" and unit == "kpa":
        return value * 10.0
    if quantity == "sevoflurane" and unit in ("%", "vol%"):
        return value * 1.01325
    if quantity == "fio2" and 0.0 < value <= 1.0:
        return value * 100.0
    return value


def is_possible(quantity: str, value: float) -> bool:
    """Whether ``value``, in the default unit, is physically possible."""
    low, high = BOUNDS[quantity]
    if quantity == "fio2" and value <= 0.0:
        return False
    return low <= value <= high


def in_feature_unit(
    quantity: str, raw: float, unit: str, static: SlowStatic, concentration: float | None
) -> float | None:
    """Clean ``raw`` and convert it; ``concentration`` is that of the syringe, for the infusions."""
    value = in_default_unit(quantity, raw, unit)
    if not is_possible(quantity, value):
        return None
    unit = plain_unit(unit)
    if quantity == "etco2":
        return raw if unit == "kpa" else raw * 0.133322
    if quantity == "peep":
        factors = {"": 1.01972, "mbar": 1.01972, "hpa": 1.01972, "cmh2o": 1.0, "kpa": 10.1972}
        return raw * factors[unit]
    if quantity == "tidal_volume":
        return value / static.ideal_body_weight
    if quantity == "propofol":
        assert concentration is not None
        return value * concentration / static.weight
    if quantity in ("remifentanil", "noradrenaline"):
        assert concentration is not None
        return value * concentration / 60.0 / static.weight
    return value
