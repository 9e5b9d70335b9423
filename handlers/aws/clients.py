"""boto3 clients with patience, made once for each service; and their errors in our own terms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
)

from core.errors import BugError, TransientError

ATTEMPTS = 5
CONNECT_SECONDS, READ_SECONDS = 5, 10
"""At the worst a call takes 75 s and its pauses: the shortest function has 120 s."""

PATIENCE = {"ec2": 2, "pricing": 2}
"""Attempts where nothing stops for want of an answer: a price that cannot be had is unknown."""

_THROTTLED = {
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ThrottledException",
    "Throttled",
    "OverLimit",
    "SlowDown",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "InternalError",
    "InternalErrorException",
    "InternalFailure",
    "ServerException",
    "KMSThrottlingException",
}

_MISSING = re.compile(r"not authorized to perform: ([\w:-]+)(?: on resource: ([^\s]+))?")


@cache
def client(service: str, region: str | None = None) -> Any:
    """A client; ``region`` where the service has its API in one region only."""
    patience = Config(
        retries={"mode": "standard", "total_max_attempts": PATIENCE.get(service, ATTEMPTS)},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )
    # By the variable, not by the function's settings: the command line asks through here too, and has none.
    where = region or os.environ.get("AWS_REGION")
    made: Any = boto3.client(service, region_name=where, config=patience)  # type: ignore[call-overload]
    return made


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn a failed call into one of our errors.

    Raises
    ------
    TransientError
        ``aws_busy``: throttled, broken or out of reach, after all the client's own attempts.
    BugError
        ``aws_refused``: refused; a permission or a request of ours is wrong.
    """
    try:
        yield
    except ClientError as error:
        said = _code(error) or str(_status(error))
        said += _missing_permission(error)
        if is_busy(error):
            raise TransientError("aws_busy", f"{what}: {said}", fix="It is tried again.") from error
        raise BugError(
            "aws_refused", f"{what}: {said}", fix="Look at the function's permissions, and report it."
        ) from error
    except (ConnectionError, HTTPClientError, NoCredentialsError, CredentialRetrievalError) as error:
        raise TransientError("aws_busy", f"{what}: {type(error).__name__}", fix="It is tried again.") from error
    except BotoCoreError as error:
        raise BugError("aws_refused", f"{what}: {type(error).__name__}", fix="Report it.") from error


def is_busy(error: ClientError) -> bool:
    """Whether the service was throttling or broken, so that the same call may pass later."""
    return _code(error) in _THROTTLED or _status(error) == 429 or _status(error) >= 500


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _missing_permission(error: ClientError) -> str:
    """The permission that AWS names, and nothing else of its sentence: that may quote data."""
    found = _MISSING.search(str(error.response.get("Error", {}).get("Message", "")))
    if found is None:
        return ""
    return f", not authorized to perform {found[1]}" + (f" on {found[2]}" if found[2] else "")


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
