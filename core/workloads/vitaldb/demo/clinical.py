"""The clinical table of a demo cohort, with the traps of the real one (notes on VitalDB, 2.3)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.workloads.vitaldb.demo.course import Phases
from core.workloads.vitaldb.demo.patient import CasePlan, Person
from core.workloads.vitaldb.demo.randomness import Generator, generator

COLUMNS = (
    "caseid",
    "subjectid",
    "casestart",
    "caseend",
    "anestart",
    "aneend",
    "opstart",
    "opend",
    "age",
    "sex",
    "height",
    "weight",
    "bmi",
    "asa",
    "emop",
    "department",
    "optype",
    "ane_type",
)

NONSENSE_S = -3691470416
"""The ``aneend`` of case 4476 of the open data set."""

_OPERATIONS = (
    ("General surgery", "Colorectal"),
    ("General surgery", "Biliary/Pancreas"),
    ("General surgery", "Stomach"),
    ("General surgery", "Hepatic"),
    ("Thoracic surgery", "Major resection"),
    ("Gynecology", "Others"),
    ("Urology", "Others"),
)


@dataclass(frozen=True)
class Times:
    """The time columns, whole seconds from the recording's start."""

    caseend: int
    anestart: int
    aneend: int
    opstart: int
    opend: int


def rows_of(plan: CasePlan, phases: Phases) -> list[list[str]]:
    """The rows of one demo case: one, none, or two of which the second must be ignored."""
    if plan.trap == "no row":
        return []
    random = generator(plan.seed, plan.number, "clinical")
    before = -int(random.uniform(60, 900)) if random.random() < 0.92 else int(random.uniform(20, 200))
    after = int(random.uniform(-200, 300))
    end = NONSENSE_S if plan.trap == "aneend nonsense" else plan.seconds + after
    times = Times(plan.seconds, before, end, phases.incision, max(phases.closure, phases.incision + 60))
    row = row_of(plan.number, plan.subject_id, plan.person, times, random)
    if plan.trap == "age over 89":
        row[COLUMNS.index("age")] = ">89"
    if plan.trap == "asa missing":
        row[COLUMNS.index("asa")] = ""
    if plan.trap == "height missing":
        row[COLUMNS.index("height")] = row[COLUMNS.index("bmi")] = ""
    if plan.trap != "second row":
        return [row]
    second = list(row)
    second[COLUMNS.index("subjectid")] = str(plan.subject_id + 100_000)
    second[COLUMNS.index("weight")] = "150.0"
    return [row, second]


def row_of(number: int, subject: int, person: Person, times: Times, random: Generator) -> list[str]:
    """One row as text cells in the order of :data:`COLUMNS`."""
    department, operation = _OPERATIONS[int(random.integers(len(_OPERATIONS)))]
    mass_index = person.weight_kg / (person.height_cm / 100.0) ** 2
    cells = (
        number, subject, 0, times.caseend, times.anestart, times.aneend, times.opstart, times.opend,
        f"{person.age_y:g}", person.sex, f"{person.height_cm:.1f}", f"{person.weight_kg:.1f}", f"{mass_index:.1f}",
        person.asa, int(random.random() < 0.12), department, operation, "General",
    )  # fmt: skip
    return [str(cell) for cell in cells]


def write_clinical(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write the table as the open data set does: UTF-8 with a byte-order mark."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode("utf-8-sig"))
