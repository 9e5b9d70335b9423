"""Recordings as CSV and Parquet: cells, times, damage, bounds."""

from __future__ import annotations

import gzip
import io
import math
import struct
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import ContentError
from core.recording import pages, tabular
from core.recording.lines import MAXIMUM_LINE_BYTES
from core.recording.model import Declaration, Recording
from core.recording.read import RECORDING_SUFFIXES, read_recording
from core.recording.tabular import read_csv, read_parquet
from tests.recording_bytes import chopped

HR, ART = "Solar8000/HR", "Solar8000/ART_MBP"
TABLE = (
    f"Time,{HR},Primus/CO2,{ART}\r\n"
    "10,80,1.5,\r\n"
    "9,nan,,70.25\r\n"
    ",99,99,99\r\n"
    "nan,99,99,99\r\n"
    "inf,,,\r\n"
    "12,NaN,, 71 \r\n"
    "12,82,-1e3,inf\r\n"
    "172810,83,,\r\n"
    "8,,,\r\n"
).encode()


def parquet(columns: dict[str, object], **settings: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **settings)
    return sink.getvalue()


def samples(recording: Recording, name: str) -> list[tuple[float, float | None]]:
    track = recording.tracks[name]
    assert track.units == ("",)
    assert track.unit_of.tolist() == [0] * len(track.times)
    values = [None if math.isnan(value) else value for value in track.values.tolist()]
    return list(zip(track.times.tolist(), values, strict=True))


def fails(key: str, data: bytes, what: str, wanted: set[str] | None = None) -> None:
    with pytest.raises(ContentError, match=what) as caught:
        read_recording(key, [data], wanted)
    assert caught.value.code == "unreadable"


@pytest.mark.parametrize("size", [1, 11, 10**6])
@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_csv_cells_and_times(compress: type[bytes], prefix: bytes, size: int) -> None:
    data = compress(prefix + TABLE)
    recording = read_csv(chopped(data, size), {HR, ART, "Solar8000/NONE"})
    assert samples(recording, HR) == [(9, None), (10, 80), (12, None), (12, 82)]
    assert samples(recording, ART) == [(9, 70.25), (12, 71), (12, None)]
    assert set(recording.tracks) == {HR, ART}
    assert (recording.format, recording.header, recording.earliest, recording.t0) == ("csv", None, 8.0, 8.0)
    assert recording.devices == ("Solar8000", "Primus")
    loss = recording.loss
    assert (loss.records_read, loss.records_kept, loss.records_late, loss.records_bad_time) == (8, 7, 1, 3)
    assert (loss.duplicate_times, loss.backward_times) == (2, 1)
    assert (loss.seconds, loss.largest_gap_s, loss.truncated) == (4.0, 2.0, False)
    assert (loss.bytes_in, loss.bytes_out) == (len(data), len(prefix + TABLE))
    assert recording.declarations[0] == Declaration(HR, "numeric", "text", "", 0.0, 5)


def test_every_numeric_csv_column_is_wanted_where_none_are_named() -> None:
    recording = read_csv([b'Time,A/X,A/EVENT,"B/Y"\n1,1,,\n2,2,start,5\n3,3,4,\n'], None)
    assert {name: samples(recording, name) for name in recording.tracks} == {
        "A/X": [(1, 1), (2, 2), (3, 3)],
        "B/Y": [(2, 5)],
    }
    assert recording.loss.records_read == 4


