"""The workload's configuration: every figure that a user may change."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.workloads.settings import checked_settings
from core.workloads.vitaldb.profiles import Profile, resolve_profiles

DEFAULT_CONCENTRATIONS = {
    "Orchestra/PPF20_RATE": 20.0,
    "Orchestra/RFTN20_RATE": 20.0,
    "Orchestra/RFTN50_RATE": 50.0,
    "Orchestra/NEPI_RATE": 20.0,
}
"""Syringe content by pump track: propofol mg/mL, the others µg/mL (spec/vitaldb, step 3)."""


class Configuration(BaseModel):
    """Resolved configuration of the vitaldb workload; times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    window_s: int = Field(default=300, ge=1, le=86_400)
    step_s: int = Field(default=30, ge=1, le=86_400)
    horizon_s: int = Field(default=30, ge=0, le=86_400)
    profiles: tuple[Profile, ...] = Field(default_factory=lambda: resolve_profiles("auto"), min_length=1)
    concentrations: dict[str, float] = Field(default_factory=lambda: dict(DEFAULT_CONCENTRATIONS))

    @field_validator("profiles", mode="before")
    @classmethod
    def _profiles_by_name(cls, value: Any) -> Any:
        return resolve_profiles(value) if isinstance(value, str) else value

    @field_validator("concentrations")
    @classmethod
    def _complete(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(value) - set(DEFAULT_CONCENTRATIONS))
        if unknown or any(not 0 < content < 1e6 for content in value.values()):
            raise ValueError(f"give a content above 0 for pump tracks among {sorted(DEFAULT_CONCENTRATIONS)}")
        return {**DEFAULT_CONCENTRATIONS, **value}


def resolve_configuration(settings: dict[str, Any]) -> Configuration:
    """Settings as a user gives them, checked and completed.

    Raises
    ------
    BadRequestError
        An unknown setting or a value out of its bounds.
    """
    return checked_settings(Configuration, settings, "docs/vitaldb.md")
