"""How many of very many videos are copies of another, from figures that add up over any grouping and stay small.

Of all different videos the sketch keeps those with the lowest digests, and how often each was seen. Which those are
does not depend on the grouping, and a video that is there twice is kept twice or not at all. Up to :data:`KEPT`
different videos the count is exact; of more it is a sample that the digests draw (bottom-k sketch, Cohen and Kaplan,
PODC 2007), with a standard error below 0.06 percentage points at a share of 1 %.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEPT = 1 << 15


@dataclass(frozen=True)
class VideoSketch:
    """The lowest digests, rising, uint64 [k], and how many videos have each, int64 [k]."""

    digests: NDArray[np.uint64]
    counts: NDArray[np.int64]

    def __add__(self, other: VideoSketch) -> VideoSketch:
        return _counted(np.concatenate([self.digests, other.digests]), np.concatenate([self.counts, other.counts]))

    @property
    def duplicate_share(self) -> float:
        """Videos that repeat another one, as a share of those that were kept."""
        videos = int(self.counts.sum())
        return (videos - len(self.digests)) / videos if videos else 0.0

    def as_json(self) -> dict[str, Any]:
        """Digests in base64; counts only where they are not 1, as [place, count]."""
        several = np.flatnonzero(self.counts != 1)
        return {
            "digests": b64encode(self.digests.astype("<u8").tobytes()).decode(),
            "several": [[int(at), int(self.counts[at])] for at in several],
        }


def read_sketch(value: dict[str, Any]) -> VideoSketch:
    """The inverse of :meth:`VideoSketch.as_json`."""
    digests = np.frombuffer(b64decode(str(value["digests"])), "<u8").astype(np.uint64)
    counts = np.ones(len(digests), np.int64)
    for at, count in value["several"]:
        counts[int(at)] = int(count)
    return VideoSketch(digests, counts)


def sketch_videos(videos: NDArray[np.uint8]) -> VideoSketch:
    """The sketch of videos [n, bytes]; a digest is the first eight bytes of a video's SHA-256."""
    digests = b"".join(hashlib.sha256(video).digest()[:8] for video in np.ascontiguousarray(videos))
    return _counted(np.frombuffer(digests, "<u8").astype(np.uint64), np.ones(len(videos), np.int64))


def _counted(digests: NDArray[np.uint64], counts: NDArray[np.int64]) -> VideoSketch:
    lowest, where = np.unique(digests, return_inverse=True)
    totals = np.zeros(len(lowest), np.int64)
    np.add.at(totals, where, counts)
    return VideoSketch(lowest[:KEPT], totals[:KEPT])
