"""Units: what a track may declare, and the factors; figures are those of the spec."""

from __future__ import annotations

import pytest

from core.errors import ContentError
from core.workloads.vitaldb.units import Quantity, default_unit, factors

PRESSURE = Quantity.MEAN_PRESSURE


@pytest.mark.parametrize(
    ("quantity", "unit", "to_default", "to_written"),
    [
        (Quantity.CARBON_DIOXIDE, "mmHg", 1.0, 0.133322),
        (Quantity.CARBON_DIOXIDE, "kPa", 1 / 0.133322, 1.0),
        (Quantity.CARBON_DIOXIDE, "", 1.0, 0.133322),
        (Quantity.AIRWAY_PRESSURE, "mbar", 1.0, 1.01972),
        (Quantity.AIRWAY_PRESSURE, "hPa", 1.0, 1.01972),
        (Quantity.AIRWAY_PRESSURE, "", 1.0, 1.01972),
        (Quantity.AIRWAY_PRESSURE, "cmH2O", 1 / 1.01972, 1.0),
        (Quantity.AIRWAY_PRESSURE, "kPa", 10.0, 10.1972),
        (Quantity.SEVOFLURANE, "", 1.0, 1.0),
        (Quantity.SEVOFLURANE, "vol%", 1.01325, 1.01325),
        (Quantity.SEVOFLURANE, "%", 1.01325, 1.01325),
        (PRESSURE, "kPa", 1 / 0.133322, 1 / 0.133322),
        (Quantity.HEART_RATE, "bpm", 1.0, 1.0),
        (Quantity.RESPIRATORY_RATE, "1/min", 1.0, 1.0),
        (Quantity.PROPOFOL, "mL/hr", 1.0, 1.0),
        (Quantity.TIDAL_VOLUME, "mL", 1.0, 1.0),
    ],
)
def test_factors(quantity: Quantity, unit: str, to_default: float, to_written: float) -> None:
    found = factors(quantity, unit, "Device/TRACK")
    assert found.to_default == pytest.approx(to_default, rel=1e-12)
    assert found.to_written == pytest.approx(to_written, rel=1e-12)


@pytest.mark.parametrize("spelling", ["mmHg", "MMHG", " mm Hg ", "mmhg"])
def test_case_and_blanks_do_not_matter(spelling: str) -> None:
    assert factors(PRESSURE, spelling, "x").to_default == 1.0


@pytest.mark.parametrize("blank", ["", "  "])
def test_no_unit_is_the_default_of_every_quantity(blank: str) -> None:
    for quantity in Quantity:
        assert factors(quantity, blank, "x") == factors(quantity, default_unit(quantity), "x")


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        (Quantity.TIDAL_VOLUME, "L"),
        (Quantity.HEART_RATE, "mmHg"),
        (Quantity.SATURATION, "mmHg"),
        (PRESSURE, "mbar"),
        (Quantity.PROPOFOL, "mg/h"),
        (Quantity.CARBON_DIOXIDE, "%"),
    ],
)
def test_another_unit_is_never_guessed(quantity: Quantity, unit: str) -> None:
    with pytest.raises(ContentError) as caught:
        factors(quantity, unit, "Device/TRACK")
    assert (caught.value.code, caught.value.where) == ("unknown_unit", "Device/TRACK")
    assert repr(unit) in caught.value.what


def test_a_long_unit_does_not_fill_the_record() -> None:
    with pytest.raises(ContentError) as caught:
        factors(PRESSURE, "x" * 10_000, "Device/TRACK")
    assert len(caught.value.what) < 200
