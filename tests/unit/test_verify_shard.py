"""What verification reads of a shard, member by member."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from core.examples.members import Compression, compress_member
from core.examples.pack import pack_examples
from core.run.models import CaseEntry, ShardEntry
from core.run.verify_shard import CHECKSUM, CONTENT, RECORDS, verify_shard
from core.schema import Field, Kind, Role, Schema
from core.workload import Outcome

SCHEMA = Schema(
    fields=(
        Field(name="order", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
        Field(name="signal", kind=Kind.FLOAT, shape=(500,), role=Role.INPUT),
    ),
    case_field=None,
    group_field=None,
    order_field="order",
)


def block(seed: int, records: int) -> bytes:
    signal = np.random.default_rng(seed).random((records, 500), np.float32)
    return pack_examples(SCHEMA, {"order": np.arange(records)[:, None], "signal": signal}).data


BLOCKS = [block(1, 900), block(2, 3)]


def shard(members: list[bytes]) -> tuple[bytes, ShardEntry]:
    offsets = [0, len(members[0])]
    cases = tuple(
        CaseEntry(
            case_id=str(number), case_number=number, group="g", group_number=number, outcome=Outcome.DONE,
            records=records, offset=offset, length=len(member),
        )
        for number, (records, offset, member) in enumerate(zip([900, 3], offsets, members, strict=True))
    )  # fmt: skip
    data = b"".join(members)
    return data, ShardEntry(
        shard="train-00000", split="train", path="train/train-00000.tfrecord.gz", bytes=len(data), records=903,
        object_sha256=hashlib.sha256(data).hexdigest(), content_sha256=hashlib.sha256(b"".join(BLOCKS)).hexdigest(),
        cases=cases,
    )  # fmt: skip


@pytest.mark.parametrize("compression", Compression)
def test_a_sound_shard_in_several_batches(compression: Compression) -> None:
    data, entry = shard([compress_member(content, compression=compression) for content in BLOCKS])
    findings = verify_shard(data, entry, SCHEMA, compression)
    assert (findings.problems, findings.records, findings.content_sha256) == ({}, 903, entry.content_sha256)


@pytest.mark.parametrize("back", [1, 5, 8])
def test_a_member_whose_own_checksum_is_wrong_adds_nothing(back: int) -> None:
    data, entry = shard([compress_member(content) for content in BLOCKS])
    damaged = bytearray(data)
    damaged[entry.cases[1].offset - back] ^= 1
    findings = verify_shard(bytes(damaged), entry, SCHEMA, Compression.GZIP)
    assert set(findings.problems) == {CHECKSUM, RECORDS, CONTENT}
    assert "member" in findings.problems[RECORDS][0]
    assert findings.records == 3
    assert findings.content_sha256 == hashlib.sha256(BLOCKS[1]).hexdigest()


def test_content_behind_a_bad_record_is_hashed() -> None:
    bad = bytearray(BLOCKS[0])
    bad[5_000] ^= 1
    data, entry = shard([compress_member(bytes(bad)), compress_member(BLOCKS[1])])
    findings = verify_shard(data, entry, SCHEMA, Compression.GZIP)
    assert findings.problems[RECORDS][0].endswith(
        "case 0: record 2: the checksum of the data does not match [record_crc]"
    )
    assert findings.content_sha256 == hashlib.sha256(bytes(bad) + BLOCKS[1]).hexdigest()


def test_a_member_that_fills_the_memory_is_given_up() -> None:
    data, entry = shard([compress_member(bytes(50_000_000)), compress_member(BLOCKS[1])])
    findings = verify_shard(data, entry, SCHEMA, Compression.GZIP)
    assert "case 0: holds more than" in findings.problems[RECORDS][0]
    assert findings.records == 3


@pytest.mark.parametrize("compression", Compression)
def test_an_object_with_another_checksum_is_told(compression: Compression) -> None:
    data, entry = shard([compress_member(content, compression=compression) for content in BLOCKS])
    findings = verify_shard(data, entry.model_copy(update={"object_sha256": "0" * 64}), SCHEMA, compression)
    assert set(findings.problems) == {CHECKSUM}


def test_an_object_is_hashed_apart_where_cases_do_not_follow_each_other() -> None:
    data, entry = shard(BLOCKS)
    first, second = entry.cases
    moved = first.model_copy(update={"offset": second.offset, "length": second.length, "records": second.records})
    content = hashlib.sha256(BLOCKS[1] + BLOCKS[1]).hexdigest()
    doubled = entry.model_copy(update={"cases": (moved, second), "content_sha256": content})
    findings = verify_shard(data, doubled, SCHEMA, Compression.NONE)
    assert set(findings.problems) == {RECORDS}
    assert findings.content_sha256 == content


def test_an_uncompressed_object_with_bytes_behind_its_cases_has_another_checksum() -> None:
    data, entry = shard(BLOCKS)
    findings = verify_shard(data + b"?", entry, SCHEMA, Compression.NONE)
    assert set(findings.problems) == {CHECKSUM, RECORDS}
    assert len(findings.problems[CHECKSUM]) == 2
