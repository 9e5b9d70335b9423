"""Device profiles: which tracks carry which feature. A profile is data, one TOML file each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache, cached_property
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from core.errors import BadRequestError
from core.recording.model import Track
from core.workloads.vitaldb.features import BLOOD_PRESSURE_NAMES, FEATURE_NAMES
from core.wrong_values import first_problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROFILE_NAMES = ("vitaldb", "draeger", "intellivue")
"""The profiles that come with Casemill, in the order that decides a tie."""


class BloodPressureSource(BaseModel):
    """Tracks of one device that measure the same pressure; any may be absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    systolic: str | None = None
    diastolic: str | None = None
    mean: str | None = None

    @property
    def tracks(self) -> tuple[str | None, str | None, str | None]:
        """In the order of :data:`core.workloads.vitaldb.features.BLOOD_PRESSURE_NAMES`."""
        return (self.systolic, self.diastolic, self.mean)


class Profile(BaseModel):
    """One theatre's names for the signals (``Device/TRACK``), in order of preference."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str
    blood_pressure: tuple[BloodPressureSource, ...] = ()
    features: dict[str, tuple[str, ...]] = {}

    @field_validator("features")
    @classmethod
    def _known_features(cls, features: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        known = [name for name in FEATURE_NAMES if name not in BLOOD_PRESSURE_NAMES]
        unknown = sorted(set(features) - set(known))
        if unknown:
            raise ValueError(f"unknown features {unknown}; known are {known}, and [[blood_pressure]]")
        return features

    def sources(self, feature: str) -> tuple[str, ...]:
        """The feature's tracks in order of preference."""
        if feature in BLOOD_PRESSURE_NAMES:
            position = BLOOD_PRESSURE_NAMES.index(feature)
            return tuple(track for source in self.blood_pressure if (track := source.tracks[position]))
        return self.features.get(feature, ())

    @cached_property
    def tracks(self) -> dict[str, str]:
        """Every track of the profile with the feature it carries."""
        return {track: feature for feature in FEATURE_NAMES for track in self.sources(feature)}


@cache
def shipped_profile(name: str) -> Profile:
    """A profile that comes with Casemill."""
    text = resources.files("core.workloads.vitaldb").joinpath("profiles", f"{name}.toml").read_text("utf-8")
    return Profile.model_validate(tomllib.loads(text))


def resolve_profiles(choice: str) -> tuple[Profile, ...]:
    """The candidates for ``auto``, a shipped profile's name, or the path of a profile's TOML file.

    Raises
    ------
    BadRequestError
        No such profile, or a file that is not one.
    """
    if choice == "auto":
        return tuple(shipped_profile(name) for name in PROFILE_NAMES)
    if choice in PROFILE_NAMES:
        return (shipped_profile(choice),)
    if not choice.endswith(".toml"):
        raise BadRequestError(
            "unknown_profile",
            f"no device profile {choice!r}",
            where="--profile",
            fix=f"Use auto, {', '.join(PROFILE_NAMES)}, or the path of a .toml file.",
        )
    try:
        return (Profile.model_validate(tomllib.loads(Path(choice).read_text("utf-8"))),)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        message = first_problem(error.errors()) if isinstance(error, ValidationError) else " ".join(str(error).split())
        raise BadRequestError(
            "unknown_profile", f"not a device profile: {message}", where=choice, fix="See docs/device-profiles.md."
        ) from error


def choose_profile(candidates: tuple[Profile, ...], tracks: Mapping[str, Track]) -> Profile:
    """The profile that finds most features: first by recorded tracks, then by declared ones, then by order.

    Tracks that stand in every profile (pumps, BIS) say nothing of the theatre and do not count.
    """
    if len(candidates) == 1:
        return candidates[0]
    common = set.intersection(*(set(profile.tracks) for profile in candidates))

    def found(profile: Profile) -> tuple[int, int]:
        own = {track: feature for track, feature in profile.tracks.items() if track not in common}
        recorded = {feature for track, feature in own.items() if track in tracks and len(tracks[track].times)}
        declared = {feature for track, feature in own.items() if track in tracks}
        return len(recorded), len(declared)

    return max(candidates, key=found)
