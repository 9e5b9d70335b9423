"""A cohort of small recordings, as CSV or ``.vital``, for the tests of the run protocol."""

from __future__ import annotations

import csv
import gzip
import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHORT_WINDOWS = {"window_s": 60, "step_s": 30, "horizon_s": 5}
SHORT_WINDOW_OPTIONS = ("--window-s", "60", "--step-s", "30", "--horizon-s", "5")

TRACKS: dict[str, tuple[float, float]] = {
    "Solar8000/HR": (60, 100),
    "Solar8000/ART_SBP": (115, 140),
    "Solar8000/ART_DBP": (60, 80),
    "Solar8000/ART_MBP": (85, 110),
    "Solar8000/PLETH_SPO2": (94, 100),
    "Solar8000/ETCO2": (30, 40),
    "Orchestra/PPF20_RATE": (5, 30),
    "Solar8000/VENT_TV": (400, 600),
}
"""Device/NAME with the interval that its values are drawn from, in the default unit."""

CLINICAL_COLUMNS = ("caseid", "subjectid", "casestart", "caseend", "age", "sex", "height", "weight", "bmi", "asa")


@dataclass(frozen=True)
class TinyCohort:
    """Where a cohort stands."""

    source: Path
    clinical: Path

    def options(self) -> list[str]:
        """As the command line takes them, with short windows."""
        return ["--source", str(self.source), "--clinical", str(self.clinical), *SHORT_WINDOW_OPTIONS]


def signals(seed: int, seconds: int) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Times [n], every 2 s, and the values [n] of each track."""
    generator = np.random.default_rng(seed)
    times = np.arange(0.0, seconds, 2.0)
    return times, {name: np.round(generator.uniform(low, high, len(times)), 1) for name, (low, high) in TRACKS.items()}


def csv_recording(seed: int, seconds: int) -> bytes:
    """A recording as a table."""
    times, values = signals(seed, seconds)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Time", *values])
    writer.writerows(zip(times.tolist(), *(column.tolist() for column in values.values()), strict=True))
    return text.getvalue().encode()


def vital_packets(seed: int, seconds: int) -> bytes:
    """A ``.vital`` file before compression: header, devices and tracks, records in order of time."""
    times, values = signals(seed, seconds)
    pieces = [b"VITA" + struct.pack("<IH", 3, 10) + bytes(10)]
    for number, name in enumerate(values, start=1):
        device, _, track = name.partition("/")
        pieces.append(_packet(9, struct.pack("<I", number) + _text(device) + _text(device)))
        body = struct.pack("<HBB", number, 2, 2) + _text(track) + _text("")
        body += struct.pack("<ffIfddBI", 0.0, 0.0, 0, 0.0, 1.0, 0.0, 0, number)
        pieces.append(_packet(0, body))
    for position, time in enumerate(times.tolist()):
        for number, column in enumerate(values.values(), start=1):
            value = struct.pack("<d", float(column[position]))
            pieces.append(_packet(1, struct.pack("<HdH", 10, 1000.0 + time, number) + value))
    return b"".join(pieces)


def vital_recording(seed: int, seconds: int) -> bytes:
    """A ``.vital`` file."""
    return gzip.compress(vital_packets(seed, seconds), 1, mtime=0)


def write_cohort(
    folder: Path, cases: int = 12, *, suffix: str = ".csv", seconds: int = 400, cases_per_subject: int = 2
) -> TinyCohort:
    """Cases 1 … ``cases`` of slowly growing length, consecutive ones sharing a subject; all are in the table."""
    source = folder / "recordings"
    source.mkdir(parents=True)
    make = csv_recording if suffix == ".csv" else vital_recording
    for number in range(1, cases + 1):
        (source / f"{number:04d}{suffix}").write_bytes(make(number, case_seconds(number, seconds)))
    subjects = {number: 101 + (number - 1) // cases_per_subject for number in range(1, cases + 1)}
    rows = [
        (number, subject, 0, case_seconds(number, seconds), 30 + number, "MF"[number % 2], 170, 70, "", 1 + number % 4)
        for number, subject in subjects.items()
    ]
    clinical = folder / "clinical_data.csv"
    clinical.write_bytes(clinical_table(rows))
    return TinyCohort(source, clinical)


def case_seconds(number: int, seconds: int = 400) -> int:
    """How long a case of :func:`write_cohort` is."""
    return seconds + 20 * (number % 5)


def clinical_table(rows: Iterable[Iterable[object]], columns: Iterable[str] = CLINICAL_COLUMNS) -> bytes:
    """A table as the open data set ships it: CSV, UTF-8 with a byte-order mark."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def _text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode()


def _packet(kind: int, body: bytes) -> bytes:
    return struct.pack("<BI", kind, len(body)) + body
