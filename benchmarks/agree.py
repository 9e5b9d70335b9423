"""Whether ours and the usual tools say the same: a benchmark of two programs that differ would mean nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from benchmarks.errors import DisagreementError
from benchmarks.layouts import TRACKS
from benchmarks.ours import SHARD_KEY, OurCase, write_examples
from benchmarks.usual import RANGES, TARGETS, naive_case, read_examples, read_usual, write_usual
from core.examples.members import Compression
from core.schema import Schema
from core.workload import Columns

TOLERANCE = 1e-5
"""Of normalised values: the naive script computes in float32."""

SPECIAL = ("BP_SYS", "BP_DIA", "BP_MAP", "Noradrenalin_INF")
"""Features with rules that the naive script has not: contradicting pressures, and zero in a gap."""


def tracks_agree(case: OurCase, path: Path) -> str:
    """Every wanted record, time and value, as the usual reader has it."""
    ours, usual = case.read(), read_usual(path)
    for name in TRACKS:
        track, records = ours.tracks[name], usual.trks[name].recs
        same_times = np.array_equal(track.times, np.array([record["dt"] for record in records]))
        same_values = np.array_equal(track.values, np.array([record["val"] for record in records]))
        if not (same_times and same_values and len(records)):
            raise DisagreementError(f"{path}: {name} differs from the usual reader's")
    records_read = sum(len(ours.tracks[name].times) for name in TRACKS)
    return f"all {records_read:,} wanted records of {len(TRACKS)} tracks are those of vitaldb"


def windows_agree(case: OurCase, path: Path, out: Path) -> str:
    """The examples of both, read back by TensorFlow."""
    case.whole()
    count = naive_case(path, out / "naive.tfrecord.gz")
    naive, ours = read_examples(out / "naive.tfrecord.gz"), read_examples(out / SHARD_KEY)
    if len(ours["start_s"]) != count or not np.array_equal(ours["start_s"], naive["start_s"]):
        raise DisagreementError(f"{path}: {len(ours['start_s'])} windows of ours, {count} of the naive script")
    largest = float(np.abs(ours["static"] - naive["static"]).max())
    for column, name in enumerate(RANGES):
        if name not in SPECIAL:
            difference = np.abs(ours["timeseries"][:, :, column] - naive["timeseries"][:, :, column]).max()
            largest = max(largest, float(difference))
    for column, name in enumerate(TARGETS):
        if name not in SPECIAL:
            largest = max(largest, float(np.abs(ours["targets"][:, column] - naive["targets"][:, column]).max()))
    if largest > TOLERANCE:
        raise DisagreementError(f"{path}: normalised values differ by {largest:g} from the naive script's")
    compared = len(RANGES) - len(SPECIAL)
    return f"{count} windows each; {compared} features without special rules differ by {largest:.1g} at the most"


def writers_agree(schema: Schema, columns: Columns, out: Path) -> str:
    """The bytes of both writers, plain and inflated."""
    ours, usual = out / "ours.tfrecord", out / "usual.tfrecord"
    write_usual(columns, usual, same=True)
    write_examples(schema, columns, ours, Compression.NONE)
    expected = usual.read_bytes()
    if ours.read_bytes() != expected:
        raise DisagreementError("the plain examples are not TensorFlow's, byte for byte")
    write_examples(schema, columns, ours, Compression.GZIP)
    if gzip.decompress(ours.read_bytes()) != expected:
        raise DisagreementError("the compressed examples are not TensorFlow's, byte for byte")
    return f"{len(expected):,} bytes of examples are TensorFlow's, byte for byte"
