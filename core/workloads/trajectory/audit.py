"""What is measured in records that were read back: figures that add up over any grouping of the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.workload import Columns
from core.workloads.trajectory.baseline import Tracks, keep_tracks, read_tracks
from core.workloads.trajectory.camera import LEAST_FOCAL, MOST_FOCAL, in_frame, project
from core.workloads.trajectory.classes import CLASS_NAMES, CLASSES, class_of
from core.workloads.trajectory.configuration import CameraKind, Configuration, OutOfFrame
from core.workloads.trajectory.dots import dot_tracks
from core.workloads.trajectory.duplicates import VideoSketch, read_sketch, sketch_videos
from core.workloads.trajectory.examples import FARTHEST
from core.workloads.trajectory.shape_figures import NO_NUMBER, shape_figures

Json = dict[str, Any]
Floats = NDArray[np.float64]

NUMBER_BITS = 62
"""Sums of sample numbers' hashes are kept modulo 2⁶², which every reader of JSON can hold."""


@dataclass(frozen=True)
class AuditFigures:
    """``counts`` are added, of ``largest`` the larger one holds."""

    counts: Mapping[str, int]
    largest: Mapping[str, float]
    videos: VideoSketch
    tracks: Tracks

    def __add__(self, other: AuditFigures) -> AuditFigures:
        counts = {name: count + other.counts[name] for name, count in self.counts.items()}
        counts["numbers_hash"] %= 1 << NUMBER_BITS
        largest = {name: max(figure, other.largest[name]) for name, figure in self.largest.items()}
        return AuditFigures(counts, largest, self.videos + other.videos, self.tracks + other.tracks)

    def as_json(self) -> Json:
        """Plain JSON; :func:`read_figures` is the inverse."""
        return {
            "counts": dict(self.counts),
            "largest": dict(self.largest),
            "videos": self.videos.as_json(),
            "tracks": self.tracks.as_json(),
        }


def read_figures(value: Json) -> AuditFigures:
    """The inverse of :meth:`AuditFigures.as_json`."""
    return AuditFigures(value["counts"], value["largest"], read_sketch(value["videos"]), read_tracks(value["tracks"]))


def audit(columns: Columns, configuration: Configuration) -> AuditFigures:
    """The figures of some records, as columns of the workload's schema; no value in them is trusted."""
    samples = columns["sample"].reshape(-1).astype(np.int64)
    labels = columns["label"].reshape(-1).astype(np.int64)
    count, frames, image = len(samples), configuration.frames, configuration.image
    videos = columns["video"].reshape(count, frames, image, image, configuration.channels).astype(np.uint8, copy=False)
    dots = dot_tracks(videos)
    counts = {"rows": count, "numbers_hash": hash_numbers(samples)}
    counts.update({f"rows_{name}": int((labels == label).sum()) for label, name in enumerate(CLASS_NAMES)})
    counts["mislabelled"] = int((labels != class_of(samples)).sum())
    shown = (columns["visible"] == 1) | (configuration.out_of_frame is not OutOfFrame.MASK)
    counts["frame_pairs"], counts["still_frames"] = _still_frames(videos, shown)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        views = _view_figures(columns, configuration, dots)
        shapes = shape_figures(columns["trajectory"].astype(np.float64), labels, configuration)
    return AuditFigures(
        counts={**counts, **views.counts, **shapes.counts},
        largest={**views.largest, **shapes.largest},
        videos=sketch_videos(videos.reshape(count, -1)),
        tracks=keep_tracks(samples, labels, dots),
    )


def hash_numbers(samples: NDArray[np.int64]) -> int:
    """The sum of a hash of each number (splitmix64, Steele et al. 2014): which numbers there are, in any order."""
    mixed = samples.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return int(mixed.sum(dtype=np.uint64)) % (1 << NUMBER_BITS)


def _still_frames(videos: NDArray[np.uint8], shown: NDArray[np.bool_]) -> tuple[int, int]:
    """Pairs of frames with a disc in either, and those whose second is the same as the first; ``shown`` [n, frames]."""
    count, frames = shown.shape
    flat = videos.reshape(count, frames, -1)
    pairs = shown[:, 1:] | shown[:, :-1]
    return int(pairs.sum()), int((pairs & (flat[:, 1:] == flat[:, :-1]).all(axis=2)).sum())


@dataclass(frozen=True)
class _Views:
    counts: dict[str, int]
    largest: dict[str, float]


def _view_figures(columns: Columns, configuration: Configuration, dots: Floats) -> _Views:
    """Whether numbers are finite and in range, and path, camera, picture and flags tell the same."""
    points, cameras, projected = (columns[name].astype(np.float64) for name in ("trajectory", "camera", "projected"))
    image, clipped = configuration.image, configuration.out_of_frame is OutOfFrame.CLIP
    finite = np.isfinite(np.concatenate([array.reshape(len(array), -1) for array in (points, cameras, projected)], 1))
    seen = project(points, cameras, image)
    inside = in_frame(seen, image)
    expected = np.minimum(np.maximum(seen, 0.0), image - 1.0) if clipped else seen
    visible = columns["visible"] == 1
    # At the very border, the two roundings to float32 may decide differently.
    doubtful = in_frame(seen + 1e-3, image) != in_frame(seen - 1e-3, image)
    reach = configuration.radius_px + 1.0
    whole = ((projected >= reach) & (projected <= image - reach)).all(axis=2) & (visible | clipped)
    return _Views(
        counts={
            "points": visible.size,
            "points_visible": int(visible.sum()),
            "points_misflagged": int(((visible != inside) & ~doubtful).sum()),
            "not_finite": int((~finite).sum()),
            "out_of_range": int((~_in_range(points, cameras, projected, columns, configuration)).sum()),
        },
        largest={
            "projection_error_px": _largest(np.abs(projected - expected)),
            "dot_error_px": _largest(np.where(whole[..., None], np.abs(dots - projected), 0.0)),
        },
    )


def _in_range(
    points: Floats, cameras: Floats, projected: Floats, columns: Columns, configuration: Configuration
) -> NDArray[np.bool_]:
    """Whether all values of an example lie where the configuration puts them, [n]."""
    image = configuration.image
    label, visible = columns["label"], columns["visible"]
    fine: NDArray[np.bool_] = (
        (label >= 0).all(axis=1) & (label < CLASSES).all(axis=1) & ((visible == 0) | (visible == 1)).all(axis=1)
    )
    fine &= (columns["sample"] >= 0).all(axis=1)
    fine &= (np.abs(points) <= FARTHEST).all(axis=(1, 2)) & (points[..., 2] > cameras[:, None, 3]).all(axis=1)
    if configuration.camera is CameraKind.AUTO:
        focal = cameras[:, 0] / image
        fine &= (focal >= LEAST_FOCAL * (1 - 1e-6)) & (focal <= MOST_FOCAL * (1 + 1e-6))
    if configuration.out_of_frame is not OutOfFrame.MASK:
        fine &= in_frame(projected, image).all(axis=1)
    return fine


def _largest(values: Floats) -> float:
    """The largest value of those from 0 on; what is not finite counts as the largest there is."""
    return float(np.nan_to_num(values, nan=NO_NUMBER, posinf=NO_NUMBER).max(initial=0.0))
