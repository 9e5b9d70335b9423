"""The patient of a case: the six static features, and the weights that doses refer to (spec/vitaldb)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STATIC_NAMES = ("age", "sex", "height", "weight", "bmi", "asa")

DEFAULT_AGE_Y = 50.0
DEFAULT_HEIGHT_CM = 170.0
DEFAULT_WEIGHT_KG = 70.0
DEFAULT_BMI = 24.2
DEFAULT_ASA = 2.0
WEIGHT_LIMITS_KG = (1.0, 400.0)
HEIGHT_LIMITS_CM = (30.0, 250.0)
IDEAL_WEIGHT_LIMITS_KG = (30.0, 150.0)
CM_PER_INCH = 2.54


@dataclass(frozen=True)
class Patient:
    """Static values after defaults; ``imputed`` names those that the table did not have."""

    age_y: float = DEFAULT_AGE_Y
    male: bool = False
    height_cm: float = DEFAULT_HEIGHT_CM
    weight_kg: float = DEFAULT_WEIGHT_KG
    bmi: float = DEFAULT_BMI
    asa: float = DEFAULT_ASA
    imputed: tuple[str, ...] = STATIC_NAMES

    @property
    def ideal_weight_kg(self) -> float:
        """Devine's: 50 (male) or 45.5 (female) + 2.3 kg per inch over 60, within 30 to 150 kg."""
        inches = self.height_cm / CM_PER_INCH
        weight = (50.0 if self.male else 45.5) + 2.3 * (inches - 60.0)
        return min(max(weight, IDEAL_WEIGHT_LIMITS_KG[0]), IDEAL_WEIGHT_LIMITS_KG[1])

    def features(self) -> NDArray[np.float32]:
        """The six values [6] in the order of :data:`STATIC_NAMES`, normalised and clipped to [−1, 1]."""
        values = [
            self.age_y / 120.0 * 2.0 - 1.0,
            1.0 if self.male else -1.0,
            (self.height_cm - 100.0) / 130.0 * 2.0 - 1.0,
            (self.weight_kg - 20.0) / 180.0 * 2.0 - 1.0,
            (self.bmi - 10.0) / 40.0 * 2.0 - 1.0,
            (self.asa - 1.0) / 5.0 * 2.0 - 1.0,
        ]
        return np.array(values).clip(-1.0, 1.0).astype(np.float32)


def patient_of(row: Mapping[str, str]) -> Patient:
    """The patient of a clinical row's text cells; what does not parse or is impossible is missing.

    >>> patient_of({"age": ">89", "sex": "M", "height": "180", "weight": "81", "bmi": "", "asa": "3"}).bmi
    25.0
    """
    age = _number(row.get("age", "").replace(">89", "90"))
    sex = row.get("sex", "").strip().upper()
    height = _within(_number(row.get("height", "")), HEIGHT_LIMITS_CM)
    weight = _within(_number(row.get("weight", "")), WEIGHT_LIMITS_KG)
    bmi = _number(row.get("bmi", ""))
    asa = _number(row.get("asa", ""))
    known_sex = sex if sex in ("M", "F") else None
    cells = zip(STATIC_NAMES, (age, known_sex, height, weight, bmi, asa), strict=True)
    imputed = tuple(name for name, value in cells if value is None)
    if bmi is None and weight is not None and height is not None:
        bmi = weight / (height / 100.0) ** 2
    return Patient(
        age_y=DEFAULT_AGE_Y if age is None else age,
        male=known_sex == "M",
        height_cm=DEFAULT_HEIGHT_CM if height is None else height,
        weight_kg=DEFAULT_WEIGHT_KG if weight is None else weight,
        bmi=DEFAULT_BMI if bmi is None else bmi,
        asa=DEFAULT_ASA if asa is None else asa,
        imputed=imputed,
    )


_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nd", "-", "."})
"""How tables spell that a value is not there, in small letters."""


def unusable_cells(row: Mapping[str, str]) -> tuple[str, ...]:
    """The static columns that are filled with something that :func:`patient_of` cannot use, and takes for missing.

    >>> unusable_cells({"age": "52", "sex": "male", "height": "NA", "weight": "66,8", "bmi": "", "asa": "II"})
    ('sex', 'weight', 'asa')
    """
    return tuple(name for name in patient_of(row).imputed if row.get(name, "").strip().lower() not in _MISSING)


def parse_number(text: str) -> float:
    """``float``, but for the underscores that Python allows in a number; it raises ``ValueError`` alike."""
    return float(text.replace("_", "?"))


def _number(text: str) -> float | None:
    try:
        value = parse_number(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _within(value: float | None, limits: tuple[float, float]) -> float | None:
    return value if value is not None and limits[0] <= value <= limits[1] else None
