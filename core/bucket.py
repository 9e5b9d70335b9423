"""Access to an S3 bucket: settings, credentials, region, time-outs, and repeats."""

from __future__ import annotations

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import BaseError
from obstore.store import S3Store

from core.credentials import find_credentials, find_region
from core.errors import BadRequestError, TransientError
from core.faults import BAD_CREDENTIALS, DENIED, WRONG_REGION, Fault, classify, s3_code
from core.patience import Patience

if TYPE_CHECKING:
    from obstore.store import ObjectStore

Result = TypeVar("Result")

LARGE_BYTES = 1024 * 1024
"""A longer body may take its time to send."""

SECONDS_WHILE_DOWN = 3.0
"""So that the last words of a worker that gave up do not take as long again."""

WHOLE_REQUEST = timedelta(days=1)
"""The library's bound on a whole request, body included. Silence is what matters, and has its own bounds."""


@dataclass(frozen=True)
class StorageTimes:
    """Bounds in seconds: on faults in a row, on connecting, on an answer's silence, on sending a large body.

    From ``CASEMILL_STORAGE_RETRY_SECONDS``, ``…_CONNECT_SECONDS``, ``…_READ_SECONDS`` and ``…_WRITE_SECONDS``.
    """

    retry: float = 180.0
    connect: float = 5.0
    read: float = 30.0
    write: float = 600.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> StorageTimes:
        """The defaults, but for what is set."""
        found = {}
        for name in ("retry", "connect", "read", "write"):
            variable = f"CASEMILL_STORAGE_{name.upper()}_SECONDS"
            if text := environ.get(variable):
                found[name] = _seconds(variable, text)
        return cls(**found)


class Bucket:
    """What :class:`core.store.Store` calls its bucket through.

    Two remedies are tried before a fault counts: a bucket in another region is asked there, and a refused read is
    tried without credentials, or with those that have turned up meanwhile. What helped is kept.
    """

    def __init__(self, name: str, prefix: str, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._name, self._prefix = name, prefix
        self._endpoint = self._environ.get("AWS_ENDPOINT_URL_S3") or self._environ.get("AWS_ENDPOINT_URL")
        self._times = StorageTimes.from_environment(self._environ)
        self._region = find_region(self._environ)
        self._credentials = find_credentials(self._environ)
        self._read_signed = self._credentials is not None
        self._opened: dict[tuple[bool, bool, str], ObjectStore] = {}
        self._lock = threading.Lock()
        self._down = False
        self.repeats = 0

    def patience(self, stop: threading.Event | None = None) -> Patience:
        """What one operation may bear. While the storage is down, the next ones ask again only for a short time."""
        seconds = min(self._times.retry, SECONDS_WHILE_DOWN) if self._down else self._times.retry
        return Patience(seconds, stop, self._repeated)

    def call(
        self,
        operation: Callable[[ObjectStore], Result],
        where: str,
        patience: Patience,
        body_bytes: int | None = None,
    ) -> Result:
        """Do it, again where that may help. ``body_bytes`` is the size of what is written; None: a read.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        CasemillError
            As :func:`core.faults.classify` says.
        """
        writing = body_bytes is not None
        signed = self._credentials is not None if writing else self._read_signed
        tried: set[str] = set()
        refused: Fault | None = None
        while True:
            try:
                result = operation(self._open(signed, (body_bytes or 0) > LARGE_BYTES))
            except (BaseError, OSError) as error:
                if isinstance(error, FileNotFoundError) and s3_code(error) != "NoSuchBucket":
                    raise FileNotFoundError(where) from None
                fault = classify(error, where)
            else:
                self._down = False
                if not writing:
                    self._read_signed = signed
                return result
            code = fault.error.code
            if code in (DENIED, BAD_CREDENTIALS):
                refused = refused or self._explained(fault, signed)
                if "access" not in tried and self._other_access(signed, writing):
                    tried.add("access")
                    signed = not signed
                    continue
                raise refused.error
            if code == WRONG_REGION and "region" not in tried and self._moved():
                tried.add("region")
                continue
            try:
                patience.bear(fault)
            except TransientError:
                self._down = fault.repeat and not patience.stopped
                raise

    def _repeated(self) -> None:
        with self._lock:
            self.repeats += 1

    def _other_access(self, signed: bool, writing: bool) -> bool:
        """Whether the other way, with or without credentials, is worth a try."""
        if signed:
            return not writing
        self._credentials = self._credentials if self._credentials is not None else find_credentials(self._environ)
        return self._credentials is not None

    def _explained(self, fault: Fault, signed: bool) -> Fault:
        if signed or self._credentials is not None:
            return fault
        what = "access is denied without credentials, and none were found"
        fix = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or use a machine with a role."
        return Fault(BadRequestError("no_credentials", what, where=fault.error.where, fix=fix))

    def _moved(self) -> bool:
        region = bucket_region(self._name, self._endpoint)
        if region is None or region == self._region:
            return False
        self._region = region
        return True

    def _open(self, signed: bool, large: bool) -> ObjectStore:
        which = (signed, large, self._region)
        if which not in self._opened:
            self._opened[which] = self._new(signed, large)
        return self._opened[which]

    def _new(self, signed: bool, large: bool) -> ObjectStore:
        settings: dict[str, object] = dict(self._credentials or {}) if signed else {"skip_signature": True}
        if self._endpoint:
            settings["endpoint"] = self._endpoint
        return S3Store(
            self._name,
            prefix=self._prefix or None,
            region=self._region,
            checksum_algorithm="SHA256",
            client_options={
                "allow_http": (self._endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=self._times.connect),
                "read_timeout": timedelta(seconds=self._times.write if large else self._times.read),
                "timeout": WHOLE_REQUEST,
            },
            # See core.patience for why the repeats are ours.
            retry_config={"max_retries": 0},
            **settings,  # type: ignore[arg-type]
        )


def bucket_region(name: str, endpoint: str | None = None, seconds: float = 5.0) -> str | None:
    """The region of a bucket, as S3 tells anybody who asks; None where it does not say."""
    asking = urllib.request.Request(f"{(endpoint or 'https://s3.amazonaws.com').rstrip('/')}/{name}", method="HEAD")
    try:
        with urllib.request.urlopen(asking, timeout=seconds) as answer:
            region: str | None = answer.headers.get("x-amz-bucket-region")
            return region
    except urllib.error.HTTPError as refusal:
        return refusal.headers.get("x-amz-bucket-region")
    except OSError:
        return None


def _seconds(variable: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= 86_400.0:
        raise BadRequestError("bad_setting", f"{text!r} is not a number of seconds", where=variable, fix="E.g. 60.")
    return seconds
