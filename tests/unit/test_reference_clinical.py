"""The slow clinical table: hand-worked rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference.slow_clinical import Row, read_table, static_of

FULL: Row = {
    "caseid": "12",
    "subjectid": "5955",
    "age": "60",
    "sex": "M",
    "height": "165",
    "weight": "110",
    "bmi": "30",
    "asa": "3.5",
}


def test_a_full_row() -> None:
    static = static_of(FULL, 12)
    assert static.subject_id == 5955
    assert not static.imputed
    # age 60/120*2-1; male; (165-100)/130*2-1; (110-20)/180*2-1; (30-10)/40*2-1; (3.5-1)/5*2-1
    assert static.normalised() == [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_no_row() -> None:
    static = static_of(None, 12)
    assert static.subject_id == -12
    assert static.imputed
    # 50/120*2-1 = -1/6; 70/130*2-1 = 1/13; 50/180*2-1 = -4/9; 14.2/40*2-1 = -0.29; 1/5*2-1 = -0.6
    assert static.normalised() == pytest.approx([-1 / 6, -1, 1 / 13, -4 / 9, -0.29, -0.6])


@pytest.mark.parametrize(
    ("age", "years"),
    [(">89", 90.0), (" >89 ", 90.0), ("0.3", 0.3), ("", 50.0), ("nan", 50.0), ("inf", 50.0), ("x", 50.0)],
)
def test_age(age: str, years: float) -> None:
    assert static_of(FULL | {"age": age}, 12).age == years


@pytest.mark.parametrize(
    ("height", "weight", "expected"),
    [
        ("29.9", "70", (170.0, 70.0)),
        ("30", "1", (30.0, 1.0)),
        ("250", "400", (250.0, 400.0)),
        ("250.1", "400.1", (170.0, 70.0)),
        ("170", "0.9", (170.0, 70.0)),
        ("1_70", "", (170.0, 70.0)),
    ],
)
def test_bounds_of_height_and_weight(height: str, weight: str, expected: tuple[float, float]) -> None:
    static = static_of(FULL | {"height": height, "weight": weight}, 12)
    assert (static.height, static.weight) == expected


def test_bmi_comes_from_the_row_then_from_height_and_weight_then_from_the_default() -> None:
    assert static_of(FULL, 12).bmi == 30.0
    # 80 / 2^2
    assert static_of(FULL | {"bmi": "", "height": "200", "weight": "80"}, 12).bmi == 20.0
    assert static_of(FULL | {"bmi": "", "height": "", "weight": "80"}, 12).bmi == 24.2
    assert static_of(FULL | {"bmi": "nan", "height": "20", "weight": "80"}, 12).bmi == 24.2


def test_what_lies_outside_is_clipped() -> None:
    row = FULL | {"age": "-4", "height": "42", "weight": "4.8", "bmi": "70", "asa": "7"}
    assert static_of(row, 12).normalised() == [-1.0, 1.0, -1.0, -1.0, 1.0, 1.0]


def test_missing_sex_is_female_and_missing_asa_is_2() -> None:
    static = static_of(FULL | {"sex": "", "asa": ""}, 12)
    assert (static.sex, static.asa) == (-1.0, 2.0)


@pytest.mark.parametrize(
    ("sex", "height", "kilograms"),
    [
        ("M", "152.4", 50.0),  # 60 inches
        ("F", "152.4", 45.5),
        ("M", "177.8", 73.0),  # 70 inches: 50 + 23
        ("F", "177.8", 68.5),
        ("", "177.8", 68.5),
        ("M", "127", 30.0),  # 50 inches: 50 - 23 = 27, clamped
        ("M", "139.7", 38.5),  # 55 inches: 50 - 11.5
    ],
)
def test_ideal_body_weight(sex: str, height: str, kilograms: float) -> None:
    assert static_of(FULL | {"sex": sex, "height": height}, 12).ideal_body_weight == pytest.approx(kilograms)


def test_table_has_a_mark_and_the_first_row_of_a_case_counts(tmp_path: Path) -> None:
    path = tmp_path / "clinical_data.csv"
    path.write_text("\ufeffcaseid,subjectid,age\n1,10,20\n2,11,30\n1,12,40\n", encoding="utf-8")
    table = read_table(path)
    assert sorted(table) == [1, 2]
    assert static_of(table[1], 1).age == 20.0
    assert static_of(table[1], 1).subject_id == 10