@pytest.mark.parametrize("body", [b"", b"\n", b"\n\n\r\n"])
def test_a_csv_of_no_rows_has_no_records(body: bytes) -> None:
    recording = read_csv([b"Time,Solar8000/HR\n" + body], {HR})
    assert samples(recording, HR) == []
    assert math.isnan(recording.earliest)
    assert recording.loss.seconds == 0.0


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "no column 'Time'"),
        (b"time,A/B\n1,2\n", "no column 'Time'"),
        (b"Time,Solar8000/HR\n1,abc\n", r"malformed \(CSV column #1\)"),
        (b"Time,Solar8000/HR\nsoon,1\n", r"malformed \(CSV column #0\)"),
        (b"Time,Solar8000/HR\n1,2\n3\n", "malformed"),
        (b"Time,Solar8000/HR\n1,2,3\n", "malformed"),
        (b"Time,Solar8000/HR,Solar8000/HR\n1,2,3\n", "stands twice"),
        (b"Time,Time\n1,2\n", "stands twice"),
        (b"Time," + b"x," * 1001 + b"\n", "columns"),
        (b"Time," + b"x" * MAXIMUM_LINE_BYTES, "longer"),
        (b"Time,Solar8000/HR\n1," + b"1" * 3 * MAXIMUM_LINE_BYTES + b"\n", "longer"),
        (b'"Time,' + b"x" * 200_000 + b"\n", "no header"),
        (b"\x1f\x8b\x09garbage", "damaged"),
        (bytes(range(256)) * 100, "no column 'Time'"),
    ],
)
def test_malformed_csv(data: bytes, what: str) -> None:
    fails("a.csv", data, what, {HR})


def test_messages_hold_no_data() -> None:
    with pytest.raises(ContentError) as caught:
        read_csv([b"Time,Solar8000/HR\n1,SECRET\n"], {HR})
    assert "SECRET" not in str(caught.value)
    with pytest.raises(ContentError) as caught:
        read_csv([b"Time,Solar8000/HR\n1,2,SECRET\n"], {HR})
    assert "SECRET" not in str(caught.value)


def test_text_in_columns_nobody_asked_for_is_not_looked_at() -> None:
    recording = read_csv([b"Time,NOTE,NOTE,Solar8000/HR\n1,a,b,80\n"], {HR})
    assert samples(recording, HR) == [(1, 80)]


