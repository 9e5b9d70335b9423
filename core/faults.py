"""What went wrong, in one place: content, transient or fatal, with one plain message and what to do (design, rules 4
and 5).

*Content* faults are what a workload makes of a case (:class:`core.errors.ContentError`); this module is never
asked about them. Everything else that storage and machine can do is sorted here:

- transient, exit code 75: a later attempt, or another machine, may succeed with nothing changed in the request. Full
  disk (rule 4 names it), throttling, time-outs, no connection, a wrong clock. *Expired credentials* too: on AWS the
  next attempt gets fresh ones from its role, and at a desk the same command goes on once they are renewed.
- fatal, exit code 64: somebody must change something first. Access denied, permission denied, a read-only file
  system, invalid credentials, no such bucket, the wrong region. Retrying would pay a machine to be refused again.

``repeat`` says whether asking again within the same process is of any use.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass

from core.errors import BadRequestError, CasemillError, FatalError, TransientError

DENIED = "storage_denied"
BAD_CREDENTIALS = "bad_credentials"
WRONG_REGION = "wrong_region"

_AGAIN = "Run the same command again; committed work is kept."
_STATUS = re.compile(r"status code: (\d{3})")
_S3_CODE = re.compile(r"<Code>(\w+)</Code>")
_BAD_NAME = re.compile(r'object with invalid path:.*?Path "/?(.*?)"(?::| contained)', re.DOTALL)
_LOOP = re.compile(r"File system loop found: (.*)")
_PLACE = re.compile(r"IO error for operation on (/.+?): ")
"""Which file or folder below the location it is, where the library says so."""

_OS_ERROR = re.compile(r"\(os error (\d+)\)")


@dataclass(frozen=True)
class Fault:
    """An error in Casemill's words, and whether asking again may help."""

    error: CasemillError
    repeat: bool = False


@dataclass(frozen=True)
class _Kind:
    error: type[CasemillError]
    code: str
    what: str
    fix: str
    repeat: bool = False


_DISK_FULL = _Kind(TransientError, "disk_full", "no space is left on the disk", f"Free some space. {_AGAIN}")
_NOT_PERMITTED = _Kind(BadRequestError, DENIED, "permission denied", "Check the owner and mode of the folder.")
_READ_ONLY = _Kind(
    BadRequestError, "read_only", "the file system is read-only", "Mount it writable, or give another location."
)
_ACCESS_DENIED = _Kind(
    BadRequestError, DENIED, "access is denied", "Allow these credentials to list, read and write here."
)
_INVALID = _Kind(
    BadRequestError, BAD_CREDENTIALS, "the credentials are not valid", "Check the access key, its secret and its token."
)
_EXPIRED = _Kind(TransientError, "credentials_expired", "the credentials have expired", f"Renew them. {_AGAIN}")
_CLOCK = _Kind(TransientError, "clock_wrong", "this machine's clock is wrong", f"Set the clock. {_AGAIN}")
_NO_BUCKET = _Kind(BadRequestError, "no_bucket", "there is no such bucket", "Check its name; Casemill creates none.")
_REGION = _Kind(
    BadRequestError, WRONG_REGION, "the bucket is in another region", "Set AWS_REGION to the bucket's region."
)
_BUSY = _Kind(TransientError, "storage_busy", "the storage asks for fewer requests", _AGAIN, repeat=True)
_UNREACHABLE = _Kind(
    TransientError,
    "storage_unreachable",
    "no connection to the storage",
    f"Check the network and the endpoint. {_AGAIN}",
    repeat=True,
)
_UNKNOWN_NAME = _Kind(
    TransientError,
    "storage_unreachable",
    "the name of the storage's server cannot be resolved",
    f"Check the network, the endpoint and the region. {_AGAIN}",
    repeat=True,
)
_SILENT = _Kind(TransientError, "storage", "the storage does not answer in time", _AGAIN, repeat=True)
_TORN = _Kind(TransientError, "storage", "the connection to the storage broke", _AGAIN, repeat=True)
_BROKEN = _Kind(TransientError, "storage", "the storage reports an internal error", _AGAIN, repeat=True)

