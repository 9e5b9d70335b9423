"""The clinical table: one row a case, read as text, and the SQL filter over it."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet

from core.errors import BadRequestError
from core.store import open_object
from core.workloads.vitaldb.identity import case_number

REQUIRED_COLUMNS = ("caseid", "subjectid", "age", "sex", "height", "weight", "bmi", "asa")
LONGEST_CASE_S = 48 * 3600.0


@dataclass(frozen=True)
class ClinicalTable:
    """Rows by case number, first one wins; ``second_rows`` counts those that were ignored."""

    uri: str
    columns: tuple[str, ...]
    rows: dict[int, dict[str, str]]
    second_rows: int

    def matching(self, where: str) -> frozenset[int]:
        """Numbers of the cases whose row satisfies an SQL condition.

        Raises
        ------
        BadRequestError
            The condition does not parse or names a column that is not there.
        """
        import duckdb  # only those who filter pay for its import

        numbers = list(self.rows)
        table = pa.table({"case_number_": numbers, **{name: self._typed(name) for name in self.columns}})
        connection = duckdb.connect(config={"enable_external_access": "false"})
        try:
            connection.register("clinical", table)
            found = connection.execute(f"SELECT case_number_ FROM clinical WHERE ({where}\n)").fetchall()
        except duckdb.Error as error:
            message = " ".join(str(error).split("LINE 1")[0].split())
            raise BadRequestError(
                "bad_where", message, where="--where", fix="It is SQL over the clinical table."
            ) from error
        finally:
            connection.close()
        return frozenset(number for (number,) in found)

    def _typed(self, name: str) -> pa.Array:
        """The column as numbers where every filled cell is one (``>89`` counts as 90), else as text."""
        cells = [row[name].strip() for row in self.rows.values()]
        if name == "age":
            cells = [cell.replace(">89", "90") for cell in cells]
        try:
            return pa.array([float(cell) if cell else None for cell in cells], pa.float64())
        except ValueError:
            return pa.array([cell or None for cell in cells], pa.string())


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
        columns, rows = _parquet_rows(data) if uri.endswith(".parquet") else _csv_rows(data)
    except (UnicodeDecodeError, csv.Error, pa.ArrowException, ValueError) as error:
        raise _unreadable(uri, " ".join(str(error).split())) from error
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if missing:
        raise BadRequestError(
            "wrong_columns",
            f"no column {', '.join(missing)}; the table has {', '.join(columns)[:300] or 'none'}",
            where=uri,
            fix=f"It needs {', '.join(REQUIRED_COLUMNS)}.",
        )
    return _index(uri, columns, rows)


def _index(uri: str, columns: tuple[str, ...], rows: list[tuple[int, list[str]]]) -> ClinicalTable:
    by_number: dict[int, dict[str, str]] = {}
    second_rows = 0
    for line, cells in rows:
        row = dict(zip(columns, cells, strict=True))
        text = row["caseid"].strip()
        if not text:
            raise _unreadable(uri, f"line {line} has no caseid")
        number = case_number(text.removesuffix(".0"))
        if number in by_number:
            second_rows += 1
        else:
            by_number[number] = row
    return ClinicalTable(uri, columns, by_number, second_rows)


def _csv_rows(data: bytes) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    columns = tuple(name.strip() for name in next(reader, []))
    if len(set(columns)) != len(columns):
        raise ValueError("a column stands twice in the first line")
    rows: list[tuple[int, list[str]]] = []
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(columns):
            raise ValueError(f"line {reader.line_num} has {len(cells)} cells, the first line {len(columns)}")
        rows.append((reader.line_num, cells))
    return columns, rows


def _parquet_rows(data: bytes) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    table = pyarrow.parquet.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    columns = tuple(str(name) for name in table.column_names)
    cells = [["" if cell is None else str(cell) for cell in table.column(name).to_pylist()] for name in columns]
    return columns, [(number, list(row)) for number, row in enumerate(zip(*cells, strict=True), start=1)]


def _unreadable(uri: str, what: str) -> BadRequestError:
    return BadRequestError("unreadable_clinical_table", what, where=uri, fix="It must be a CSV or Parquet table.")
