"""Static features and ideal weight; the expected figures are worked out from the spec by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.workloads.vitaldb.patient import STATIC_NAMES, Patient, patient_of

ROW = {"age": "60", "sex": "M", "height": "165", "weight": "65", "bmi": "30", "asa": "3"}


def row(**cells: str) -> dict[str, str]:
    return {**ROW, **cells}


def test_a_full_row() -> None:
    patient = patient_of(ROW)
    assert patient.imputed == ()
    np.testing.assert_allclose(patient.features(), [0.0, 1.0, 0.0, -0.5, 0.0, -0.2], atol=1e-7)
    assert patient.features().dtype == np.float32


def test_no_row() -> None:
    patient = Patient()
    assert patient.imputed == STATIC_NAMES
    expected = [50 / 120 * 2 - 1, -1.0, 70 / 130 * 2 - 1, 50 / 180 * 2 - 1, 14.2 / 40 * 2 - 1, 1 / 5 * 2 - 1]
    np.testing.assert_allclose(patient.features(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("male", "height_cm", "expected"),
    [
        (True, 60 * 2.54, 50.0),
        (False, 60 * 2.54, 45.5),
        (True, 70 * 2.54, 73.0),
        (False, 65 * 2.54, 57.0),
        (False, 100.0, 30.0),  # 45.5 + 2.3 · (39.4 − 60) is −1.9
        (True, 250.0, 138.37),
        (True, 400.0, 150.0),
    ],
)
def test_ideal_weight_is_devines(male: bool, height_cm: float, expected: float) -> None:
    assert Patient(male=male, height_cm=height_cm).ideal_weight_kg == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        ("age", ">89", 90.0),
        ("age", "0.3", 0.3),
        ("age", "", 50.0),
        ("age", "old", 50.0),
        ("age", "nan", 50.0),
        ("weight", "1", 1.0),
        ("weight", "0.99", 70.0),
        ("weight", "400", 400.0),
        ("weight", "400.1", 70.0),
        ("height", "30", 30.0),
        ("height", "29.9", 170.0),
        ("height", "250", 250.0),
        ("height", "250.1", 170.0),
        ("height", "inf", 170.0),
        ("asa", "", 2.0),
        ("asa", "6", 6.0),
    ],
)
def test_cells(name: str, cell: str, expected: float) -> None:
    attribute = {"age": "age_y", "height": "height_cm", "weight": "weight_kg"}.get(name, name)
    assert getattr(patient_of(row(**{name: cell})), attribute) == pytest.approx(expected)


@pytest.mark.parametrize(("cell", "male", "imputed"), [("M", True, False), ("f", False, False), ("", False, True)])
def test_sex(cell: str, male: bool, imputed: bool) -> None:
    patient = patient_of(row(sex=cell))
    assert (patient.male, "sex" in patient.imputed) == (male, imputed)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, 30.0),
        ({"bmi": ""}, 65 / 1.65**2),
        ({"bmi": "", "weight": "0"}, 24.2),
        ({"bmi": "", "height": "20"}, 24.2),
        ({"bmi": "", "weight": "", "height": ""}, 24.2),
    ],
)
def test_bmi_is_the_rows_then_computed_then_the_default(cells: dict[str, str], expected: float) -> None:
    patient = patient_of(row(**cells))
    assert patient.bmi == pytest.approx(expected)
    assert ("bmi" in patient.imputed) == bool(cells)


def test_features_are_clipped() -> None:
    extreme = patient_of({"age": "130", "sex": "F", "height": "60", "weight": "300", "bmi": "80", "asa": "9"})
    assert extreme.features().tolist() == [1.0, -1.0, -1.0, 1.0, 1.0, 1.0]
