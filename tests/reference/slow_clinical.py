"""One row of the clinical table -> the six static features in their own units, and the subject."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from .slow_recording import parse_number

Row = dict[str, str]


@dataclass(frozen=True)
class SlowStatic:
    """Years, -1 or +1, cm, kg, kg/m2, class; ``imputed`` where the case has no row."""

    subject_id: int
    age: float
    sex: float
    height: float
    weight: float
    bmi: float
    asa: float
    imputed: bool

    @property
    def ideal_body_weight(self) -> float:
        """Devine's, in kg; below 60 inches the correction is negative, and the clamp ends it."""
        start = 50.0 if self.sex > 0 else 45.5
        kilograms = start + 2.3 * (self.height / 2.54 - 60.0)
        return min(150.0, max(30.0, kilograms))

    def normalised(self) -> list[float]:
        """The six values in [-1, 1], before rounding to float32."""
        values = [
            self.age / 120.0 * 2.0 - 1.0,
            self.sex,
            (self.height - 100.0) / 130.0 * 2.0 - 1.0,
            (self.weight - 20.0) / 180.0 * 2.0 - 1.0,
            (self.bmi - 10.0) / 40.0 * 2.0 - 1.0,
            (self.asa - 1.0) / 5.0 * 2.0 - 1.0,
        ]
        return [min(1.0, max(-1.0, value)) for value in values]


def read_table(path: str | Path) -> dict[int, Row]:
    """Case id -> its row; of several rows of one case the first."""
    rows: dict[int, Row] = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            case_id = _finite(row.get("caseid"))
            if case_id is not None and int(case_id) not in rows:
                rows[int(case_id)] = row
    return rows


def static_of(row: Row | None, case_id: int) -> SlowStatic:
    """The static values of a case; ``row`` is ``None`` where the table has none for it."""
    if row is None:
        return SlowStatic(-case_id, 50.0, -1.0, 170.0, 70.0, 24.2, 2.0, imputed=True)
    age = 90.0 if (row.get("age") or "").strip() == ">89" else _finite(row.get("age"))
    height = _between(_finite(row.get("height")), 30.0, 250.0)
    weight = _between(_finite(row.get("weight")), 1.0, 400.0)
    bmi = _finite(row.get("bmi"))
    if bmi is None and height is not None and weight is not None:
        bmi = weight / (height / 100.0) ** 2
    asa = _finite(row.get("asa"))
    subject = _finite(row.get("subjectid"))
    return SlowStatic(
        subject_id=-case_id if subject is None else int(subject),
        age=50.0 if age is None else age,
        sex=1.0 if (row.get("sex") or "").strip().upper() == "M" else -1.0,
        height=170.0 if height is None else height,
        weight=70.0 if weight is None else weight,
        bmi=24.2 if bmi is None else bmi,
        asa=2.0 if asa is None else asa,
        imputed=False,
    )


def _finite(text: str | None) -> float | None:
    value = parse_number(text or "")
    return value if value is not None and math.isfinite(value) else None


def _between(value: float | None, low: float, high: float) -> float | None:
    return value if value is not None and low <= value <= high else None
