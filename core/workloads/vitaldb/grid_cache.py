"""What a recording gives before imputation: the 1 Hz grid and its figures, and the bytes in which they are kept.

The bytes: two u32 (length of the header, seconds T), the header (JSON), a bit for each of the 16·T values, feature by
feature, that says whether it differs from the one before, and those that differ as float64. Little-endian. A signal
stands for seconds and minutes, so this is a fifth of the grid before it is compressed.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from core.code_version import WITHOUT_OF_A_WORKLOAD, digest_of_code
from core.recording.model import MAXIMUM_SPAN_S
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import FEATURES
from core.workloads.vitaldb.patient import Patient

Json = dict[str, Any]
Floats = NDArray[np.float64]

FORMAT = 1
"""Raised when the bytes change; the code's digest changes with it anyway."""

MOST_SECONDS = int(2 * MAXIMUM_SPAN_S) + 1
"""A header may start 48 h before the first record, and the last one is kept up to 48 h after it."""

_LENGTHS = struct.Struct("<II")


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    reason: str
    detail: str
    flags: list[str]
    signal_groups: int
    figures: Json
    histograms: dict[str, list[int]]


def _no_grid() -> Floats:
    return np.full((0, len(FEATURES)), np.nan)


@dataclass(frozen=True)
class GridExtract:
    """All that the examples of a case need of its recording.

    ``reason`` says why the recording cannot be used; it is empty where it can. ``grid`` [T, 16] is in clinical units,
    NaN where nothing was measured. ``figures`` are empty where nothing could be read, else as
    :func:`core.workloads.vitaldb.quality.case_figures` gives them, but for what depends on windows and static values.
    """

    reason: str = ""
    detail: str = ""
    flags: tuple[str, ...] = ()
    signal_groups: int = 0
    figures: Json = field(default_factory=dict)
    histograms: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    grid: Floats = field(default_factory=_no_grid)

    def to_bytes(self) -> bytes:
        """The form in which it is kept, exact to the bit."""
        header = _Header(
            reason=self.reason,
            detail=self.detail,
            flags=list(self.flags),
            signal_groups=self.signal_groups,
            figures=self.figures,
            histograms={name: counts.tolist() for name, counts in self.histograms.items()},
        )
        # Unlike pydantic's, the library's JSON keeps what is no number and what is no valid text as it is.
        text = json.dumps(header.model_dump()).encode()
        bits, values = _pack_grid(self.grid)
        return b"".join((_LENGTHS.pack(len(text), len(self.grid)), text, bits, values))


def read_extract(data: bytes) -> GridExtract:
    """The inverse of :meth:`GridExtract.to_bytes`; no more is allocated than 64 bytes for each one that is there.

    Raises
    ------
    ValueError
        These are not such bytes.
    """
    if len(data) < _LENGTHS.size:
        raise ValueError("cut before its lengths")
    header_bytes, seconds = _LENGTHS.unpack_from(data)
    first_bit = _LENGTHS.size + header_bytes
    header = _Header.model_validate(json.loads(data[_LENGTHS.size : first_bit]))
    return GridExtract(
        reason=header.reason,
        detail=header.detail,
        flags=tuple(header.flags),
        signal_groups=header.signal_groups,
        figures=header.figures,
        histograms={name: np.array(counts, np.int64) for name, counts in header.histograms.items()},
        grid=_unpack_grid(memoryview(data)[first_bit:], seconds),
    )


def extract_depends_on(configuration: Configuration, patient: Patient) -> Json:
    """Everything beside the recording that the grid and its figures depend on.

    Windows, imputation and normalisation come later and are not in here, nor is anything of the patient but the
    weights that doses and tidal volumes refer to.
    """
    return {
        "format": FORMAT,
        "code": _code(),
        "profiles": [profile.model_dump(mode="json") for profile in configuration.profiles],
        "concentrations": configuration.concentrations,
        "weight_kg": patient.weight_kg,
        "ideal_weight_kg": patient.ideal_weight_kg,
    }


@cache
def _code() -> Json:
    """What computes the grid: the reader, this workload (not its demo cohort, commands and time figures), and the
    libraries that parse tables."""
    workload = Path(__file__).parent
    beside = tuple(workload / name for name in WITHOUT_OF_A_WORKLOAD)
    core = workload.parents[1]
    return {
        "source": digest_of_code(core, (core / "recording", workload), without=beside),
        "libraries": {name: version(name) for name in ("numpy", "pyarrow")},
    }


def _pack_grid(grid: Floats) -> tuple[bytes, bytes]:
    # As integers, so that NaN equals NaN and -0.0 differs from 0.0.
    patterns = np.ascontiguousarray(grid.T, "<f8").reshape(-1).view("<i8")
    starts = np.ones(len(patterns), np.bool_)
    np.not_equal(patterns[1:], patterns[:-1], out=starts[1:])
    return np.packbits(starts).tobytes(), patterns[starts].tobytes()


def _unpack_grid(data: memoryview, seconds: int) -> Floats:
    if seconds > MOST_SECONDS:
        raise ValueError(f"{seconds} seconds are more than any recording has")
    count = seconds * len(FEATURES)
    bit_bytes = count // 8
    if len(data) < bit_bytes or (len(data) - bit_bytes) % 8:
        raise ValueError("cut inside the grid")
    starts = np.flatnonzero(np.unpackbits(np.frombuffer(data[:bit_bytes], np.uint8)))
    values = np.frombuffer(data[bit_bytes:], "<f8")
    if len(values) != len(starts) or (count and (not len(starts) or starts[0])):
        raise ValueError("the grid's parts contradict each other")
    lengths = np.diff(starts, append=count)
    grid = np.repeat(values, lengths).reshape(len(FEATURES), seconds).T
    return grid if sys.byteorder == "little" else grid.astype(np.float64)
