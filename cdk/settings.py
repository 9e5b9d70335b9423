"""The settings of a deployment, from the context of the CDK app (``cdk.json``, or ``-c casemill:stage=test``)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

KEY_PREFIX = "casemill:"

_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_GRAVITON = re.compile(r"a1|[a-z]+\d+g[a-z0-9-]*")

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "x86_64": ("c5", "c6a", "c6i", "c7i", "m5", "m6a", "m6i", "m7i", "r6i"),
    "arm64": ("c6g", "c6gd", "c7g", "m6g", "m6gd", "m7g", "r6g", "r7g"),
}
"""Several families and generations of each architecture: spot capacity is lost in one pool at a time."""

RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
"""What CloudWatch Logs offers."""

BucketPlace = Annotated[str, StringConstraints(pattern=rf"^{_BUCKET}(/[A-Za-z0-9!_.'()/-]+)?$")]
KeyArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$")]
MailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Family = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,19}$")]
Zone = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,}(-[a-z]+)+-\d[a-z]$")]


class BadSettingsError(Exception):
    """``problems``: a sentence for each setting that cannot be used: the key, what was found, what is wanted."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class Settings(BaseModel):
    """One field for each context key ``casemill:<name>``; a description says what is wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Where it stands
    account: str | None = Field(None, pattern=r"^\d{12}$", description="an account's 12 digits, in quotes")
    region: str | None = Field(None, pattern=r"^[a-z]{2,}(-[a-z]+)+-\d$", description="a region such as us-east-1")
    availability_zones: tuple[Zone, ...] = Field((), description="zones such as us-east-1a, at least two")
    stage: str = Field(
        "production", pattern=r"^[a-z][a-z0-9-]{0,19}$", description="1 to 20 of a-z, 0-9 and '-', a letter first"
    )
    tags: dict[str, str] = Field({}, description="a table of tag names and values")

    # Data
    bucket: str | None = Field(
        None, pattern=rf"^{_BUCKET}$", description="the name of a bucket that exists, or nothing for a new one"
    )
    bucket_key: KeyArn | None = Field(None, description="the ARN of the KMS key of the bucket that exists")
    prefix: str = Field(
        "casemill",
        pattern=r"^([A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*)?$",
        description="folders such as team/casemill, without '/' at either end, or nothing for the whole bucket",
    )
    source_buckets: tuple[BucketPlace, ...] = Field((), description="places as BUCKET or BUCKET/PREFIX")
    source_keys: tuple[KeyArn, ...] = Field((), description="ARNs of the KMS keys of the source buckets")
    run_days: int = Field(180, ge=30, le=3650, description="days from 30 to 3650 after which a run's documents go")
    staging_days: int = Field(14, ge=7, le=365, description="days from 7 to 365 after which saved segments go")
    old_version_days: int = Field(30, ge=1, le=3650, description="days from 1 to 3650 that replaced objects are kept")

    # Protection
    kms: bool = Field(False, description="true or false: encrypt with a key of the stack's own")
    isolated: bool = Field(False, description="true or false: no way to the internet")
    log_retention_days: RetentionDays = Field(90, description="a number of days that CloudWatch Logs offers")

    # Compute
    architecture: Literal["x86_64", "arm64"] = Field("x86_64", description="x86_64 or arm64")
    instance_families: tuple[Family, ...] = Field(
        (), description="families of the architecture such as c6i, or none for the usual ones"
    )
    max_vcpus_spot: int = Field(256, ge=1, le=100_000, description="processors from 1 to 100000")
    max_vcpus_on_demand: int = Field(64, ge=1, le=100_000, description="processors from 1 to 100000")
    job_vcpus: int = Field(1, ge=1, le=192, description="processors from 1 to 192")
    job_memory_mib: int = Field(1792, ge=512, le=1_500_000, description="MiB from 512 to 1500000")
    attempts: int = Field(5, ge=1, le=10, description="attempts in all from 1 to 10")
    attempt_timeout_seconds: int = Field(14_400, ge=60, le=1_209_600, description="seconds from 60 to 1209600")
    stuck_seconds: int = Field(1800, ge=600, le=86_400, description="seconds from 600 to 86400")
    scratch_gb: int = Field(40, ge=30, le=16_384, description="GB from 30 (the machine image's size) to 16384")
    image_repository: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9._/-]{1,255}$", description="the name of an ECR repository"
    )
    image_digest: str | None = Field(
        None, pattern=r"^sha256:[0-9a-f]{64}$", description="sha256: and 64 hexadecimal digits"
    )

    # Running and watching
    guard_seconds: int = Field(60, ge=1, le=3600, description="seconds from 1 to 3600 between two looks at a round")
    retry_seconds: int = Field(2, ge=1, le=300, description="seconds from 1 to 300 before a step's first retry")
    target_hours: float = Field(24.0, gt=0, le=336, description="hours above 0, up to 336, that a run should take")
    mail_addresses: tuple[MailAddress, ...] = Field((), description="mail addresses")
    budget_usd_per_month: float = Field(200.0, gt=0, le=1e7, description="dollars above 0")
    budget_usd_per_run: float = Field(20.0, gt=0, le=1e6, description="dollars above 0")

    @property
    def families(self) -> tuple[str, ...]:
        """The instance families in use."""
        return self.instance_families or FAMILIES[self.architecture]

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        problems = tuple(_contradictions(self))
        if problems:
            raise BadSettingsError(problems)
        return self


def _contradictions(settings: Settings) -> list[str]:
    problems = []
    arm = settings.architecture == "arm64"
    for family in settings.instance_families:
        if bool(_GRAVITON.fullmatch(family)) != arm:
            problems.append(_problem("instance_families", family, f"families of {settings.architecture} only"))
    zones = settings.availability_zones
    if settings.region and len(set(zones)) < 2:
        # Without them the CDK asks the account, or makes up zones that do not exist.
        problems.append(_problem("availability_zones", list(zones), f"at least two zones of {settings.region}"))
    if zones and not settings.region:
        problems.append(_problem("region", None, "the region of the availability zones"))
    if any(settings.region and not zone.startswith(settings.region) for zone in zones):
        problems.append(_problem("availability_zones", list(zones), f"zones of {settings.region}"))
    if bool(settings.account) != bool(settings.region):
        missing = "region" if settings.account else "account"
        problems.append(_problem(missing, None, "account and region together, or neither"))
    if bool(settings.image_repository) != bool(settings.image_digest):
        missing = "image_digest" if settings.image_repository else "image_repository"
        problems.append(_problem(missing, None, "repository and digest together, or neither"))
    if settings.bucket_key and not settings.bucket:
        problems.append(_problem("bucket", None, "the bucket that casemill:bucket_key belongs to"))
    if settings.staging_days > settings.run_days:
        problems.append(_problem("staging_days", settings.staging_days, "at most casemill:run_days"))
    return problems


def read_settings(context: Mapping[str, object]) -> Settings:
    """The settings among the keys of a context; keys of others are passed over.

    The CDK command line gives everything as text, so lists may come as ``a,b`` and everything but text as JSON.

    Raises
    ------
    BadSettingsError
        Keys that are not known or cannot be used, all of them at once.
    """
    found = {key.removeprefix(KEY_PREFIX): value for key, value in context.items() if key.startswith(KEY_PREFIX)}
    unknown = sorted(set(found) - set(Settings.model_fields))
    values = {name: _parsed(name, value) for name, value in found.items() if name not in unknown}
    problems = [f"{KEY_PREFIX}{name} is no setting; there are: {', '.join(Settings.model_fields)}" for name in unknown]
    try:
        settings = Settings.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        names = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors())
        problems += [_problem(name, found[name], Settings.model_fields[name].description) for name in names]
    except BadSettingsError as error:
        problems += error.problems
    if problems:
        raise BadSettingsError(tuple(problems))
    return settings


def _parsed(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    kind = get_origin(Settings.model_fields[name].annotation)
    if not value.strip():
        return () if kind is tuple else "" if name == "prefix" else None
    if kind is tuple and not value.lstrip().startswith("["):
        return tuple(part.strip() for part in value.split(","))
    if kind in (tuple, dict) or (kind is Literal and int in map(type, _choices(name))):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _choices(name: str) -> tuple[Any, ...]:
    return get_args(Settings.model_fields[name].annotation)


def _problem(name: str, found: object, wanted: str | None) -> str:
    said = "is not set" if found in (None, "") else f"is {found!r}"
    return f"{KEY_PREFIX}{name} {said}; wanted: {wanted}."
