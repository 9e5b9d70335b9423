"""What the environment of the container says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Json, ValidationError

from core.run.spot import DEFAULT_ENDPOINT, POLL_SECONDS

_WANTED = {
    "CASEMILL_OUTPUT": "the output location, as s3://bucket/prefix or a folder",
    "CASEMILL_RUN": "the run's id: letters, digits, '.', '_' and '-'",
    "CASEMILL_ROUND": "a number from 1",
    "CASEMILL_HEARTBEAT_SECONDS": "seconds from 0.1 to 3600",
    "CASEMILL_GRID_CACHE": "the location of the grid cache, as s3://bucket/prefix or a folder",
    "CASEMILL_NOTICE_SECONDS": "seconds from 0.05 to 60",
    "CASEMILL_VCPUS": "the vCPUs of the job, above 0 and up to 4096",
    "AWS_BATCH_JOB_ARRAY_INDEX": "a number from 0",
    "AWS_BATCH_JOB_ATTEMPT": "a number from 1",
    "SM_HOSTS": "a JSON list of host names",
    "SM_CURRENT_HOST": "one of SM_HOSTS",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "a URI that starts with http:// or https://",
}


def _without_slash(endpoint: str) -> str:
    return endpoint.rstrip("/")


def _is_true(text: Any) -> bool:
    return str(text).lower() == "true"


class Settings(BaseModel):
    """One field for each variable; an empty variable counts as not set."""

    model_config = ConfigDict(frozen=True)

    output: str = Field(alias="CASEMILL_OUTPUT")
    run_id: str = Field(alias="CASEMILL_RUN", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    round: int = Field(1, alias="CASEMILL_ROUND", ge=1)
    heartbeat_seconds: float = Field(30.0, alias="CASEMILL_HEARTBEAT_SECONDS", ge=0.1, le=3600)
    notice_seconds: float = Field(POLL_SECONDS, alias="CASEMILL_NOTICE_SECONDS", ge=0.05, le=60)
    grid_cache: str | None = Field(None, alias="CASEMILL_GRID_CACHE")
    processors: float | None = Field(None, alias="CASEMILL_VCPUS", gt=0, le=4096)
    array_index: int | None = Field(None, alias="AWS_BATCH_JOB_ARRAY_INDEX", ge=0)
    job: str | None = Field(None, alias="AWS_BATCH_JOB_ID")
    batch_attempt: int | None = Field(None, alias="AWS_BATCH_JOB_ATTEMPT", ge=1)
    environment_name: str = Field("", alias="AWS_BATCH_CE_NAME")
    hosts: Json[tuple[str, ...]] | None = Field(None, alias="SM_HOSTS")
    current_host: str | None = Field(None, alias="SM_CURRENT_HOST")
    metadata_endpoint: Annotated[str, AfterValidator(_without_slash)] = Field(
        DEFAULT_ENDPOINT, alias="AWS_EC2_METADATA_SERVICE_ENDPOINT", pattern=r"^https?://\S+$"
    )
    metadata_disabled: Annotated[bool, BeforeValidator(_is_true)] = Field(False, alias="AWS_EC2_METADATA_DISABLED")

    @property
    def capacity(self) -> str | None:
        """``spot`` or ``on-demand`` by the name of the compute environment, where the name tells."""
        words = re.split(r"[^a-z]+", self.environment_name.lower())
        if "spot" in words:
            return "spot"
        return "on-demand" if "demand" in words or "ondemand" in words else None


class BadEnvironmentError(Exception):
    """``problems``: one sentence for each variable that is missing or malformed."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the variables.

    Raises
    ------
    BadEnvironmentError
        Some are missing or malformed.
    """
    present = {name: value for name, value in environment.items() if value.strip()}
    try:
        settings = Settings.model_validate(present)
    except ValidationError as error:
        names = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors())
        raise BadEnvironmentError(tuple(_problem(name, present) for name in names)) from None
    if settings.hosts and settings.current_host not in settings.hosts:
        raise BadEnvironmentError((_problem("SM_CURRENT_HOST", present),))
    return settings


def _problem(name: str, present: Mapping[str, str]) -> str:
    said = f"is {present[name][:80]!r}" if name in present else "is not set"
    return f"{name} {said}; wanted: {_WANTED[name]}."
