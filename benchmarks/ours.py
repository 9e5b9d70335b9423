"""Casemill's side: one case from its recording to a written shard object, and the same in stages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from benchmarks import patient
from benchmarks.files import KEY, BenchRecording
from benchmarks.layouts import TRACKS
from core.examples.members import Compression, compress_records
from core.examples.overlap import find_overlap
from core.examples.pack import pack_blocks
from core.recording.model import Recording
from core.recording.read import read_recording
from core.run.plan import PlannedCase
from core.run.shard import OpenShard
from core.run.source import StoreSource, open_source
from core.schema import Schema
from core.store import Store, open_store
from core.workload import Case, CaseResult, Columns, Outcome, Workload
from core.workloads.registry import build_workload

SHARD, SHARD_KEY = "train-00000", "datasets/bench/train/train-00000.tfrecord.gz"


@dataclass(frozen=True)
class OurCase:
    """One case as the worker does it."""

    workload: Workload
    source: StoreSource
    store: Store
    planned: PlannedCase

    @property
    def schema(self) -> Schema:
        """Of its examples."""
        return self.workload.schema

    def read(self) -> Recording:
        """The reader alone as runs use it, with the same tracks as the usual reader gets."""
        return read_recording(KEY, self.source.read(KEY), TRACKS, may_stop=True)

    def process(self) -> CaseResult:
        """Read, clean, grid, windows."""
        return self.workload.process(self.planned.case, self.source)

    def finish(self, result: CaseResult) -> OpenShard:
        """Pack, hash, GZIP."""
        shard = OpenShard(Compression.GZIP)
        shard.finish(self.planned, result, self.schema)
        return shard

    def write(self, shard: OpenShard) -> str:
        """Write the object; returns its SHA-256, as the commit record has it."""
        data = shard.object_bytes()
        self.store.put(SHARD_KEY, data)
        return hashlib.sha256(data).hexdigest()

    def whole(self) -> OpenShard:
        """All of it."""
        shard = self.finish(self.process())
        self.write(shard)
        return shard


def our_case(recording: BenchRecording, out: Path) -> OurCase:
    """The case of a recording; its shard goes below ``out``."""
    source = open_source(str(recording.folder))
    if source is None:
        raise FileNotFoundError(recording.folder)
    case = Case(
        id="0001",
        number=patient.CASE_NUMBER,
        group=str(patient.SUBJECT_NUMBER),
        group_number=patient.SUBJECT_NUMBER,
        key=KEY,
        size=recording.facts.gzip_bytes,
        estimated_records=0,
        attributes={"row": patient.ROW},
    )
    planned = PlannedCase(case, "train", SHARD)
    return OurCase(build_workload("vitaldb", {}), source, open_store(out, create=True), planned)


def done(result: CaseResult) -> CaseResult:
    """The result, which must have examples."""
    if result.outcome is not Outcome.DONE:
        raise RuntimeError(f"the case ended as {result.outcome.value}: {result.reason} {result.detail}")
    return result


def write_examples(schema: Schema, columns: Columns, path: Path, compression: Compression) -> None:
    """The writer alone: pack block by block, compress at the default level, write."""
    path.write_bytes(compress_records(pack_blocks(schema, columns), find_overlap(columns), compression))
