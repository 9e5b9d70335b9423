"""Verification of one shard: every byte and every record of its object against the manifest (design, rule 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from core.errors import IntegrityError
from core.examples.deflate import Block
from core.examples.members import Compression, decompress_members
from core.examples.parse import BatchReader
from core.run.audit import ShardAudit
from core.run.models import CaseEntry, ShardEntry
from core.run.verify_values import Filing, Provenance, ValueRanges
from core.schema import Schema
from core.workload import Json, Workload

MOST_PROBLEMS = 20
"""Kept per shard and check; the rest is counted."""

PRESENT = "shard objects"
CHECKSUM = "checksums"
RECORDS = "records"
CONTENT = "content hash"
VALUES = "values"
PROVENANCE = "provenance"
OF_FILES = (PRESENT, CHECKSUM, RECORDS, CONTENT)
"""Checks that fail where files were changed, removed or added."""
SHARD_CHECKS = (PRESENT, CHECKSUM, RECORDS, CONTENT, VALUES, PROVENANCE)

_STORED_BYTES = 256 * 1024
_CONTENT_BYTES = 1024 * 1024
"""Stored and uncompressed bytes at a time: few enough to stay in the cache from inflating to the last check."""


@dataclass
class ShardFindings:
    """What was read of a shard, its true content hash, what is wrong with it by check, and the workload's figures."""

    shard: str
    content_sha256: str = ""
    records: int = 0
    bytes: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)
    figures: Json = field(default_factory=dict)

    def add(self, check: str, what: str) -> None:
        """Note a problem."""
        self.problems.setdefault(check, []).append(f"{self.shard}: {what}")


def verify_shard(
    data: bytes | None, entry: ShardEntry, schema: Schema, compression: Compression, workload: Workload | None = None
) -> ShardFindings:
    """Check a shard's object (``None``: it is not there) against its manifest entry.

    With ``workload``, also what that says of the records, where it says anything.
    """
    findings = ShardFindings(entry.shard)
    if data is None:
        findings.add(PRESENT, f"{entry.path} is missing")
        return findings
    findings.bytes = len(data)
    if len(data) != entry.bytes:
        findings.add(CHECKSUM, f"{len(data)} bytes, the manifest says {entry.bytes}")
    _check_layout(entry, len(data), findings)
    content = hashlib.sha256()
    reader = BatchReader(schema, _CONTENT_BYTES)
    audit = ShardAudit(workload, entry.split)
    read_to = 0
    gapless = True
    for case in entry.cases:
        member = memoryview(data)[case.offset : case.offset + case.length]
        reading = _Reading(member, compression, case.records * largest_record_bytes(schema), content.copy())
        _check_case(case, reading, reader, schema, findings, audit)
        if reading.whole:
            content = reading.content
        gapless = gapless and reading.whole and case.offset == read_to
        read_to += len(member)
    findings.figures = audit.as_json()
    findings.content_sha256 = content.hexdigest()
    # Of an object that is not compressed and was read from end to end, the records' hash is its own.
    is_content = compression is Compression.NONE and gapless and read_to == len(data)
    object_sha256 = findings.content_sha256 if is_content else hashlib.sha256(data).hexdigest()
    if object_sha256 != entry.object_sha256:
        findings.add(CHECKSUM, "the object's SHA-256 is not the recorded one")
    if findings.content_sha256 != entry.content_sha256:
        findings.add(CONTENT, "the records are not those that were committed")
    if findings.records != entry.records:
        findings.add(RECORDS, f"{findings.records} records, the manifest says {entry.records}")
    return findings


def _check_layout(entry: ShardEntry, size: int, findings: ShardFindings) -> None:
    offset = 0
    for case in entry.cases:
        if case.offset != offset:
            findings.add(RECORDS, f"case {case.case_id} starts at byte {case.offset}, {offset} expected")
        offset = case.offset + case.length
        if bool(case.length) != bool(case.records):
            findings.add(RECORDS, f"case {case.case_id} has {case.records} records in {case.length} bytes")
    if offset != size:
        findings.add(RECORDS, f"the cases fill {offset} bytes of {size}")
    if sum(case.records for case in entry.cases) != entry.records:
        findings.add(RECORDS, f"the cases' records do not add up to {entry.records}")


class _Reading:
    """The content of one case's member, in pieces; each is added to a hash when the next one is asked for.

    ``whole`` tells that it could be read to its end. A member that somebody put there to fill the memory is given up
    where it holds more than ``limit`` bytes.
    """

    def __init__(self, member: memoryview, compression: Compression, limit: int, content: Any) -> None:
        self.content = content
        self.whole = False
        self._pieces = self._read(_content(member, compression), limit)

    def __iter__(self) -> Iterator[Block]:
        return self._pieces

    def _read(self, pieces: Iterable[Block], limit: int) -> Iterator[Block]:
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise IntegrityError("record_count", f"holds more than the {limit:,} bytes that its records can fill")
            yield piece
            # Not before: inflating leaves wide registers in use; SHA-256 loses a quarter until numpy clears them.
            self.content.update(piece)
        self.whole = True


def _content(member: memoryview, compression: Compression) -> Iterable[Block]:
    """What a member holds, in pieces."""
    if compression is Compression.NONE:
        return _cut(member, _CONTENT_BYTES)
    return decompress_members(map(bytes, _cut(member, _STORED_BYTES)), compression, _CONTENT_BYTES)


def _cut(member: memoryview, size: int) -> Iterator[memoryview]:
    return (member[at : at + size] for at in range(0, len(member), size))


def _check_case(
    case: CaseEntry,
    reading: _Reading,
    reader: BatchReader,
    schema: Schema,
    findings: ShardFindings,
    audit: ShardAudit,
) -> None:
    ranges, provenance, records = ValueRanges(schema), Provenance(schema, case), 0
    filing = Filing(audit.workload, case, audit.split)
    try:
        for batch in reader.batches(reading):
            ranges.add(batch.columns)
            provenance.add(batch.columns)
            filing.add(batch.columns)
            audit.add(batch.columns)
            records += batch.records
    except IntegrityError as error:
        fault = _fault_of_rest(reading) or error
        place = f"{fault.where}: " if fault.where else ""
        findings.add(RECORDS, f"case {case.case_id}: {place}{fault.what} [{fault.code}]")
        return
    findings.records += records
    if records != case.records:
        findings.add(RECORDS, f"case {case.case_id} has {records} records, the manifest says {case.records}")
    for problem in ranges.problems():
        findings.add(VALUES, f"case {case.case_id}: {problem}")
    for problem in (*provenance.problems(), *filing.problems()):
        findings.add(PROVENANCE, f"case {case.case_id}: {problem}")


def _fault_of_rest(reading: _Reading) -> IntegrityError | None:
    """Read on where records are at fault: what follows them is content, too, and may be at fault itself."""
    try:
        for _ in reading:
            pass
    except IntegrityError as error:
        return error
    return None


def largest_record_bytes(schema: Schema) -> int:
    """What one record of the schema takes at the most, in the widest encoding that protobuf allows."""
    values = sum((12 + (field.bytes_length or 0)) * field.size for field in schema.fields)
    return values + sum(64 + len(field.name.encode()) for field in schema.fields) + 64
