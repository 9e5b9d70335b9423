"""Logger and metrics, made once; and the frame that every function stands in.

Metrics go out as lines of the log (embedded metric format), each figure twice: of the workload and stage, and of the
stage alone, because an alarm looks at one metric and must see every workload. An id as a dimension would cost money for
every run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel, ValidationError

from core.errors import BadRequestError, BugError, CasemillError, IntegrityError, TransientError
from core.faults import classify
from core.run.notices import without_quotes
from core.wrong_values import first_problem
from handlers.environment import environment

logger = Logger(log_uncaught_exceptions=False)

Json = dict[str, Any]
Event = TypeVar("Event", bound=BaseModel)
Unit = MetricUnit
Figures = dict[str, tuple[float, MetricUnit]]

_NAMED = (BadRequestError, TransientError, IntegrityError, BugError)
"""The state machine knows errors by their class's name, so exactly these leave a function."""


def function(kind: type[Event]) -> Callable[[Callable[[Event], BaseModel]], Callable[[Json, Any], Json]]:
    """A function that takes an event of this kind and answers with a document.

    Raises (each by the name that the state machine knows)
    ------
    BadRequestError, TransientError, IntegrityError, BugError
    """

    def decorate(work: Callable[[Event], BaseModel]) -> Callable[[Json, Any], Json]:
        @wraps(work)
        def handler(event: Json, context: Any) -> Json:
            logger.append_keys(request=getattr(context, "aws_request_id", None))
            try:
                return work(_parsed(kind, event)).model_dump(mode="json")
            except Exception as error:
                # Whatever it is, the state machine must know it by one of our names.
                raise _told(error) from error

        return handler

    return decorate


def put_metrics(workload: str, figures: Figures) -> None:
    """Write the figures that are known, at once."""
    # Left alone, the library adds the service's name as a third dimension.
    metrics = Metrics(service="")
    metrics.add_dimension("workload", workload)
    metrics.add_dimension("stage", environment().stage)
    metrics.add_dimensions(stage=environment().stage)
    for name, (value, unit) in figures.items():
        metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()


def _parsed(kind: type[Event], event: Json) -> Event:
    try:
        return kind.model_validate(event)
    except ValidationError as error:
        # The submission is checked where it is read; everything else is between the state machine and us.
        what = first_problem(error.errors(), quote=False)
        raise BugError("bad_event", what, where="the function's event") from None


def _told(error: Exception) -> CasemillError:
    """The error as it may leave, and a line of the log: Lambda itself writes its words there, so they quote nothing."""
    if isinstance(error, CasemillError):
        found = error
    elif isinstance(error, MemoryError | OSError):
        found = classify(error).error
    else:
        # What others say may quote data; where it was said never does.
        found = BugError("bug", type(error).__name__, where=_place(error), fix="Report it.")
    logger.error("failed", extra={"code": found.code, "kind": type(error).__name__, "place": _place(error)})
    return _named(without_quotes(found))


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""


def _named(error: CasemillError) -> CasemillError:
    if type(error) in _NAMED:
        return error
    kind = next((known for known in _NAMED if isinstance(error, known)), BugError)
    return kind(error.code, error.what, where=error.where, fix=error.fix)
