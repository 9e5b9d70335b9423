"""The workload's configuration: every figure that a user may change, and what the two presets stand for."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.workloads.settings import checked_settings

MOST_BLOCK_BYTES = 256 * 1024 * 1024
"""Video bytes of one block of samples, which stands in memory at once."""

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

    @model_validator(mode="after")
    def _check(self) -> Configuration:
        if self.channels not in (1, 3):
            raise ValueError("channels is 1 (grey) or 3 (RGB)")
        most = MOST_BLOCK_BYTES // self.video_bytes
        if self.block_size > most:
            raise ValueError(
                f"a block of {self.block_size} such videos does not fit into memory: block_size at most {most}"
            )
        return self

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
        An unknown setting or a value out of its bounds.
    """
    return checked_settings(Configuration, settings, "docs/trajectory.md")
