"""A submission: what is asked of the cloud, and the one path from what is asked to a plan, wherever it is asked.

``casemill run`` makes an :class:`AskedRun` of its options and plans it; the Plan function reads it from the execution's
input and plans it. Nothing of this knows AWS.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import BadRequestError
from core.run.models import Json, PlannedShard
from core.run.plan import RUN_ID_PATTERN, AskedOptions, Plan, PlanOptions, make_plan, with_partitions
from core.run.source import open_source
from core.workload import SelectingWorkload, Workload
from core.wrong_values import place_of, what_of

DEFAULT_BUDGET_USD = 20.0
LARGEST_SUBMISSION_BYTES = 192 * 1024
"""Of the submission as text within text. The steps of an execution hand it on together with their own words, 256 KiB in
all, and the event of its end carries at most 248 KiB, so escaped (Step Functions guide, "Quotas" and "EventBridge
payloads"). The end of a larger one could not be told, when everything is done and paid."""

_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AskedRun(AskedOptions):
    """Everything that ``casemill run`` takes, as plain JSON.

    ``settings`` are the workload's configuration and ``selection`` tells it which cases; ``source`` is None for a
    workload that reads nothing.
    """

    source: str | None = Field(default=None, min_length=1)
    workload: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    settings: Json = Field(default_factory=dict)
    selection: Json = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> AskedRun:
        given = self.thresholds
        if given is not None and not 0 <= given.validation <= given.test <= 1:
            raise ValueError("thresholds must rise from 0 to 1")
        try:
            # On the way to text the model would turn what is no number into null, and nobody would know.
            json.dumps([self.settings, self.selection], allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError("settings and selection must be plain JSON with finite numbers") from error
        return self

    def to_bytes(self) -> bytes:
        """``asked.json``: the same request always gives the same bytes."""
        content = self.model_dump(mode="json")
        if self.source_licence is None:
            # What was submitted before there was such an option keeps its id.
            del content["source_licence"]
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class Submission(BaseModel):
    """The input of an execution. ``asked`` null: take up the run that is there."""

    model_config = _STRICT

    run_id: str = Field(pattern=RUN_ID_PATTERN)
    asked: AskedRun | None = None
    budget_usd: float = Field(default=DEFAULT_BUDGET_USD, gt=0)


def submission_id(asked: AskedRun) -> str:
    """The id of the run that is asked for: the same request has the same id, and so is the same run.

    >>> submission_id(AskedRun(source=None, workload="toy"))
    'toy-346c22e99147'
    """
    return f"{asked.workload}-{hashlib.sha256(asked.to_bytes()).hexdigest()[:12]}"


def read_submission(given: Json | str | bytes) -> Submission:
    """The submission in an execution's input, parsed or as text.

    Raises
    ------
    BadRequestError
        ``bad_submission``: it is not one; the message names the first field that is wrong. ``submission_too_large``.
    """
    try:
        if isinstance(given, str | bytes):
            submission = Submission.model_validate_json(given)
        else:
            submission = Submission.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        # Only the field's name and the rule: the value may be anything.
        what = f"{place_of(first) or 'the input'}: {what_of(first, quote=False)}"
        raise BadRequestError("bad_submission", what, fix="casemill submit writes inputs that can be read.") from None
    size = len(json.dumps(json.dumps(submission.model_dump(mode="json"))))
    if size > LARGEST_SUBMISSION_BYTES:
        raise BadRequestError(
            "submission_too_large",
            f"what is asked takes {size:,} bytes, {LARGEST_SUBMISSION_BYTES:,} are allowed",
            where=f"run {submission.run_id}",
            fix="Ask for ranges of cases (1-3000) instead of single ones.",
        )
    return submission


def locations_of(asked: AskedRun, workload: Workload) -> dict[str, str]:
    """Every location that is asked for, by the name of its field.

    Raises
    ------
    BadRequestError
        What the workload raises for a selection that it cannot read.
    """
    named = {} if asked.source is None else {"source": asked.source}
    if isinstance(workload, SelectingWorkload):
        named |= {f"selection.{name}": place for name, place in workload.locations(asked.selection).items()}
    return named


def check_locations(asked: AskedRun, workload: Workload) -> None:
    """Refuse locations that mean one thing to who asks and another, or nothing, to a machine of the cloud.

    Raises
    ------
    BadRequestError
        ``not_in_a_bucket``; and as :func:`locations_of`.
    """
    for name, location in locations_of(asked, workload).items():
        if not location.startswith("s3://"):
            raise BadRequestError(
                "not_in_a_bucket",
                f"{location!r} cannot be read from the cloud",
                where=name,
                fix="Copy it to a bucket and give its s3:// location.",
            )


def plan_asked(
    asked: AskedRun,
    build_workload: Callable[[str, Json], Workload],
    run_id: str | None = None,
    image_digest: str | None = None,
    width_of: Callable[[str, Sequence[PlannedShard]], int] | None = None,
) -> tuple[Plan, Workload]:
    """Check everything and plan; nothing is written.

    ``width_of`` gives the number of partitions from the workload's name and the shards, where nobody asked for one;
    without it each shard is a partition.

    Raises
    ------
    BadRequestError
        Anything that cannot be done as asked: an unknown workload, a setting that it does not take, a source that
        cannot be listed, no case.
    """
    workload = build_workload(asked.workload, asked.settings)
    told = {name: getattr(asked, name) for name in AskedOptions.model_fields}
    options = PlanOptions(**told, run_id=run_id, image_digest=image_digest)
    plan = make_plan(workload, open_source(asked.source), asked.selection, options)
    if not plan.cases:
        raise BadRequestError("empty_cohort", "no case is selected", where="selection", fix="Widen the selection.")
    if asked.partitions is None and width_of is not None:
        plan = with_partitions(plan, width_of(asked.workload, plan.shards.shards))
    return plan, workload
