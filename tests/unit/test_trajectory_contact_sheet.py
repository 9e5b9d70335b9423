"""Contact sheets show the first videos of their class, as PNG that others can read."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.workloads.trajectory.classes import PathClass
from core.workloads.trajectory.configuration import resolve_configuration
from core.workloads.trajectory.contact_sheet import class_sheet, sheet_text
from core.workloads.trajectory.examples import make_examples
from core.workloads.trajectory.png import png_bytes


def read(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(png)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_comes_back_from_its_file(channels: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (7, 13, channels), np.uint8)
    assert np.array_equal(read(png_bytes(picture)).reshape(picture.shape), picture)


@pytest.mark.parametrize("kind", PathClass)
def test_a_sheet_shows_the_first_videos_of_its_class(kind: PathClass) -> None:
    configuration = resolve_configuration({})
    png = class_sheet(configuration, kind)
    assert png == class_sheet(configuration, kind)
    assert len(png) < 60_000
    sheet = read(png)
    videos = make_examples(configuration, np.arange(kind, 24, 4))["video"].reshape(6, 8, 32, 32)
    for row in range(6):
        top = 4 + row * 100
        whole = sheet[top : top + 96 : 3, 4 : 4 + 96 : 3]
        assert np.array_equal(whole, videos[row].min(axis=0))
        for frame in range(8):
            left = 4 + (frame + 1) * 100 + 16
            assert np.array_equal(sheet[top : top + 96 : 3, left : left + 96 : 3], videos[row, frame])
    assert kind.name.lower() in sheet_text(configuration, kind)


def test_long_videos_show_some_of_their_frames() -> None:
    configuration = resolve_configuration({"frames": 40, "image": 128, "channels": 3, "block_size": 100})
    sheet = read(class_sheet(configuration, PathClass.HELICAL, rows=2))
    assert sheet.shape == (4 + 2 * 132, 4 + 9 * 132 + 16, 3)
    assert "8 of 40 frames" in sheet_text(configuration, PathClass.HELICAL, rows=2)