_BY_ERRNO = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: _DISK_FULL,
    errno.EACCES: _NOT_PERMITTED,
    errno.EPERM: _NOT_PERMITTED,
    errno.EROFS: _READ_ONLY,
}
_BY_S3_CODE = {
    "AccessDenied": _ACCESS_DENIED,
    "AllAccessDisabled": _ACCESS_DENIED,
    "InvalidAccessKeyId": _INVALID,
    "SignatureDoesNotMatch": _INVALID,
    "InvalidToken": _INVALID,
    "ExpiredToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": _CLOCK,
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "TooManyRequests": _BUSY,
    "RequestTimeout": _SILENT,
    "InternalError": _BROKEN,
    "ConditionalRequestConflict": _BUSY,
    "OperationAborted": _BUSY,
}
_BY_STATUS = {
    "401": _ACCESS_DENIED,
    "403": _ACCESS_DENIED,
    "409": _BUSY,
    "412": _Kind(TransientError, "object_changed", "the object was changed while it was read", _AGAIN),
    "429": _BUSY,
    "503": _BUSY,
}
# The library gives its own errors no fields, so their kind is read from the words that it prints.
_BY_WORDS = (
    ("incorrectly configured region", _REGION),
    ("dns error", _UNKNOWN_NAME),
    ("kind: Connect", _UNREACHABLE),
    ("kind: Timeout", _SILENT),
    ("HTTP error", _TORN),
)


def classify(error: BaseException, where: str = "") -> Fault:
    """Sort an error of the store or of the machine; ``where`` is the object or the case that it came up at."""
    if isinstance(error, CasemillError):
        return Fault(error)
    if isinstance(error, MemoryError):
        return Fault(
            TransientError(
                "machine", "out of memory", where=where, fix=f"Use fewer workers or a larger machine. {_AGAIN}"
            )
        )
    text = str(error)
    if (name := _BAD_NAME.search(text)) is not None:
        what = f"the name {name[1]!r} cannot be used: it has control characters, an empty part, or is not UTF-8"
        fix = "Rename that file, or give a folder without it."
        return Fault(BadRequestError("bad_location", what, where=where, fix=fix))
    if (loop := _LOOP.search(text)) is not None:
        fix = "Remove that link, or give a folder without it."
        return Fault(BadRequestError("bad_location", f"a link leads back: {loop[1]}", where=where, fix=fix))
    where = place[1] if (place := _PLACE.search(text)) else where
    kind = _kind(error, text)
    if kind is not None:
        return Fault(kind.error(kind.code, kind.what, where=where, fix=kind.fix), kind.repeat)
    first = (text.strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, OSError):
        return Fault(TransientError("machine", f"{type(error).__name__}: {first}", where=where, fix=_AGAIN))
    if (status := http_status(error)) is None:
        return Fault(TransientError("storage", first, where=where, fix=_AGAIN))
    if status.startswith("5"):
        return Fault(TransientError("storage", first, where=where, fix=_AGAIN), repeat=True)
    return Fault(FatalError("storage_refused", first, where=where, fix="Check that the storage speaks S3 in full."))


def s3_code(error: BaseException) -> str | None:
    """The code of an S3 error answer, such as ``NoSuchKey``."""
    found = _S3_CODE.search(str(error))
    return found[1] if found else None


def http_status(error: BaseException) -> str | None:
    """The HTTP status that an error of the store reports."""
    found = _STATUS.search(str(error))
    return found[1] if found else None


def _kind(error: BaseException, text: str) -> _Kind | None:
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := _OS_ERROR.search(text)) and "S3" not in text:
        number = int(found[1])
    if number in _BY_ERRNO:
        return _BY_ERRNO[number]
    code, status = s3_code(error), http_status(error)
    if code in _BY_S3_CODE:
        return _BY_S3_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None:
        return None
    return next((kind for words, kind in _BY_WORDS if words in text), None)