def test_a_cut_gzip_keeps_the_whole_rows_before_the_cut() -> None:
    rng = np.random.default_rng(3)
    rows = "".join(f"{second},{value:.3f}\n" for second, value in enumerate(rng.uniform(50, 99, 20_000)))
    data = gzip.compress(f"Time,{HR}\n{rows}".encode(), mtime=0)
    whole = samples(read_csv([data], {HR}), HR)
    assert len(whole) == 20_000
    cut = read_csv([data[: len(data) // 2]], {HR})
    assert cut.loss.truncated
    assert 5_000 < cut.loss.records_kept < 15_000
    assert samples(cut, HR) == whole[: cut.loss.records_kept]
    fails("a.csv.gz", gzip.compress(f"Time,{HR}\n".encode(), mtime=0)[:-3], "before its first record", {HR})


def test_a_damaged_gzip_is_unreadable() -> None:
    data = bytearray(gzip.compress(TABLE, mtime=0))
    data[-6] ^= 1
    fails("a.csv.gz", bytes(data), "damaged", {HR})


def test_faults_of_the_storage_pass_through() -> None:
    def broken(first: bytes) -> Iterator[bytes]:
        yield first
        raise OSError("gone")

    for reader, first in ((read_csv, b"Time,Solar8000/HR\n1,2\n"), (read_parquet, b"PAR1")):
        with pytest.raises(OSError, match="gone"):
            reader(broken(first), {HR})


COLUMNS: dict[str, object] = {
    "Time": pa.array([10.0, 9.0, None, math.nan, 12.0, 12.0, 172_810.0, 8.0]),
    HR: pa.array([80, None, 99, 99, None, 82, 83, None], pa.int16()),
    "Solar8000/NOTE": pa.array(["a"] * 8),
    ART: pa.array([None, 70.25, 99, 99, math.nan, math.inf, None, None], pa.float32()),
}


@pytest.mark.parametrize("settings", [{}, {"row_group_size": 3, "compression": "zstd"}, {"data_page_version": "2.0"}])
def test_parquet_cells_and_times(settings: dict[str, object]) -> None:
    data = parquet(COLUMNS, **settings)
    recording = read_parquet(chopped(data, 100), None)
    assert samples(recording, HR) == [(10, 80), (12, 82)]
    assert samples(recording, ART) == [(9, 70.25), (12, None), (12, None)]
    assert [(one.name, one.format, one.records) for one in recording.declarations] == [(HR, "i16", 3), (ART, "f32", 3)]
    loss = recording.loss
    assert (recording.format, recording.earliest, loss.records_bad_time) == ("parquet", 8.0, 2)
    assert (loss.records_read, loss.records_kept, loss.records_late) == (6, 5, 1)
    assert (loss.seconds, loss.bytes_in, loss.bytes_out) == (4.0, len(data), len(data))
    assert set(read_parquet([data], {HR, "x"}).tracks) == {HR}


def test_malformed_parquet() -> None:
    good = parquet(COLUMNS)
    for bad in (b"", b"PAR1", good[:-1], good[:-9], good[100:], bytes(5000)):
        fails("a.parquet", bad, "not a Parquet|damaged")
    fails("a.parquet", good, "no numbers", {"Solar8000/NOTE"})
    fails("a.parquet", parquet({"Time": ["a"]}), "'Time' holds no numbers")
    fails("a.parquet", parquet({"x": [1.0]}), "no column 'Time'")
    fails("a.parquet", parquet({f"c{number}": [1.0] for number in range(1001)}), "columns")
    twice = pa.table([[1.0], [2.0], [3.0]], names=["Time", HR, HR])
    sink = io.BytesIO()
    pq.write_table(twice, sink)
    fails("a.parquet", sink.getvalue(), "stands twice", {HR})


def test_parquet_pages_are_held_against_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(100_000.0)
    data = parquet({"Time": values, HR: values}, data_page_size=4096, row_group_size=30_000)
    assert read_parquet([data], {HR}).loss.records_kept == 100_000
    with monkeypatch.context() as patch:
        patch.setattr(pages, "MAXIMUM_PAGES", 20)
        fails("a.parquet", data, "pages", {HR})
    with monkeypatch.context() as patch:
        patch.setattr(pages, "MAXIMUM_PAGES_BYTES", 8192)
        fails("a.parquet", data, "memory", {HR})
    with monkeypatch.context() as patch:
        patch.setattr(pages, "MAXIMUM_ROWS", 99_999)
        fails("a.parquet", data, "rows", {HR})
    with monkeypatch.context() as patch:
        patch.setattr(tabular, "MAXIMUM_COLUMNS", 1)
        fails("a.parquet", data, "columns", {HR})


def test_a_parquet_page_that_claims_two_gigabytes_is_refused() -> None:
    data = parquet({"Time": np.arange(5.0), HR: np.arange(5.0)}, use_dictionary=False, compression="zstd")
    footer = pq.ParquetFile(io.BytesIO(data)).metadata
    at = footer.row_group(0).column(1).data_page_offset
    # Field 1 (type, 0), then field 2: the uncompressed size as a zigzag number, here of one or two bytes.
    assert data[at : at + 3] == b"\x15\x00\x15"
    end = at + 4 + (data[at + 3] > 127)
    two_gigabytes, value = b"", (2**31 - 1) << 1
    while value > 127:
        two_gigabytes, value = two_gigabytes + struct.pack("B", value & 127 | 128), value >> 7
    two_gigabytes += struct.pack("B", value)
    longer = len(two_gigabytes) - (end - at - 3)
    hostile = data[: at + 3] + two_gigabytes + data[end:]
    assert longer > 0
    fails("a.parquet", hostile, "claim more memory", {HR})


def test_the_suffix_chooses_the_reader() -> None:
    assert RECORDING_SUFFIXES == (".vital", ".parquet", ".csv.gz", ".csv")
    assert read_recording("x/0001.CSV", [TABLE], {HR}).format == "csv"
    assert read_recording("x/0001.csv.gz", [gzip.compress(TABLE, mtime=0)], {HR}).format == "csv"
    assert read_recording("0001.parquet", [parquet(COLUMNS)], {HR}).format == "parquet"
    fails("0001.vital", TABLE, "not a gzip")
    fails("0001.txt", TABLE, "ends in none")
