"""Faults planted in the examples of a published data set, each found by the check that is there for it.

Where a fault adapts checksums, the seal is adapted too, so that what finds the fault is the check that is named.
"""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest

from core.examples.pack import pack_examples
from core.examples.parse import iterate_records, parse_batch
from tests.command_line import casemill
from tests.data_set_copy import Command, DataSetCopy, failed_checks


def test_a_sound_data_set_passes(command: Command, copy: DataSetCopy) -> None:
    assert failed_checks(command, copy) == set()
    text = command("verify", copy.folder)
    assert text.code == 0
    assert "verified: tiny" in text.out
    assert "FAILED" not in text.out


def test_what_passes_can_be_resealed(command: Command, copy: DataSetCopy) -> None:
    # Otherwise the seal, not the fault, could be what the tests below find.
    for shard in copy.manifest["shards"]:
        copy.rewrite(shard, copy.blocks(shard))
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == set()


def test_verify_as_a_process(copy: DataSetCopy) -> None:
    copy.path(copy.shard("train-00001")).unlink()
    answer = casemill("verify", copy.folder, "--json")
    assert answer.code == 1
    assert next(check["name"] for check in answer.json["checks"] if not check["passed"]) == "shard objects"
    text = casemill("verify", copy.folder)
    assert text.code == 1
    assert "FAILED shard objects" in text.out
    assert "NOT VERIFIED" in text.out
    assert "Traceback" not in text.err


def test_a_missing_shard(command: Command, copy: DataSetCopy) -> None:
    copy.path(copy.shard("validation-00000")).unlink()
    assert "shard objects" in failed_checks(command, copy)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
def test_a_flipped_byte(command: Command, copy: DataSetCopy, share: float) -> None:
    path = copy.path(copy.shard("train-00002"))
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 0x10
    path.write_bytes(data)
    assert "checksums" in failed_checks(command, copy)


