"""The cohort: recordings found, clinical rows, the filter, and how long each case probably is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pydantic import BaseModel, ConfigDict

from core.errors import BadRequestError
from core.recording.read import RECORDING_SUFFIXES
from core.workload import Case, Cohort, Source
from core.workloads.vitaldb.clinical import REQUIRED_COLUMNS, ClinicalTable, duration_s, read_clinical
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.identity import case_id, case_number, is_number
from core.workloads.vitaldb.patient import STATIC_NAMES, unusable_cells
from core.workloads.vitaldb.selection import parse_cases
from core.workloads.vitaldb.windows import count_windows

RECORDER_SUFFIX = ".vital"

TYPICAL_CASE_S = 2.76 * 3600
"""Median case of the open data set (its clinical table's ``caseend``): the guess where nothing better is known."""


class Selection(BaseModel):
    """What the user asked for; ``clinical`` is a location."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    cases: str = "all"
    clinical: str | None = None
    where: str | None = None


@dataclass(frozen=True)
class Found:
    """A recording in the source."""

    id: str
    key: str
    size: int


def select_cohort(source: Source, selection: Selection, configuration: Configuration) -> Cohort:
    """The selected cases by number, each once.

    Cases asked for by number that have no recording stay in the cohort: they fail as ``not_found``, so that
    nobody takes a smaller data set for the one that was asked for.

    Raises
    ------
    BadRequestError
        Malformed selection, unreadable table, or an empty cohort.
    """
    ranges = parse_cases(selection.cases)
    table = read_clinical(selection.clinical) if selection.clinical else None
    recordings, notes = find_recordings(source.list_objects())
    numbers = set(recordings) if ranges is None else {number for part in ranges for number in part}
    if selection.where is not None:
        if table is None:
            raise BadRequestError("bad_where", "there is no clinical table", where="--where", fix="Give --clinical.")
        numbers &= table.matching(selection.where)
    if not numbers:
        raise _empty(source, selection, recordings)
    seconds = estimate_seconds({number: recordings[number] for number in numbers if number in recordings}, table)
    cases = tuple(
        _case(number, recordings.get(number), table, count_windows(int(seconds.get(number, 0)), configuration))
        for number in sorted(numbers)
    )
    if not any(case.key for case in cases):
        raise _empty(source, selection, recordings)
    return Cohort(cases, tuple(notes) + _table_notes(cases, table))


def find_recordings(objects: Sequence[tuple[str, int]]) -> tuple[dict[int, Found], list[str]]:
    """Recordings by case number from (key, bytes), and a note on each file that was passed over.

    A recording in the recorder's own format may have any name; a table is one only under a case's number, because
    tables of other things lie about in such folders. A case recorded twice is read from the first suffix of
    :data:`RECORDING_SUFFIXES`, then from the padded name. Suffixes may be in capital letters, as some systems write
    them.
    """
    found: dict[int, Found] = {}
    notes: list[str] = []
    suffixes = "|".join(re.escape(suffix) for suffix in RECORDING_SUFFIXES)
    pattern = re.compile(rf"([^/]+?)({suffixes})", re.IGNORECASE)
    named = [(match[1], match[2].lower(), key, size) for key, size in objects if (match := pattern.fullmatch(key))]
    candidates = [item for item in named if item[0].isdecimal() or item[1] == RECORDER_SUFFIX]
    candidates.sort(key=lambda item: (RECORDING_SUFFIXES.index(item[1]), -len(item[2]), item[2]))
    for stem, _, key, size in candidates:
        number = case_number(stem)
        name = case_id(number) if is_number(stem) else stem
        if number in found:
            notes.append(f"{key} is passed over: case {name} is read from {found[number].key}")
        else:
            found[number] = Found(name, key, size)
    return found, notes


def estimate_seconds(recordings: Mapping[int, Found], table: ClinicalTable | None) -> dict[int, float]:
    """How long each recording probably is: by its clinical row, else by its size.

    Seconds per byte are the median over the recordings whose length is known; where none is, a recording of
    median size counts as a typical case.
    """
    rows = table.rows if table else {}
    known = {number: seconds for number in recordings if (seconds := duration_s(rows.get(number, {})))}
    sizes = {number: max(found.size, 1) for number, found in recordings.items()}
    if known:
        seconds_per_byte = median(seconds / sizes[number] for number, seconds in known.items())
    else:
        seconds_per_byte = TYPICAL_CASE_S / median(sizes.values()) if sizes else 0.0
    return {number: known.get(number, sizes[number] * seconds_per_byte) for number in recordings}


def _case(number: int, found: Found | None, table: ClinicalTable | None, estimated_records: int) -> Case:
    row = table.rows.get(number) if table else None
    subject = (row or {}).get("subjectid", "").strip().removesuffix(".0")
    group_number = case_number(subject) if subject else -number
    return Case(
        id=found.id if found else case_id(number),
        number=number,
        # "077" and "77" carry the same number in their examples, so they must share a side.
        group=subject if subject.strip("0123456789") else str(group_number),
        group_number=group_number,
        key=found.key if found else None,
        size=found.size if found else 0,
        estimated_records=estimated_records,
        attributes={} if row is None else {"row": {name: row[name] for name in REQUIRED_COLUMNS}},
    )


def _table_notes(cases: Sequence[Case], table: ClinicalTable | None) -> tuple[str, ...]:
    notes = []
    without_row = sum(1 for case in cases if not case.attributes)
    if without_row:
        notes.append(f"cases without a clinical row: {without_row}; they take defaults, each is its own subject")
    if table is not None and table.second_rows:
        notes.append(f"second rows of a case id in the clinical table, ignored: {table.second_rows}")
    # Only how many: a cell is a value of a patient.
    unusable = Counter(name for case in cases if case.attributes for name in unusable_cells(case.attributes["row"]))
    if unusable:
        told = ", ".join(f"{name} {unusable[name]}" for name in STATIC_NAMES if unusable[name])
        notes.append(f"cells of the clinical table that are filled and cannot be used, they take defaults: {told}")
    return tuple(notes)


def _empty(source: Source, selection: Selection, recordings: dict[int, Found]) -> BadRequestError:
    if recordings:
        what = f"none of the {len(recordings)} recordings is selected by --cases {selection.cases}"
        if selection.where is not None:
            what += f" --where {selection.where!r}"
        return BadRequestError("empty_cohort", what, where="--cases", fix="Widen the selection.")
    keys = [key for key, _ in source.list_objects() if "/" in key and key.lower().endswith(RECORDING_SUFFIXES)]
    folders = sorted({key.rpartition("/")[0] for key in keys})
    hint = f"Did you mean its folder {folders[0]}?" if folders else "It should hold files such as 0001.vital."
    return BadRequestError("empty_cohort", "no recordings in the source", where=str(source), fix=hint)
