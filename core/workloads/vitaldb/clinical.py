"""The clinical table: one row a case, read as text, and the SQL filter over it."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from core.errors import BadRequestError
from core.store import open_object
from core.workloads.vitaldb.identity import case_number
from core.workloads.vitaldb.patient import parse_number

if TYPE_CHECKING:
    import pyarrow as pa

REQUIRED_COLUMNS = ("caseid", "subjectid", "age", "sex", "height", "weight", "bmi", "asa")
TIME_COLUMNS = ("casestart", "caseend")
LONGEST_CASE_S = 48 * 3600.0
ROWS_AT_ONCE = 4096
_WHERE_HELP = (
    "It is SQL over the clinical table. A column is text where one of its cells is no number:"
    " write TRY_CAST(age AS DOUBLE) >= 18."
)


@dataclass(frozen=True)
class ClinicalTable:
    """Rows by case number, first one wins; ``second_rows`` counts those that were ignored.

    Of each row only the required cells are kept, and those of its times: a table has some seventy columns, and as
    Python strings they would take many times the file. The filter reads ``data``, the table as it came, once more.
    """

    uri: str
    columns: tuple[str, ...]
    rows: dict[int, dict[str, str]]
    second_rows: int
    data: bytes = field(repr=False)

    def matching(self, where: str) -> frozenset[int]:
        """Numbers of the cases whose row satisfies an SQL condition.

        Raises
        ------
        BadRequestError
            The condition does not parse or names a column that is not there.
        """
        import duckdb  # only those who filter pay for its import

        try:
            try:
                return self._select(where, _named_columns(where, self.columns))
            except duckdb.Error:
                # The database's complaint may list the columns that there are.
                return self._select(where, self.columns)
        except duckdb.Error as error:
            message = " ".join(str(error).split("LINE 1")[0].split())
            # The database names the value that it stumbled over.
            raise BadRequestError("bad_where", message, where="--where", fix=_WHERE_HELP, may_quote=True) from error

    def _select(self, where: str, names: Sequence[str]) -> frozenset[int]:
        import duckdb

        connection = duckdb.connect(config={"enable_external_access": "false"})
        try:
            connection.register("clinical", self._typed(names))
            found = connection.execute(f"SELECT case_number_ FROM clinical WHERE ({where}\n)").fetchall()
        finally:
            connection.close()
        return frozenset(number for (number,) in found)

    def _typed(self, names: Sequence[str]) -> pa.Table:
        """These columns of the first row of each case, and ``case_number_``."""
        import pyarrow as pa

        places = [self.columns.index(name) for name in names]
        numbers: list[int] = []
        texts: list[list[pa.Array]] = [[] for _ in names]
        rows = self._first_rows()
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            numbers += (number for number, _ in batch)
            for place, pieces in zip(places, texts, strict=True):
                pieces.append(pa.array([cells[place] for _, cells in batch], pa.string()))
        arrays: dict[str, pa.Array] = {"case_number_": pa.array(numbers, pa.int64())}
        for name, pieces in zip(names, texts, strict=True):
            arrays[name] = _typed_column(name, pieces)
            pieces.clear()
        return pa.table(arrays)

    def _first_rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        seen: set[int] = set()
        position = self.columns.index("caseid")
        for _, cells in _read(self.uri, self.data)[1]:
            number = _number(cells[position])
            if number not in seen:
                seen.add(number)
                yield number, cells


_PLAIN_CONDITION = re.compile(r"(?!.*\b(?:clinical|columns|from)\b)[\w\s<>=!().,'%+-]*", re.IGNORECASE)
"""A condition that can mean no column but by its name: no ``*``, no ``#2``, no whole row, no table."""


