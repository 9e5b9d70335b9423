"""The commit of a shard: the object first, then the record, both created and never overwritten (design, rule 2)."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

from core.errors import IntegrityError
from core.examples.members import Compression, decompress_member
from core.run.layout import DataSetLayout, RunLayout, shard_path
from core.run.models import CaseEntry, CommitRecord, PlannedShard, RunRequest, Worker
from core.run.shard import OpenShard
from core.store import Store
from core.wrong_values import why_unreadable


def read_commit(store: Store, layout: RunLayout, shard: str) -> CommitRecord | None:
    """The shard's commit record, or None where it is not committed.

    Raises
    ------
    IntegrityError
        ``commit_damaged``: it is there and cannot be read.
    """
    try:
        return CommitRecord.model_validate_json(store.get(layout.commit(shard)))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise IntegrityError(
            "commit_damaged",
            f"the commit record cannot be read: {why_unreadable(error)}",
            where=f"{store.uri}/{layout.commit(shard)}",
            fix="Remove it and start the same command again: its shard is worked once more and compared.",
        ) from error


def commit_shard(store: Store, request: RunRequest, planned: PlannedShard, shard: OpenShard, made_by: Worker) -> bool:
    """Write object and record; False where another worker's record was first.

    Raises
    ------
    IntegrityError
        ``object_conflict``: an object is there without a record and holds other records than these.
    """
    path = shard_path(planned.shard, planned.split, request.compression)
    key = DataSetLayout.named(request.data_set).key(path)
    data = shard.object_bytes()
    entries: Sequence[CaseEntry] = shard.entries
    if not store.put_if_absent(key, data):
        data = store.get(key)
        entries = _entries_of(data, request.compression, shard, key)
    record = CommitRecord(
        shard=planned.shard,
        split=planned.split,
        path=path,
        content_sha256=shard.content.hexdigest(),
        object_sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        records=shard.records,
        cases=tuple(entries),
        figures=shard.figures,
        histograms={name: counts.tolist() for name, counts in shard.histograms.items()},
        made_by=made_by,
    )
    return store.put_if_absent(RunLayout(request.run_id).commit(planned.shard), record.to_bytes())


def _entries_of(data: bytes, compression: Compression, shard: OpenShard, key: str) -> list[CaseEntry]:
    """The entries with offsets into an object that somebody else wrote, after checking that its content is ours."""
    try:
        same = hashlib.sha256(decompress_member(data, compression)).hexdigest() == shard.content.hexdigest()
    except IntegrityError:
        same = False
    if not same:
        raise IntegrityError(
            "object_conflict",
            "an object is there that no commit record names, with other records than this run's",
            where=key,
            fix="Move it away and run again.",
        )
    if data == shard.object_bytes():
        return list(shard.entries)
    # Another processor's deflate wrote other bytes for the same records: its members are found one by one.
    lengths = iter(_member_lengths(data))
    entries, offset = [], 0
    for entry in shard.entries:
        length = next(lengths) if entry.records else 0
        entries.append(entry.model_copy(update={"offset": offset, "length": length}))
        offset += length
    return entries


def _member_lengths(data: bytes) -> list[int]:
    lengths = []
    while data:
        unpacker = zlib.decompressobj(wbits=31)
        unpacker.decompress(data)
        lengths.append(len(data) - len(unpacker.unused_data))
        data = unpacker.unused_data
    return lengths
