"""Verification of one shard: every byte and every record of its object against the manifest (design, rule 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.errors import IntegrityError
from core.examples.members import Compression, decompress_members
from core.examples.parse import parse_batch
from core.run.models import CaseEntry, ShardEntry
from core.schema import Kind, Schema
from core.workload import Columns

MOST_PROBLEMS = 20
"""Kept per shard and check; the rest is counted."""

PRESENT = "shard objects"
CHECKSUM = "checksums"
RECORDS = "records"
CONTENT = "content hash"
VALUES = "values"
PROVENANCE = "provenance"
SHARD_CHECKS = (PRESENT, CHECKSUM, RECORDS, CONTENT, VALUES, PROVENANCE)


@dataclass
class ShardFindings:
    """What was read of a shard, its true content hash, and what is wrong with it by check."""

    shard: str
    content_sha256: str = ""
    records: int = 0
    bytes: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)

    def add(self, check: str, what: str) -> None:
        """Note a problem."""
        self.problems.setdefault(check, []).append(f"{self.shard}: {what}")


def verify_shard(data: bytes | None, entry: ShardEntry, schema: Schema, compression: Compression) -> ShardFindings:
    """Check a shard's object (``None``: it is not there) against its manifest entry."""
    findings = ShardFindings(entry.shard)
    if data is None:
        findings.add(PRESENT, f"{entry.path} is missing")
        return findings
    findings.bytes = len(data)
    if len(data) != entry.bytes:
        findings.add(CHECKSUM, f"{len(data)} bytes, the manifest says {entry.bytes}")
    if hashlib.sha256(data).hexdigest() != entry.object_sha256:
        findings.add(CHECKSUM, "the object's SHA-256 is not the recorded one")
    _check_layout(entry, len(data), findings)
    content = hashlib.sha256()
    for case, block in _blocks(data, entry, schema, compression, findings):
        content.update(block)
        _check_case(case, block, schema, findings)
    findings.content_sha256 = content.hexdigest()
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


def _blocks(
    data: bytes, entry: ShardEntry, schema: Schema, compression: Compression, findings: ShardFindings
) -> Iterator[tuple[CaseEntry, bytes]]:
    """Each case with its uncompressed records."""
    for case in entry.cases:
        member = data[case.offset : case.offset + case.length]
        try:
            yield case, _inflated(member, compression, case.records * largest_record_bytes(schema))
        except IntegrityError as error:
            findings.add(RECORDS, f"case {case.case_id}: {error.what} [{error.code}]")


def _inflated(member: bytes, compression: Compression, limit: int) -> bytes:
    """The member's content; one that somebody put there to fill the memory is refused."""
    pieces: list[bytes] = []
    size = 0
    for piece in decompress_members((member,), compression):
        size += len(piece)
        if size > limit:
            raise IntegrityError("record_count", f"holds more than the {limit:,} bytes that its records can fill")
        pieces.append(piece)
    return b"".join(pieces)


def largest_record_bytes(schema: Schema) -> int:
    """What one record of the schema takes at the most, in the widest encoding that protobuf allows."""
    values = sum((12 + (field.bytes_length or 0)) * field.size for field in schema.fields)
    return values + sum(64 + len(field.name.encode()) for field in schema.fields) + 64


def _check_case(case: CaseEntry, block: bytes, schema: Schema, findings: ShardFindings) -> None:
    try:
        batch = parse_batch(schema, block)
    except IntegrityError as error:
        findings.add(RECORDS, f"case {case.case_id}: {error.where}: {error.what} [{error.code}]")
        return
    findings.records += batch.records
    if batch.records != case.records:
        findings.add(RECORDS, f"case {case.case_id} has {batch.records} records, the manifest says {case.records}")
    if batch.records:
        for problem in value_problems(batch.columns, schema):
            findings.add(VALUES, f"case {case.case_id}: {problem}")
        for problem in _provenance_problems(batch.columns, case, schema):
            findings.add(PROVENANCE, f"case {case.case_id}: {problem}")


def value_problems(columns: Columns, schema: Schema) -> Iterator[str]:
    """Values that are not finite or out of the schema's range, one sentence a field."""
    for field_ in schema.fields:
        if field_.kind is Kind.BYTES:
            continue
        values = columns[field_.name]
        # Minimum and maximum carry NaN along, so one pass over the values answers all three questions.
        low, high = values.min(initial=np.inf) if values.dtype.kind == "f" else values.min(), values.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            yield f"{field_.name} holds values that are not finite"
        elif field_.minimum is not None and low < field_.minimum:
            yield f"{field_.name} goes down to {low:g}, below {field_.minimum:g}"
        elif field_.maximum is not None and high > field_.maximum:
            yield f"{field_.name} goes up to {high:g}, above {field_.maximum:g}"


def _provenance_problems(columns: Columns, case: CaseEntry, schema: Schema) -> Iterator[str]:
    expected = ((schema.case_field, case.case_number), (schema.group_field, case.group_number))
    for name, number in expected:
        if name is not None and (columns[name] != number).any():
            others = sorted(set(np.unique(columns[name]).tolist()) - {number})
            yield f"{name} is {others[:3]} in some records, not {number}"
    order: NDArray[np.int64] = columns[schema.order_field].reshape(-1).astype(np.int64)
    if (np.diff(order) <= 0).any():
        yield f"{schema.order_field} does not rise from record to record"
