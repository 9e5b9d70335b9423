"""How many children an array gets where nobody says: so many that each works for some minutes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.cost.time_model import TimeModel
from core.run.models import PlannedShard

CHILD_SECONDS = 240.0
"""AWS advises 3 to 5 minutes a job (Batch user guide, "Best practices", batching of short jobs): a shorter one mostly
waits for its container and its instance, a longer one loses more of its place to a reclaimed machine than it gains."""

LARGEST_ARRAY = 10_000
"""Children of an array job at the most (AWS Batch API, ArrayProperties)."""


def array_width(model: TimeModel | None, shards: Sequence[PlannedShard]) -> int:
    """The children for these shards: never more than shards, nor than an array takes.

    The seconds are the model's likely ones, which on a machine that nobody has measured may be half or twice of it.
    Without a model, each shard gets its own child.
    """
    most = min(len(shards), LARGEST_ARRAY)
    if model is None:
        return most
    seconds = sum(model.shard_seconds(shard) for shard in shards)
    return max(1, min(most, math.ceil(seconds / CHILD_SECONDS)))
