"""Where the disc stands in each frame, found in the pixels alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def dot_tracks(videos: NDArray[np.uint8]) -> Floats:
    """The centre of darkness [n, frames, 2], right and down in px, of videos [n, frames, height, width, channels].

    A frame that is all white has its dot at (0, 0). Sums are of whole numbers, so the order makes no difference.
    """
    count, frames, height, width, channels = videos.shape
    dark = 255 - videos.reshape(count * frames, height, width * channels)
    by_row = dark.sum(axis=2, dtype=np.uint32).astype(np.int64)
    by_value = dark.sum(axis=1, dtype=np.uint32).astype(np.int64)
    by_column = by_value.reshape(count * frames, width, channels).sum(axis=2)
    weight = np.maximum(by_row.sum(axis=1), 1)
    # Twice the distance of a pixel's middle from the edge is a whole number.
    right = (by_column * (2 * np.arange(width) + 1)).sum(axis=1) / (2 * weight)
    down = (by_row * (2 * np.arange(height) + 1)).sum(axis=1) / (2 * weight)
    return np.stack([right, down], axis=1).reshape(count, frames, 2)
