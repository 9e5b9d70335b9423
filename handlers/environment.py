"""What the environment of a function says; the names are those that ``cdk/functions.py`` sets."""

from __future__ import annotations

import os
from functools import cache
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.errors import BugError


def _split(text: object) -> object:
    return tuple(part for part in text.split(",") if part) if isinstance(text, str) else text


class Environment(BaseModel):
    """One field for each variable."""

    model_config = ConfigDict(frozen=True)

    output: str = Field(alias="CASEMILL_OUTPUT", pattern=r"^s3://")
    stage: str = Field(alias="CASEMILL_STAGE", min_length=1)
    spot_queue: str = Field(alias="CASEMILL_SPOT_QUEUE", min_length=1)
    on_demand_queue: str = Field(alias="CASEMILL_ON_DEMAND_QUEUE", min_length=1)
    job_definition: str = Field(alias="CASEMILL_JOB_DEFINITION", min_length=1)
    image: str = Field(alias="CASEMILL_IMAGE", min_length=1)
    topic: str = Field(alias="CASEMILL_TOPIC", min_length=1)
    quarantine_queue: str = Field(alias="CASEMILL_QUARANTINE_QUEUE", min_length=1)
    source_buckets: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field((), alias="CASEMILL_SOURCE_BUCKETS")
    scratch_gib: int | None = Field(None, alias="CASEMILL_SCRATCH_GIB", ge=1)
    guard_seconds: float = Field(60.0, alias="CASEMILL_GUARD_SECONDS", gt=0)
    stuck_seconds: float = Field(1800.0, alias="CASEMILL_STUCK_SECONDS", gt=0)
    target_hours: float = Field(24.0, alias="CASEMILL_TARGET_HOURS", gt=0)
    region: str = Field(alias="AWS_REGION", min_length=1)

    def queue(self, capacity: str) -> str:
        """The job queue of a kind of capacity."""
        return self.on_demand_queue if capacity == "on-demand" else self.spot_queue


@cache
def environment() -> Environment:
    """The environment of this process.

    Raises
    ------
    BugError
        ``bad_environment``: variables are missing or malformed.
    """
    try:
        return Environment.model_validate(os.environ)
    except ValidationError as error:
        names = ", ".join(dict.fromkeys(str(problem["loc"][0]) for problem in error.errors()))
        raise BugError(
            "bad_environment", f"{names}: missing or malformed", where="the function", fix="Deploy the stack again."
        ) from error
