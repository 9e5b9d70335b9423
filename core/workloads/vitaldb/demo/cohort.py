"""A whole demo cohort: recordings, clinical table, ground truth, laid out as the open data set is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadRequestError
from core.workloads.vitaldb.demo.cases import write_case
from core.workloads.vitaldb.demo.clinical import rows_of, write_clinical
from core.workloads.vitaldb.demo.course import course_of
from core.workloads.vitaldb.demo.faults import FAULTS, FIRST_FAULT, write_fault
from core.workloads.vitaldb.demo.patient import plan_case
from core.workloads.vitaldb.demo.truth import CaseTruth, write_truth

RECORDINGS, CLINICAL_TABLE, GROUND_TRUTH = "vital_files", "clinical_data.csv", "ground_truth.json"


@dataclass(frozen=True)
class DemoCohort:
    """What was written, and where: ``truth`` has one entry a case, in the order of their numbers."""

    folder: Path
    recordings: Path
    clinical_table: Path
    ground_truth: Path
    truth: tuple[CaseTruth, ...]

    @property
    def windows(self) -> int:
        """Training examples that a faultless run makes of it."""
        return sum(case.windows for case in self.truth)


def write_demo_cohort(
    out: Path,
    cases: int,
    seed: int,
    waveforms: bool,
    faults: bool,
    progress: Callable[[int, int], None] | None = None,
) -> DemoCohort:
    """Write ``cases`` demo cases, and one case per fault from 9001 on, below ``out``.

    The same arguments give the same bytes; case 7 of 24 is case 7 of 1,000. ``waveforms`` adds ECG,
    plethysmogram, arterial pressure (500 Hz) and EEG (128 Hz): 10 to 20 MB a case. ``progress`` is told how
    many cases are written, of how many.

    Raises
    ------
    BadRequestError
        A number of cases that collides with the faults' numbers, a negative seed, or a folder with recordings in it.
    """
    _check(out, cases, seed)
    (out / RECORDINGS).mkdir(parents=True, exist_ok=True)
    total = cases + (len(FAULTS) if faults else 0)
    truth: list[CaseTruth] = []
    rows: list[list[str]] = []

    def done(case: CaseTruth, its_rows: list[list[str]]) -> None:
        truth.append(case)
        rows.extend(its_rows)
        if progress is not None:
            progress(len(truth), total)

    for number in range(1, cases + 1):
        plan = plan_case(number, seed)
        done(write_case(out, plan, waveforms), rows_of(plan, course_of(plan).phases))
    for index in range(total - cases):
        done(*write_fault(out, index, seed))
    write_clinical(out / CLINICAL_TABLE, rows)
    write_truth(out / GROUND_TRUTH, seed, waveforms, truth)
    return DemoCohort(out, out / RECORDINGS, out / CLINICAL_TABLE, out / GROUND_TRUTH, tuple(truth))


def _check(out: Path, cases: int, seed: int) -> None:
    if not 1 <= cases < FIRST_FAULT:
        raise BadRequestError(
            "bad_demo_size", f"{cases} cases", where="--cases", fix=f"Ask for 1 to {FIRST_FAULT - 1:,} cases."
        )
    if seed < 0:
        raise BadRequestError("bad_seed", f"the seed is {seed}", where="--seed", fix="Use 0 or more.")
    if (out / RECORDINGS).is_dir() and any((out / RECORDINGS).iterdir()):
        raise BadRequestError(
            "demo_folder_in_use",
            "the folder holds recordings already, which must not be mixed with demo cases",
            where=str(out / RECORDINGS),
            fix="Choose an empty folder with --out.",
        )
