"""The patient of every benchmark case, as a clinical row and as the naive script has it."""

from __future__ import annotations

AGE_Y, HEIGHT_CM, WEIGHT_KG, BMI, ASA = 61.0, 175.0, 80.0, 26.1, 2.0
CASE_NUMBER, SUBJECT_NUMBER = 1, 5001

ROW = {
    "caseid": str(CASE_NUMBER),
    "subjectid": str(SUBJECT_NUMBER),
    "age": str(AGE_Y),
    "sex": "M",
    "height": str(HEIGHT_CM),
    "weight": str(WEIGHT_KG),
    "bmi": str(BMI),
    "asa": str(ASA),
}
