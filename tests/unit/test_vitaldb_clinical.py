"""The clinical table as it comes, and the filter over it."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from core.errors import BadRequestError
from core.workloads.vitaldb.clinical import duration_s, read_clinical

HEAD = "caseid,subjectid,age,sex,height,weight,bmi,asa"
ROW = "1,5955,77,M,160.2,67.5,26.3,2"


def written(folder: Path, content: str | bytes, name: str = "clinical.csv") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def refused(uri: str) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        read_clinical(uri)
    return caught.value


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_with_and_without_a_mark(tmp_path: Path, mark: bytes, end: str) -> None:
    table = read_clinical(written(tmp_path, mark + f"{HEAD}{end}{ROW}{end}{end}".encode()))
    assert table.columns[0] == "caseid"
    assert table.rows[1]["subjectid"] == "5955"


def test_the_first_row_of_a_case_counts(tmp_path: Path) -> None:
    table = read_clinical(written(tmp_path, f"{HEAD}\n{ROW}\n0001,7,20,F,150,50,,1\n2,8,30,F,150,50,,1\n"))
    assert (table.rows[1]["age"], sorted(table.rows), table.second_rows) == ("77", [1, 2], 1)


def test_quoted_cells_may_hold_commas_and_line_ends(tmp_path: Path) -> None:
    table = read_clinical(written(tmp_path, f'{HEAD},note\n{ROW},"a, b\nc"\n2,8,30,F,150,50,,1,d\n'))
    assert [(number, row["asa"]) for number, row in table.rows.items()] == [(1, "2"), (2, "1")]
    assert table.matching("note = 'a, b\nc'") == {1}


def test_parquet_is_the_same_table(tmp_path: Path) -> None:
    target = io.BytesIO()
    columns = {"caseid": [1, 2], "subjectid": [9.0, 10.0], "age": [77.0, None], "sex": ["M", "F"]}
    numbers = {name: [160.5, 70.0] for name in ("height", "weight", "bmi", "asa")}
    parquet.write_table(pa.table({**columns, **numbers}), target)
    table = read_clinical(written(tmp_path, target.getvalue(), "clinical.parquet"))
    assert (table.rows[1]["age"], table.rows[2]["age"], table.rows[1]["height"]) == ("77.0", "", "160.5")
    assert table.matching("age > 70") == {1}


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        ("caseid,age\n1,2\n", "wrong_columns", "subjectid, sex"),
        ("", "wrong_columns", "caseid"),
        (f"{HEAD}\n{ROW},extra\n", "unreadable_clinical_table", "line 2 has 9 cells"),
        (f"{HEAD}\n{ROW}\n2,8,30\n", "unreadable_clinical_table", "line 3 has 3 cells"),
        (f"{HEAD}\n ,8,30,F,150,50,,1\n", "unreadable_clinical_table", "line 2 has no caseid"),
        (f"{HEAD},age\n{ROW},3\n", "unreadable_clinical_table", "twice"),
        (f"{HEAD}\n1,2,3,M,1,2,3,\xe9\n".encode("latin-1"), "unreadable_clinical_table", "line 2 is not UTF-8"),
        ("\n".join([HEAD, *[ROW] * 9999, "M\xfcller"]).encode("latin-1"), "unreadable_clinical_table", "line 10001 is"),
        (f"{HEAD}\n{ROW}\n".encode("utf-16"), "unreadable_clinical_table", "line 1 is not UTF-8"),
        (f'{HEAD}\n1,2,3,M,1,2,3,"x\n', "unreadable_clinical_table", ""),
    ],
)
def test_broken_tables(tmp_path: Path, content: str | bytes, code: str, says: str) -> None:
    error = refused(written(tmp_path, content))
    assert error.code == code
    assert says in error.what
    assert "\n" not in error.what
    assert error.where.endswith("clinical.csv")


def test_missing_tables_and_folders(tmp_path: Path) -> None:
    assert refused(str(tmp_path / "none.csv")).code == "no_clinical_table"
    assert refused(str(tmp_path / "none" / "clinical.csv")).code == "bad_location"
    assert refused(str(tmp_path)).code == "no_clinical_table"
    assert refused(f"{tmp_path}/").code == "bad_location"
    assert refused(written(tmp_path, "PAR1 not really", "broken.parquet")).code == "unreadable_clinical_table"


def test_where(tmp_path: Path) -> None:
    rows = ["1,1,>89,M,160,60,,2", "2,2,0.3,F,60,5,,", "3,3,45,F,170,70,,3", "4,4,,M,,,,1"]
    table = read_clinical(written(tmp_path, "\n".join([HEAD, *rows])))
    assert table.matching("age >= 89") == {1}
    assert table.matching("age < 1") == {2}
    assert table.matching("asa IS NULL") == {2}
    assert table.matching("age >= 18 AND asa <= 3 -- a remark") == {1, 3}
    assert table.matching("sex = 'F' OR weight IS NULL") == {2, 3, 4}


@pytest.mark.parametrize("none", ["NaN", "nan", " -nan", "inf", "-Infinity", ""])
def test_what_is_no_finite_number_fits_no_condition(tmp_path: Path, none: str) -> None:
    """To the database NaN would be larger than every number, so that a case without an age would be of age."""
    table = read_clinical(written(tmp_path, f"{HEAD}\n{ROW}\n2,8,{none},F,150,50,,1\n"))
    assert table.matching("age >= 18") == {1}
    assert table.matching("age < 18 OR age > 1e300") == set()
    assert table.matching("age IS NULL") == {2}


def test_a_column_with_words_is_text_and_the_error_says_what_to_write(tmp_path: Path) -> None:
    table = read_clinical(written(tmp_path, f"{HEAD}\n{ROW}\n2,8,NA,F,150,50,,1\n3,9,1_7,F,150,50,,1\n"))
    with pytest.raises(BadRequestError) as caught:
        table.matching("age >= 18")
    assert "TRY_CAST(age AS DOUBLE) >= 18" in caught.value.fix
    assert table.matching("TRY_CAST(age AS DOUBLE) >= 18") == {1}


def test_a_condition_may_mean_columns_that_it_does_not_name(tmp_path: Path) -> None:
    table = read_clinical(written(tmp_path, f'{HEAD},"a ""b"""\n{ROW},4\n2,8,30,F,150,50,,1,5\n'))
    assert table.matching("COLUMNS('wei.*') > 60") == {1}
    assert table.matching("clinical.age > 60") == {1}
    assert table.matching("#4 > 60") == {1}
    assert table.matching("age = (SELECT max(age) FROM clinical)") == {1}
    assert table.matching('"a ""b""" = 5') == {2}
    assert table.matching("AGE > 60 OR 'F' = Sex") == {1, 2}
    with pytest.raises(BadRequestError, match="weight"):
        table.matching("wieght > 3")


@pytest.mark.parametrize(
    "where",
    [
        "age >",
        "agee > 3",
        "1) OR (1=1; DROP TABLE clinical",
        "",
        "caseid IN (SELECT * FROM read_csv('/etc/passwd'))",
        "caseid IN (SELECT 1 FROM read_text('/etc/hostname'))",
    ],
)
def test_bad_conditions(tmp_path: Path, where: str) -> None:
    table = read_clinical(written(tmp_path, f"{HEAD}\n{ROW}\n"))
    with pytest.raises(BadRequestError) as caught:
        table.matching(where)
    assert caught.value.code == "bad_where"
    assert "\n" not in caught.value.what


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [("0", "3600", 3600.0), ("10", "5", None), ("0", "-3691470416", None), ("0", "1e9", None), ("", "5", None)],
)
def test_duration_is_believed_only_where_plausible(start: str, end: str, expected: float | None) -> None:
    assert duration_s({"casestart": start, "caseend": end}) == expected
    assert duration_s({}) is None
