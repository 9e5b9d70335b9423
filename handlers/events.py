"""What the functions are called with, and what they answer (payloads: ``cdk/workflow.py``)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.run.report import RunReport

Json = dict[str, Any]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(_Event):
    """What a catch of the state machine holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    error: str = Field("", alias="Error")
    cause: str = Field("", alias="Cause")


class PlanEvent(_Event):
    """``submission`` is the execution's input as it came."""

    execution: str
    submission: Any


class RunState(BaseModel):
    """What the state machine carries of the run."""

    run_id: str
    output: str
    job_definition: str
    budget_usd: float


class PlanAnswer(BaseModel):
    """The state that the rounds begin with."""

    run: RunState
    tries: int = 0
    blocked: bool = False


class InspectEvent(_Event):
    """``tries``: rounds that this execution has started; ``blocked``: the last of them found no machine."""

    run_id: str
    tries: int = Field(ge=0)
    blocked: bool
    execution: str


class InspectAnswer(BaseModel):
    """What to do next; ``groups`` are the numbers of those to verify."""

    action: Literal["work_array", "work_single", "verify", "give_up"]
    round: int
    tries: int
    holes: int
    array_size: int
    job_name: str
    why: str
    capacity: Literal["spot", "on-demand"]
    queue: str
    groups: list[int]


class GuardEvent(_Event):
    """A look at one round; ``unseen``: looks so far that found no such job; ``busy``: the clock time of the last one
    that found the jobs of others at work in its queue, or 0."""

    run_id: str
    job_name: str
    queue: str
    round: int
    capacity: Literal["spot", "on-demand"]
    budget_usd: float = Field(gt=0)
    unseen: int = Field(ge=0)
    busy: float = Field(ge=0)


class GuardAnswer(BaseModel):
    """Whether to look again."""

    action: Literal["wait", "done", "move_on", "over_budget"]
    why: str
    blocked: bool
    spent_usd: float | None
    projected_usd: float | None
    unseen: int
    busy: float


class VerifyEvent(_Event):
    """One group of shards."""

    run_id: str
    group: int = Field(ge=0)


class VerifyAnswer(BaseModel):
    """How many shards, and how many of them have a problem."""

    group: int
    shards: int
    problems: int


class PublishEvent(_Event):
    """``failure``: the run did not come to its verification."""

    execution: str
    submission: Any
    failure: Failure | None = None


class PublishAnswer(BaseModel):
    """``report`` is what the mail is made of."""

    verified: bool
    report: RunReport


class NotifyEvent(_Event):
    """``published`` is the answer of publish, null where it failed too."""

    execution: str
    submission: Any
    published: PublishAnswer | None = None
    failure: Failure | None = None


class EndDetail(_Event):
    """Of an execution's end; ``input`` is text, null where it was too long for an event."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    status: str
    input: str | None = None
    error: str | None = None
    cause: str | None = None


class EndEvent(_Event):
    """EventBridge's "Step Functions Execution Status Change"."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["Step Functions Execution Status Change"] = Field(alias="detail-type")
    detail: EndDetail


class NotifyAnswer(BaseModel):
    """``sent``: false where this execution's mail was sent before."""

    sent: bool