def _named_columns(where: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that a condition may mean: typing all seventy takes long, and few are ever named."""
    if not _PLAIN_CONDITION.fullmatch(where.replace("\n", " ")):
        return columns
    return tuple(name for name in columns if name.lower() in where.lower())


def _typed_column(name: str, pieces: Iterable[pa.Array]) -> pa.Array:
    """The column as numbers where every filled cell is one (``>89`` counts as 90), else as text.

    ``NaN`` and infinities are missing: to the database, NaN would be larger than every number.
    """
    import pyarrow as pa

    cells = [cell.strip() for piece in pieces for cell in piece.to_pylist()]
    if name == "age":
        cells = [cell.replace(">89", "90") for cell in cells]
    try:
        numbers = [parse_number(cell) if cell else None for cell in cells]
    except ValueError:
        return pa.array([cell or None for cell in cells], pa.string())
    return pa.array(
        [None if number is None or not math.isfinite(number) else number for number in numbers], pa.float64()
    )


def duration_s(row: dict[str, str]) -> float | None:
    """Recorded seconds by ``casestart`` and ``caseend``, or None where they are absent or not plausible."""
    try:
        duration = float(row["caseend"]) - float(row["casestart"])
    except (KeyError, ValueError):
        return None
    return duration if math.isfinite(duration) and 0 < duration <= LONGEST_CASE_S else None


def read_clinical(uri: str) -> ClinicalTable:
    """Read a CSV (UTF-8, with or without byte-order mark) or Parquet table.

    Raises
    ------
    BadRequestError
        No such object, not a table, a missing column, or a case id that is none; says where.
    """
    try:
        store, key = open_object(uri)
        data = store.get(key)
    except FileNotFoundError:
        raise BadRequestError("no_clinical_table", "no such file", where=uri, fix="Check --clinical.") from None
    try:
        columns, rows = _read(uri, data)
        missing = [name for name in REQUIRED_COLUMNS if name not in columns]
        if missing:
            raise BadRequestError(
                "wrong_columns",
                f"no column {', '.join(missing)}; the table has {', '.join(columns)[:300] or 'none'}",
                where=uri,
                fix=f"It needs {', '.join(REQUIRED_COLUMNS)}.",
            )
        by_number, second_rows = _index(columns, rows)
    except UnicodeDecodeError as error:
        what = f"line {_first_bad_line(data)} is not UTF-8"
        raise BadRequestError("unreadable_clinical_table", what, where=uri, fix="Save it as UTF-8.") from error
    except (csv.Error, ValueError) as error:
        what = " ".join(str(error).split())
        raise BadRequestError(
            "unreadable_clinical_table", what, where=uri, fix="It must be a CSV or Parquet table.", may_quote=True
        ) from error
    return ClinicalTable(uri, columns, by_number, second_rows, data)


def _first_bad_line(data: bytes) -> int:
    """The first line that is not UTF-8; the reader's own error counts from somewhere in the file."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 0


Rows = Iterator[tuple[int, Sequence[str]]]
"""Line or row number, and cells."""


def _index(columns: tuple[str, ...], rows: Rows) -> tuple[dict[int, dict[str, str]], int]:
    kept = [(name, columns.index(name)) for name in (*REQUIRED_COLUMNS, *TIME_COLUMNS) if name in columns]
    case_column = columns.index("caseid")
    by_number: dict[int, dict[str, str]] = {}
    second_rows = 0
    known: dict[str, str] = {}
    for line, cells in rows:
        if not cells[case_column].strip():
            raise ValueError(f"line {line} has no caseid")
        number = _number(cells[case_column])
        if number in by_number:
            second_rows += 1
        else:
            # Ages, sexes and weights repeat; one string for each value is enough.
            by_number[number] = {name: known.setdefault(cells[place], cells[place]) for name, place in kept}
    return by_number, second_rows


def _number(case: str) -> int:
    return case_number(case.strip().removesuffix(".0"))


def _read(uri: str, data: bytes) -> tuple[tuple[str, ...], Rows]:
    """Columns and rows; ``ValueError`` and its kin, also from the rows, where it is no table."""
    return _read_parquet(data) if uri.endswith(".parquet") else _read_csv(data)


def _read_csv(data: bytes) -> tuple[tuple[str, ...], Rows]:
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), strict=True)
    columns = tuple(name.strip() for name in next(reader, []))
    if len(set(columns)) != len(columns):
        raise ValueError("a column stands twice in the first line")

    def rows() -> Rows:
        for cells in reader:
            if cells and len(cells) != len(columns):
                raise ValueError(f"line {reader.line_num} has {len(cells)} cells, the first line {len(columns)}")
            if cells:
                yield reader.line_num, cells

    return columns, rows()


def _read_parquet(data: bytes) -> tuple[tuple[str, ...], Rows]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    def rows() -> Rows:
        line = 0
        try:
            for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False):
                cells = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in batch.columns]
                for row in zip(*cells, strict=True):
                    line += 1
                    yield line, row
        except pa.ArrowException as error:
            raise ValueError(str(error)) from error

    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    return tuple(str(name) for name in file.schema_arrow.names), rows()
