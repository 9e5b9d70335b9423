"""Which shards are verified together: groups that one function of 2 GB and 15 minutes reads with time to spare."""

from __future__ import annotations

from collections.abc import Sequence

from core.run.models import PlannedShard, RunRequest
from core.schema import Kind, Schema

MOST_GROUPS = 100
"""So that the history of an execution has room for them, seven events each, after all looks of its guard."""

GROUP_SHARDS = 50
GROUP_BYTES = 8 << 30
"""Uncompressed: under two minutes at 100 MB/s, less than half of what one slow processor verifies."""

_VALUE_BYTES = {Kind.FLOAT: 4, Kind.INT64: 5, Kind.BYTES: 0}


def groups_of(request: RunRequest, shards: Sequence[PlannedShard]) -> list[tuple[str, ...]]:
    """The groups of a run, by its plan alone: every function that asks gets the same."""
    return verify_groups(shards, typical_record_bytes(request.schema_))


def verify_groups(shards: Sequence[PlannedShard], record_bytes: int) -> list[tuple[str, ...]]:
    """Shards in order, cut where a group would pass ``GROUP_SHARDS`` or ``GROUP_BYTES``; at most ``MOST_GROUPS``.

    A shard is read alone, so what a group needs of memory is its largest shard, whatever the group.
    """
    limit_shards, limit_bytes = GROUP_SHARDS, GROUP_BYTES
    while len(groups := _cut(shards, record_bytes, limit_shards, limit_bytes)) > MOST_GROUPS:
        limit_shards, limit_bytes = 2 * limit_shards, 2 * limit_bytes
    return groups


def typical_record_bytes(schema: Schema) -> int:
    """What one record of the schema takes uncompressed, about."""
    return sum((_VALUE_BYTES[field.kind] + (field.bytes_length or 0)) * field.size for field in schema.fields)


def _cut(shards: Sequence[PlannedShard], record_bytes: int, most_shards: int, most_bytes: int) -> list[tuple[str, ...]]:
    groups: list[list[str]] = []
    filled = 0
    for shard in shards:
        size = shard.estimated_records * record_bytes
        if not groups or len(groups[-1]) == most_shards or filled + size > most_bytes:
            groups.append([])
            filled = 0
        groups[-1].append(shard.shard)
        filled += size
    return [tuple(group) for group in groups]
