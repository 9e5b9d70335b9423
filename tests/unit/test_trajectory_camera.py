"""The camera frames every path, and what is out of its frame is dealt with as asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.errors import ContentError
from core.workloads.trajectory import examples
from core.workloads.trajectory.camera import FILL, MOST_OFFSET, framing_cameras, in_frame, project
from core.workloads.trajectory.configuration import resolve_configuration
from core.workloads.trajectory.examples import make_examples, place_scenes
from core.workloads.trajectory.rendering import Videos
from core.workloads.trajectory.streams import PARAMETERS


@given(
    arrays(np.float64, (3, 6, 3), elements=st.floats(-1.0, 1.0, width=32)),
    arrays(np.float64, (3, PARAMETERS), elements=st.floats(0.0, 1.0, exclude_max=True, width=32)),
    st.sampled_from([16, 32, 100]),
)
def test_any_path_fills_its_frame_near_the_middle(points: Any, numbers: Any, image: int) -> None:
    points = points + np.array([0.0, 0.0, 3.0])
    cameras = framing_cameras(points, numbers, image)
    focal = cameras[:, 0] * 32 / image
    assert ((focal >= 50 - 1e-9) & (focal <= 500 + 1e-9)).all()
    assert (points[..., 2] > cameras[:, None, 3]).all()
    seen = project(points, cameras, image) / image
    low, high = seen.min(axis=1), seen.max(axis=1)
    extent = (high - low).max(axis=1)
    assert (extent <= FILL + 1e-6).all()
    # Only a path so small that the camera would have to touch it fills less.
    near = points[..., 2].min(axis=1) - cameras[:, 3] < 0.2 + 1e-6
    assert ((extent > FILL - 1e-6) | near).all()
    assert np.abs((low + high) / 2 - 0.5).max() <= MOST_OFFSET + 1e-6
    assert in_frame(seen * image, image).all()


def test_a_path_that_does_not_move_has_a_camera_too() -> None:
    points = np.broadcast_to(np.array([0.3, -0.2, 2.0]), (1, 8, 3))
    cameras = framing_cameras(points, np.full((1, PARAMETERS), 0.5), 32)
    assert np.isfinite(cameras).all()
    assert np.abs(project(points, cameras, 32) - 16.0).max() < 1e-9


@pytest.mark.parametrize("frames", [4, 8, 40])
def test_every_sample_fills_seventy_percent_and_is_seen(frames: int) -> None:
    scenes = place_scenes(resolve_configuration({"frames": frames}), np.arange(2_000))
    extent = np.ptp(scenes.projected, axis=1).max(axis=1) / 32
    assert np.abs(extent - 0.7).max() < 1e-5
    assert scenes.visible.all()


def classic(samples: int, **settings: Any) -> dict[str, Any]:
    return dict(make_examples(resolve_configuration({"preset": "classic", **settings}), np.arange(samples)))


def is_blank(video: Videos) -> Any:
    return (video.reshape(-1, 8, 32 * 32) == 255).all(axis=2)


def test_points_out_of_frame_are_moved_to_the_border() -> None:
    clipped, masked = classic(400, out_of_frame="clip"), classic(400, out_of_frame="mask")
    assert np.array_equal(clipped["projected"], np.clip(masked["projected"], 0, 31))
    assert np.array_equal(clipped["visible"], masked["visible"])
    assert not is_blank(clipped["video"]).any()


def test_points_out_of_frame_are_not_shown() -> None:
    masked = classic(400, out_of_frame="mask")
    inside = ((masked["projected"] >= 0) & (masked["projected"] <= 31)).all(axis=2)
    assert 0.8 < inside.mean() < 0.99
    assert np.array_equal(masked["visible"] == 1, inside)
    assert np.array_equal(is_blank(masked["video"]), ~inside)


def test_rejected_paths_are_drawn_again_from_the_same_stream() -> None:
    masked, rejected = classic(400, out_of_frame="mask"), classic(400, out_of_frame="reject")
    good = (masked["visible"] == 1).all(axis=1)
    assert np.array_equal(rejected["trajectory"][good], masked["trajectory"][good])
    assert (rejected["trajectory"][~good] != masked["trajectory"][~good]).any(axis=(1, 2)).all()
    assert (rejected["visible"] == 1).all()
    # Whatever else is drawn again beside it, a sample comes out the same.
    alone = make_examples(
        resolve_configuration({"preset": "classic", "out_of_frame": "reject"}), np.flatnonzero(~good)[-1:]
    )
    last = int(np.flatnonzero(~good)[-1])
    assert all(np.array_equal(alone[name][0], rejected[name][last]) for name in alone)


def test_a_path_that_never_fits_ends_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MOST_DRAWS", 5)
    monkeypatch.setattr(examples, "CLASSIC_FOCAL_PX", 5_000.0)
    with pytest.raises(ContentError, match=r"^sample 0: .* \[out_of_frame\]") as caught:
        classic(2, out_of_frame="reject", augment=0)
    assert caught.value.code == "out_of_frame"
