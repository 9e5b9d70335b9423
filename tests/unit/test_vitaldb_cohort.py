"""The cohort: which recording belongs to which case, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import BadRequestError
from core.run.source import open_source
from core.workload import Cohort, Outcome
from core.workloads.vitaldb.cohort import Found, Selection, estimate_seconds, find_recordings, select_cohort
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.workload import VitaldbWorkload
from tests.tiny_recordings import clinical_table


@dataclass(frozen=True)
class ListedSource:
    """Keys without contents."""

    keys: tuple[str, ...]

    def list_objects(self) -> Sequence[tuple[str, int]]:
        return [(key, 10 * len(key)) for key in self.keys]

    def read(self, key: str, piece_bytes: int = 0) -> Iterator[bytes]:
        raise FileNotFoundError(key)


def select(keys: Sequence[str], rows: Sequence[tuple[object, ...]] | None, folder: Path, cases: str = "all") -> Cohort:
    clinical = folder / "clinical.csv"
    if rows is not None:
        clinical.write_bytes(clinical_table(rows))
    selection = Selection(cases=cases, clinical=None if rows is None else str(clinical))
    return select_cohort(ListedSource(tuple(keys)), selection, Configuration())


def row(case: object, subject: object, end: object = 3600) -> tuple[object, ...]:
    return (case, subject, 0, end, 50, "F", 160, 60, "", 2)


def test_names_and_numbers(tmp_path: Path) -> None:
    cohort = select(["0002.vital", "1.csv", "12345.parquet", "theatre3.vital"], None, tmp_path)
    assert [(case.id, case.key) for case in cohort.cases[:3]] == [
        ("0001", "1.csv"),
        ("0002", "0002.vital"),
        ("12345", "12345.parquet"),
    ]
    named = cohort.cases[3]
    assert named.id == "theatre3"
    assert named.number >= 1 << 52


def test_other_files_and_folders_are_no_recordings() -> None:
    found, notes = find_recordings([("README.md", 1), ("0001.txt", 1), ("deep/0002.vital", 1), (".vital", 1)])
    assert (found, notes) == ({}, [])


def test_suffixes_in_capital_letters_and_long_numbers() -> None:
    long = "1234567890123456789012"
    found, notes = find_recordings([("0017.VITAL", 1), ("0018.Csv.GZ", 2), (f"{long}.vital", 3), ("0017.csv", 4)])
    assert [(number, found[number].key) for number in sorted(found)[:2]] == [(17, "0017.VITAL"), (18, "0018.Csv.GZ")]
    assert [item.id for item in found.values() if item.size == 3] == [long]
    assert notes == ["0017.csv is passed over: case 0017 is read from 0017.VITAL"]


def test_a_link_that_leads_nowhere_is_a_case(tmp_path: Path) -> None:
    """Of an archive that is not mounted, for example: else ``all`` would be a smaller cohort without a word."""
    (tmp_path / "0001.vital").write_bytes(b"1")
    (tmp_path / "0002.vital").symlink_to("/nowhere/0002.vital")
    (tmp_path / "0003.vital").symlink_to("0001.vital")
    source = open_source(str(tmp_path))
    assert source is not None
    cohort = select_cohort(source, Selection(), Configuration())
    assert [(case.id, case.size) for case in cohort.cases] == [("0001", 1), ("0002", 0), ("0003", 1)]
    result = VitaldbWorkload({}).process(cohort.cases[1], source)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "not_found")


def test_a_case_recorded_twice_is_read_once_and_said() -> None:
    keys = ["0001.csv", "0001.vital", "1.vital", "0001.csv.gz"]
    found, notes = find_recordings([(key, 1) for key in keys])
    assert [recording.key for recording in found.values()] == ["0001.vital"]
    assert len(notes) == 3
    assert found == find_recordings([(key, 1) for key in reversed(keys)])[0]


def test_a_case_without_a_row_is_its_own_subject(tmp_path: Path) -> None:
    cohort = select(["0001.csv", "0002.csv"], [row(1, 77)], tmp_path)
    assert [(case.group, case.group_number) for case in cohort.cases] == [("77", 77), ("-2", -2)]
    assert "row" not in cohort.cases[1].attributes
    assert any("cases without a clinical row: 1" in note for note in cohort.notes)


@pytest.mark.parametrize("spelling", ["77.0", " 77 ", "077", "0077.0"])
def test_one_subject_is_one_group_however_it_is_spelled(tmp_path: Path, spelling: str) -> None:
    first, second = select(["0001.csv", "0002.csv"], [row(1, 77), row(2, spelling)], tmp_path).cases
    assert (first.group, first.group_number) == (second.group, second.group_number) == ("77", 77)


def test_subjects_with_names(tmp_path: Path) -> None:
    first, second, third = select(
        ["0001.csv", "0002.csv", "0003.csv"], [row(1, "S1"), row(2, "S1"), row(3, "S2")], tmp_path
    ).cases
    assert first.group == second.group == "S1"
    assert first.group_number == second.group_number != third.group_number


def test_cells_that_cannot_be_used_are_counted_and_not_told(tmp_path: Path) -> None:
    """Decimal commas and spelled out sexes would else become defaults without a word, and every dose with them."""
    fine = (1, 9, 0, 3600, "", "m", "NA", 60.5, "nan", " ")
    commas = (2, 9, 0, 3600, ">89", "female", "170,5", "0", "", "II")
    cohort = select(["1.vital", "2.vital", "3.vital"], [fine, commas, (4, *commas[1:])], tmp_path)
    told = "cells of the clinical table that are filled and cannot be used, they take defaults:"
    assert f"{told} sex 1, height 1, weight 1, asa 1" in cohort.notes
    assert not any(told in note for note in select(["1.vital"], [fine], tmp_path).notes)


def test_windows_are_estimated_from_the_table_where_it_is_plausible(tmp_path: Path) -> None:
    """The second row's time is nonsense and the third is missing: their equal sizes say as long as the first."""
    cohort = select(["0001.csv", "0002.csv", "0003.csv"], [row(1, 1), row(2, 2, -3.7e9)], tmp_path)
    assert [case.estimated_records for case in cohort.cases] == [110, 110, 110]


def test_lengths_are_estimated_by_size_where_the_table_says_nothing() -> None:
    recordings = {number: Found(f"{number}", f"{number}.csv", size) for number, size in ((1, 50), (2, 100), (3, 400))}
    typical = 2.76 * 3600
    assert estimate_seconds(recordings, None) == {1: typical / 2, 2: typical, 3: typical * 4}
    assert estimate_seconds({}, None) == {}


def test_an_empty_cohort_says_what_to_do(tmp_path: Path) -> None:
    for keys, cases, says in (
        ([], "all", "0001.vital"),
        (["vital_files/0001.vital"], "all", "vital_files"),
        (["0001.vital"], "5-6", "Widen"),
    ):
        with pytest.raises(BadRequestError) as caught:
            select(keys, None, tmp_path, cases)
        assert caught.value.code == "empty_cohort"
        assert says in caught.value.fix


def test_where_needs_a_table() -> None:
    with pytest.raises(BadRequestError) as caught:
        select_cohort(ListedSource(("0001.vital",)), Selection(where="age > 3"), Configuration())
    assert caught.value.code == "bad_where"


def test_a_table_of_something_else_is_no_recording() -> None:
    objects = [("clinical_data.csv", 5), ("labs.parquet", 5), ("0001.csv", 5), ("theatre3.vital", 5), ("notes.txt", 5)]
    recordings, _ = find_recordings(objects)
    assert sorted(found.key for found in recordings.values()) == ["0001.csv", "theatre3.vital"]
