"""The workload's configuration: every figure that a user may change, and what the two presets stand for."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.errors import BadRequestError
from core.workloads.settings import checked_settings

MOST_BLOCK_BYTES = 256 * 1024 * 1024
"""Video bytes of one block of samples, which stands in memory at once."""

MOST_BLOCKS = 100_000
"""Blocks of one plan, which holds up to three cases of each in memory: 0.5 GB, measured."""

CLASSIC_FOCAL_PX = 50.0
CLASSIC_RADIUS_PX = 5.0
DISC_SHARE = 0.08
"""Radius of the disc as a share of the frame's side (spec/trajectory, "Camera and rendering")."""


class Preset(str, Enum):
    """``classic`` compares with older data."""

    DEFAULT = "default"
    CLASSIC = "classic"


class CameraKind(str, Enum):
    """``auto`` frames each path; ``fixed`` has 50 px focal length and stands at the origin."""

    AUTO = "auto"
    FIXED = "fixed"


class OutOfFrame(str, Enum):
    """What is done about points out of frame: draw the path anew, do not show them, or move them to the border."""

    REJECT = "reject"
    MASK = "mask"
    CLIP = "clip"


class Configuration(BaseModel):
    """Resolved configuration of the trajectory workload; ``image`` is the frame's side in pixels.

    ``augment`` is the probability that a path is augmented. ``camera`` and ``out_of_frame`` follow the preset where
    they are not given: ``auto`` and ``reject``, or ``fixed`` and ``clip``. ``salt`` is that of the split. A sample
    depends on neither ``samples`` nor ``block_size`` nor ``salt``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    samples: int = Field(default=30_000, ge=1, le=1_000_000_000)
    block_size: int = Field(default=250, ge=1, le=100_000)
    frames: int = Field(default=8, ge=4, le=256)
    image: int = Field(default=32, ge=16, le=512)
    channels: int = 1
    augment: float = Field(default=0.5, ge=0.0, le=1.0)
    seed: int = Field(default=42, ge=0, lt=1 << 63)
    preset: Preset = Preset.DEFAULT
    camera: CameraKind = CameraKind.AUTO
    out_of_frame: OutOfFrame = OutOfFrame.REJECT
    open_circle: bool = False
    salt: str = "casemill"

    @model_validator(mode="before")
    @classmethod
    def _by_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("preset") not in (Preset.CLASSIC, Preset.CLASSIC.value):
            return values
        return {"camera": CameraKind.FIXED, "out_of_frame": OutOfFrame.CLIP, **values}

    @field_validator("channels")
    @classmethod
    def _grey_or_colour(cls, value: int) -> int:
        if value not in (1, 3):
            raise ValueError(f"{value} is neither 1 (grey) nor 3 (RGB)")
        return value

    @field_validator("salt")
    @classmethod
    def _has_bytes(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError(f"{value!r} has characters that cannot be printed")
        return value

    @property
    def classic(self) -> bool:
        """Whether the paths are those of older data."""
        return self.preset is Preset.CLASSIC

    @property
    def video_bytes(self) -> int:
        """Bytes of one video."""
        return self.frames * self.image * self.image * self.channels

    @property
    def radius_px(self) -> float:
        """Radius of the disc."""
        return CLASSIC_RADIUS_PX if self.classic else DISC_SHARE * self.image


def resolve_configuration(settings: dict[str, Any]) -> Configuration:
    """Settings as a user gives them, checked and completed.

    Raises
    ------
    BadRequestError
        ``bad_setting``: an unknown setting, a value out of its bounds, or blocks that are too large or too many.
    """
    configuration = checked_settings(Configuration, settings, "docs/trajectory.md")
    _check_blocks(configuration)
    return configuration


def _check_blocks(configuration: Configuration) -> None:
    """A block must fit into a worker's memory, and all blocks into a plan's."""
    samples, size = configuration.samples, configuration.block_size
    most, blocks = MOST_BLOCK_BYTES // configuration.video_bytes, -(-samples // size)
    if size > most:
        what = f"{size:,} videos of {configuration.video_bytes:,} bytes do not fit into memory together"
        raise BadRequestError("bad_setting", what, where="block_size", fix=f"Take {most} or less.")
    if blocks > MOST_BLOCKS:
        least = -(-samples // MOST_BLOCKS)
        what = f"{samples:,} samples in blocks of {size} are {blocks:,} blocks, {MOST_BLOCKS:,} are the most"
        fix = f"Take a block_size of {least} to {most}." if least <= most else f"Take {most * MOST_BLOCKS} or less."
        raise BadRequestError("bad_setting", what, where="block_size" if least <= most else "samples", fix=fix)
