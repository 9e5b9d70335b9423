"""The readers of recordings as tables: a column ``Time`` in seconds, and one column per ``Device/TRACK``.

An empty cell (null) is no record; "nan" is a record with a missing value (spec/vitaldb, input).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet
from numpy.typing import NDArray

from core.recording.collect import Clock, Samples, check_room, finite_or_missing, settle
from core.recording.inflate import Inflate, unreadable
from core.recording.lines import MAXIMUM_LINE_BYTES, Lines, Plain
from core.recording.model import Declaration, LossReport, Recording
from core.recording.pages import check_pages

TIME = "Time"

BATCH_ROWS = 64 * 1024

MAXIMUM_COLUMNS = 1000
"""Columns of one table (ours; the open data set has at most 136 tracks a case)."""

_FORMAT_NAMES = {
    pa.float32(): "f32",
    pa.float64(): "f64",
    pa.int8(): "i8",
    pa.uint8(): "u8",
    pa.int16(): "i16",
    pa.uint16(): "u16",
    pa.int32(): "i32",
    pa.uint32(): "u32",
}


def read_csv(pieces: Iterable[bytes], wanted: Collection[str] | None) -> Recording:
    """Read a CSV table, plain or gzip, with or without a byte-order mark.

    ``wanted`` are tracks as ``Device/NAME``; ``None`` means every column that holds numbers only. Cells of other
    columns are not looked at, so the loss report counts the wanted columns' records alone.

    Raises
    ------
    ContentError
        ``unreadable``: no header with ``Time``, a row of another length, a cell that is no number, damaged gzip.
    """
    lines = Lines(pieces)
    names = _header(lines.line())
    columns = _Columns(_chosen(names, wanted))
    try:
        for batch in _csv_batches(lines, names, columns.names, as_text=wanted is None):
            columns.add(batch)
    except pa.ArrowException as error:
        # Arrow quotes the cell or row that it could not read; data stays out of messages.
        place = re.search(r"CSV column #\d+|Row #\d+", str(error))
        raise unreadable(f"The table is malformed{f' ({place[0]})' if place else ''}.") from None
    if lines.stream.truncated and np.isnan(columns.clock.earliest):
        raise unreadable("The file ends before its first record.")
    return _finish("csv", names, columns, lines.stream)


def read_parquet(pieces: Iterable[bytes], wanted: Collection[str] | None) -> Recording:
    """Read a Parquet table, the wanted columns alone; the file is kept on disk meanwhile (its index stands last).

    ``wanted`` are tracks as ``Device/NAME``; ``None`` means every numeric column.

    Raises
    ------
    ContentError
        ``unreadable``: not Parquet, cut, damaged, sizes that do not hold, no numeric ``Time``, or a wanted
        column that is not numeric.
    """
    stream = Plain(pieces)
    with TemporaryFile() as file:
        for piece in stream:
            file.write(piece)
        # Arrow raises OSError for damaged pages and footers; the disk had its say in the loop above.
        try:
            return _read_parquet_file(file, wanted, stream)
        except (pa.ArrowException, OSError):
            raise unreadable("This is not a Parquet file, or it is cut or damaged.") from None


def _read_parquet_file(file: IO[bytes], wanted: Collection[str] | None, stream: Plain) -> Recording:
    file.seek(0)
    # Without a buffer size Arrow loads each column of a row group as a whole.
    source = arrow_parquet.ParquetFile(
        file,
        buffer_size=1 << 16,
        pre_buffer=False,
        thrift_string_size_limit=16 << 20,
        thrift_container_size_limit=1 << 18,
    )
    schema = source.schema_arrow
    numeric = {column.name for column in schema if _is_numeric(column.type)}
    chosen = _chosen(schema.names, wanted, numeric)
    types = {name: schema.field(name).type for name in chosen}
    formats = {name: _FORMAT_NAMES.get(kind, str(kind)) for name, kind in types.items()}
    check_pages(file, source.metadata, {TIME, *chosen})
    columns = _Columns(chosen, formats)
    for batch in source.iter_batches(BATCH_ROWS, columns=[TIME, *chosen], use_threads=False):
        columns.add(dict(zip(batch.schema.names, batch.columns, strict=True)))
    return _finish("parquet", schema.names, columns, stream)


def _header(line: bytes) -> list[str]:
    try:
        row = next(csv.reader([line.decode("utf-8", errors="replace")]), [])
    except csv.Error:
        raise unreadable("The first line is no header of a table.") from None
    return [name.strip() for name in row]


def _chosen(names: list[str], wanted: Collection[str] | None, numeric: Collection[str] | None = None) -> list[str]:
    """The columns to read besides the time, in the order of the table.

    ``numeric`` are the columns known to hold numbers (``None``: not known yet).
    """
    if len(names) > MAXIMUM_COLUMNS:
        raise unreadable(f"The table has more than {MAXIMUM_COLUMNS:,} columns.")
    if TIME not in names:
        raise unreadable(f"The table has no column {TIME!r}.")
    asked = wanted if wanted is not None else numeric if numeric is not None else names
    chosen = [name for name in names if name != TIME and name in asked]
    for name in (TIME, *chosen):
        if names.count(name) > 1:
            raise unreadable(f"The column {name!r} stands twice in the table.")
        if numeric is not None and name not in numeric:
            raise unreadable(f"The column {name!r} holds no numbers.")
    return chosen


def _csv_batches(lines: Lines, names: list[str], chosen: list[str], *, as_text: bool) -> Iterator[dict[str, Any]]:
    if lines.at_end:
        return
    # By position: names of columns nobody asked for may stand twice.
    positions = {name: str(names.index(name)) for name in (TIME, *chosen)}
    types = {
        position: pa.string() if as_text and name != TIME else pa.float64() for name, position in positions.items()
    }
    reader = arrow_csv.open_csv(
        lines,
        read_options=arrow_csv.ReadOptions(
            use_threads=False, block_size=MAXIMUM_LINE_BYTES, column_names=[str(at) for at in range(len(names))]
        ),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=list(positions.values()),
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    for batch in reader:
        yield dict(zip(positions, batch.columns, strict=True))


@dataclass
class _Columns:
    """The samples of the chosen columns so far, in the order of the table."""

    names: list[str]
    formats: dict[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    bad_time: int = 0
    records: dict[str, int] = field(default_factory=dict)
    _parts: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._parts = {name: [] for name in self.names}
        self.records = dict.fromkeys(self.names, 0)

    def add(self, batch: dict[str, Any]) -> None:
        times = _floats(batch[TIME])
        finite = np.isfinite(times)
        self.bad_time += int(np.count_nonzero(~finite))
        self.clock.add(times[finite])
        for name, parts in list(self._parts.items()):
            column = batch[name]
            if pa.types.is_string(column.type):
                try:
                    column = compute.cast(compute.utf8_trim_whitespace(column), pa.float64())
                except pa.ArrowInvalid:
                    # Every column was asked for, and this one turns out to hold text.
                    del self._parts[name], self.records[name]
                    continue
            present = finite & column.is_valid().to_numpy(zero_copy_only=False)
            parts.append((times[present], finite_or_missing(_floats(column)[present])))
            self.records[name] += len(parts[-1][0])
        check_room(sum(self.records.values()))

    def samples(self) -> Iterator[Samples]:
        """The tracks; the columns are given up one by one."""
        for name in list(self._parts):
            parts = self._parts.pop(name)
            times = np.concatenate([np.zeros(0), *(times for times, _ in parts)])
            values = np.concatenate([np.zeros(0), *(values for _, values in parts)])
            yield Samples(name, times, values, ("",), np.zeros(len(times), np.int16))


def _floats(column: Any) -> NDArray[np.float64]:
    values: NDArray[np.float64] = compute.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def _finish(kind: str, names: list[str], columns: _Columns, stream: Plain | Inflate) -> Recording:
    clock = columns.clock
    settled = settle(columns.samples(), clock.earliest)
    return Recording(
        format=kind,
        header=None,
        earliest=clock.earliest,
        tracks=settled.tracks,
        declarations=tuple(
            Declaration(name, "numeric", columns.formats.get(name, "text"), "", 0.0, columns.records[name])
            for name in settled.tracks
        ),
        devices=tuple(dict.fromkeys(name.split("/")[0] for name in names if "/" in name)),
        loss=LossReport(
            bytes_in=stream.bytes_in,
            bytes_out=stream.bytes_out,
            seconds=clock.seconds(clock.earliest),
            records_read=sum(columns.records.values()),
            records_kept=settled.kept,
            records_bad_time=columns.bad_time,
            records_late=settled.late,
            duplicate_times=settled.duplicate_times,
            backward_times=settled.backward_times,
            largest_gap_s=settled.largest_gap_s,
            trailing_bytes=stream.trailing_bytes,
            truncated=stream.truncated,
        ),
    )


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
