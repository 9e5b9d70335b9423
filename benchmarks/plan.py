"""Planning a large cohort: time and memory of a process that lists it, reads its clinical table and writes the plan."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.files import BenchFolder
from benchmarks.measure import Times, spread
from benchmarks.processes import child, environment, told
from benchmarks.sizes import Sizes
from benchmarks.table import Part, at_most, line

_COLUMNS = ("caseid", "subjectid", "caseend", "age", "sex", "height", "weight", "bmi", "asa")
_CASES_IN_100_SUBJECTS = 105


def measure_plan(folder: BenchFolder, sizes: Sizes) -> Part:
    """Whole processes; recordings are empty files, of which planning takes the name and the size only."""
    cases = sizes.planned_cases
    source = folder.kept(f"planned-{cases}")
    if not (source / "clinical_data.csv").exists():
        _write_cohort(source, cases)
    seconds, peaks = [], []
    env = environment(folder)
    for _ in range(sizes.few_rounds + 1):
        with folder.scratch() as out:
            answer = told(child("plan", source / "vital_files", source / "clinical_data.csv", out), env)
        seconds.append(answer["seconds"])
        peaks.append(answer["peak_bytes"] / 1e6)
    times = Times(tuple(seconds[1:]))
    lines = (
        line("planned, written, imports included", spread(times), "s", at_most(30)),
        line("peak memory of the process", spread(Times(tuple(peaks[1:]))), "MB", at_most(500)),
    )
    return Part(name="plan", title=f"Planning {cases:,} cases", lines=lines, times={"plan": times.seconds})


def _write_cohort(folder: Path, cases: int) -> None:
    recordings = folder / "vital_files"
    recordings.mkdir(parents=True, exist_ok=True)
    for number in range(1, cases + 1):
        (recordings / f"{number:04d}.vital").touch()
    with (folder / "clinical_data.csv").open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for number in range(1, cases + 1):
            subject = number * 100 // _CASES_IN_100_SUBJECTS
            seconds = 3600 + number * 7919 % 18_000
            table.writerow((number, subject, seconds, 20 + number % 70, "MF"[number % 2], 172.5, 71.0, 23.9, 2))