def test_a_flipped_byte_under_an_adapted_checksum(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00002")
    path = copy.path(shard)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x10
    path.write_bytes(data)
    shard["object_sha256"] = hashlib.sha256(data).hexdigest()
    copy.seal()
    failed = failed_checks(command, copy)
    assert "records" in failed
    assert not failed & {"checksums", "seal"}


def test_a_flipped_byte_within_a_record_that_was_compressed_again(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00002")
    first, *others = copy.blocks(shard)
    broken = bytearray(first)
    broken[500] ^= 0x01
    copy.write_object(shard, [gzip.compress(block, 6, mtime=0) for block in (bytes(broken), *others)])
    copy.seal()
    failed = failed_checks(command, copy)
    assert {"records", "content hash"} <= failed
    assert not failed & {"checksums", "seal"}


def frames(block: bytes) -> list[bytes]:
    """The records with their framing of 16 bytes."""
    found, at = [], 0
    for record in iterate_records([block]):
        found.append(block[at : at + len(record) + 16])
        at += len(record) + 16
    return found


def cut_last(block: bytes) -> bytes:
    """All records but the last: TensorFlow reads this without an error."""
    return b"".join(frames(block)[:-1])


def test_a_cut_at_a_record_boundary(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("test-00000")
    blocks = copy.blocks(shard)
    members = [gzip.compress(block, 6, mtime=0) for block in (*blocks[:-1], cut_last(blocks[-1]))]
    copy.path(shard).write_bytes(b"".join(members))
    assert {"checksums", "records", "content hash"} <= failed_checks(command, copy)


def test_a_cut_at_a_record_boundary_under_adapted_checksums(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("test-00000")
    blocks = copy.blocks(shard)
    copy.write_object(shard, [gzip.compress(block, 6, mtime=0) for block in (*blocks[:-1], cut_last(blocks[-1]))])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"records", "content hash", "root hash"}


def test_a_cut_that_adapts_the_counts_too(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("test-00000")
    blocks, content, root = copy.blocks(shard), shard["content_sha256"], copy.manifest["root_hash"]
    copy.rewrite(shard, [*blocks[:-1], cut_last(blocks[-1])])
    copy.add_up()
    shard["content_sha256"], copy.manifest["root_hash"] = content, root
    copy.seal()
    assert failed_checks(command, copy) == {"content hash", "root hash"}


def test_a_shard_cut_between_two_members(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00000")
    data = copy.path(shard).read_bytes()[: shard["cases"][1]["offset"]]
    copy.path(shard).write_bytes(data)
    shard.update(bytes=len(data), object_sha256=hashlib.sha256(data).hexdigest())
    copy.seal()
    failed = failed_checks(command, copy)
    assert "records" in failed
    assert not failed & {"checksums", "seal"}


def test_bytes_after_the_last_case(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00000")
    data = copy.path(shard).read_bytes()
    data += data[: shard["cases"][0]["length"]]
    copy.path(shard).write_bytes(data)
    shard.update(bytes=len(data), object_sha256=hashlib.sha256(data).hexdigest())
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"records"}


def test_swapped_shards(command: Command, copy: DataSetCopy) -> None:
    one, two = (copy.path(copy.shard(name)) for name in ("train-00000", "train-00001"))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert {"checksums", "content hash"} <= failed_checks(command, copy)


def test_swapped_shards_under_adapted_checksums(command: Command, copy: DataSetCopy) -> None:
    one, two = copy.shard("train-00000"), copy.shard("train-00001")
    first, second = copy.blocks(one), copy.blocks(two)
    copy.rewrite(one, second)
    copy.rewrite(two, first)
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"provenance"}


def test_a_case_twice_in_the_manifest(command: Command, copy: DataSetCopy) -> None:
    one, two = copy.shard("train-00000"), copy.shard("train-00001")
    blocks = copy.blocks(two)
    extra, block = dict(one["cases"][0]), copy.blocks(one)[0]
    two["cases"].append(extra)
    copy.rewrite(two, [*blocks, block])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"cases"}


def test_a_shard_twice_in_the_manifest(command: Command, copy: DataSetCopy) -> None:
    copy.manifest["shards"].append(copy.shard("train-00001"))
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"cases"}


def test_a_case_twice_in_its_shard(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00001")
    first, *others = copy.blocks(shard)
    copy.rewrite(shard, [first + first, *others])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"provenance"}


def test_one_record_twice(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00001")
    first, *others = copy.blocks(shard)
    copy.rewrite(shard, [frames(first)[0] + first, *others])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"provenance"}


def test_a_case_lost_from_the_manifest(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00003")
    blocks = copy.blocks(shard)
    shard["cases"].pop()
    copy.rewrite(shard, blocks[:-1])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"cases"}


def test_a_shard_lost_from_the_manifest_and_the_folder(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00003")
    copy.path(shard).unlink()
    copy.manifest["shards"].remove(shard)
    copy.add_up()
    copy.seal()
    assert "cases" in failed_checks(command, copy)


def test_a_case_lost_from_its_shard(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00003")
    first, _ = copy.blocks(shard)
    copy.write_object(shard, [gzip.compress(first, 6, mtime=0), b""])
    copy.seal()
    failed = failed_checks(command, copy)
    assert {"records", "content hash"} <= failed
    assert not failed & {"checksums", "seal"}


def test_a_case_that_was_never_planned(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00003")
    blocks = copy.blocks(shard)
    shard["cases"].append({**shard["cases"][0], "case_id": "9999", "outcome": "empty"})
    copy.rewrite(shard, [*blocks, b""])
    copy.write_object(shard, [*(gzip.compress(block, 6, mtime=0) for block in blocks), b""])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"cases"}


def test_a_case_moved_to_another_shard(command: Command, copy: DataSetCopy) -> None:
    one, two = copy.shard("train-00000"), copy.shard("train-00001")
    first, second = copy.blocks(one), copy.blocks(two)
    two["cases"].append(one["cases"].pop())
    copy.rewrite(two, [*second, first.pop()])
    copy.rewrite(one, first)
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"cases"}


def test_a_subject_on_two_sides(command: Command, copy: DataSetCopy) -> None:
    theirs = copy.shard("test-00000")["cases"][0]
    shard = copy.shard("train-00000")
    shard["cases"][0].update(group=theirs["group"], group_number=theirs["group_number"])
    first, *others = copy.blocks(shard)
    columns = dict(parse_batch(copy.schema, first).columns)
    columns["subject_id"] = np.full_like(columns["subject_id"], theirs["group_number"])
    copy.rewrite(shard, [pack_examples(copy.schema, columns).data, *others])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"split"}


def test_a_subject_on_two_sides_by_its_records_alone(command: Command, copy: DataSetCopy) -> None:
    theirs = copy.shard("test-00000")["cases"][0]
    shard = copy.shard("train-00000")
    first, *others = copy.blocks(shard)
    columns = dict(parse_batch(copy.schema, first).columns)
    columns["subject_id"] = columns["subject_id"].copy()
    columns["subject_id"][-1] = theirs["group_number"]
    copy.rewrite(shard, [pack_examples(copy.schema, columns).data, *others])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"provenance"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeseries", np.nan),
        ("timeseries", np.inf),
        ("timeseries", 1.001),
        ("targets", -1.5),
        ("static", np.nan),
        ("observed", -0.01),
        ("start_s", -30),
    ],
)
def test_a_value_that_cannot_be(command: Command, copy: DataSetCopy, field: str, value: float) -> None:
    shard = copy.shard("validation-00000")
    first, *others = copy.blocks(shard)
    columns = dict(parse_batch(copy.schema, first).columns)
    columns[field] = columns[field].copy()
    # The last value of the middle record, but the first start: it must go on rising.
    columns[field].reshape(len(columns[field]), -1)[0 if field == "start_s" else len(columns[field]) // 2, -1] = value
    copy.rewrite(shard, [pack_examples(copy.schema, columns).data, *others])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"values"}


def test_a_record_of_another_shape(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("validation-00000")
    first, *others = copy.blocks(shard)
    fields = [
        field.model_copy(update={"shape": (7,), "labels": ()}) if field.name == "static" else field
        for field in copy.schema.fields
    ]
    columns = dict(parse_batch(copy.schema, first).columns)
    columns["static"] = np.zeros((len(columns["static"]), 7), np.float32)
    other = copy.schema.model_copy(update={"fields": tuple(fields)})
    copy.rewrite(shard, [pack_examples(other, columns).data, *others])
    copy.add_up()
    copy.seal()
    assert failed_checks(command, copy) == {"records"}
