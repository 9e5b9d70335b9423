"""Faults of the storage on demand: a WSGI layer in front of an emulated S3. Rules, a seed, counters."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

STATUS = {
    "SlowDown": "503 Slow Down",
    "ServiceUnavailable": "503 Service Unavailable",
    "InternalError": "500 Internal Server Error",
    "RequestTimeout": "400 Bad Request",
    "ExpiredToken": "400 Bad Request",
    "AccessDenied": "403 Forbidden",
    "InvalidAccessKeyId": "403 Forbidden",
    "RequestTimeTooSkewed": "403 Forbidden",
    "ConditionalRequestConflict": "409 Conflict",
    "TooManyRequests": "429 Too Many Requests",
    "PermanentRedirect": "301 Moved Permanently",
}
"""S3 error codes that a rule may answer with."""


@dataclass
class Rule:
    """One kind of fault and the requests that it hits.

    ``fault`` is a key of :data:`STATUS`, or ``reset`` (the connection is torn before the request is carried out),
    ``lost`` (it is carried out, then torn), ``stall`` (``seconds`` of silence first), ``slow`` (the same for every
    request, and no fault) or ``cut`` (half of the body). ``method`` and ``path`` are regular expressions that must
    match in full; ``when`` looks at the WSGI environment.
    """

    fault: str
    method: str = ".*"
    path: str = ".*"
    probability: float = 1.0
    times: int | None = None
    seconds: float = 3.0
    headers: tuple[tuple[str, str], ...] = ()
    when: Callable[[dict[str, Any]], bool] = lambda environ: True


@dataclass
class FaultyApplication:
    """An application with faults; ``fired`` counts them, ``requests`` keeps (method, path) of all."""

    application: Application
    rules: list[Rule] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(0)

    def reset(self, *rules: Rule, seed: int = 0) -> None:
        """Start afresh with these rules."""
        with self._lock:
            self.rules, self._random = list(rules), random.Random(seed)
            self.fired.clear()
            self.requests.clear()
            self.headers.clear()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        rule = self._choose(environ)
        if rule is None:
            return self.application(environ, start_response)
        if rule.fault in ("stall", "slow"):
            time.sleep(rule.seconds)
            return self.application(environ, start_response)
        if rule.fault == "cut":
            return self._cut(environ, start_response)
        if rule.fault == "lost":
            list(self.application(environ, lambda *answer: None))
        if rule.fault in ("reset", "lost"):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("torn by a rule of the test")
        return _answer(rule, environ, start_response)

    def _choose(self, environ: dict[str, Any]) -> Rule | None:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        with self._lock:
            self.requests.append((method, path))
            self.headers.append({key[5:]: value for key, value in environ.items() if key.startswith("HTTP_")})
            for rule in self.rules:
                hit = re.fullmatch(rule.method, method) and re.fullmatch(rule.path, path) and rule.when(environ)
                if hit and rule.times != 0 and self._random.random() < rule.probability:
                    rule.times = None if rule.times is None else rule.times - 1
                    self.fired[rule.fault] += 1
                    return rule
        return None

    def _cut(self, environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
        answer: list[Any] = []
        body = b"".join(self.application(environ, lambda *given: answer.extend(given)))
        start_response(*answer[:2])
        yield body[: len(body) // 2]
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def _answer(rule: Rule, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    # Unread, the rest of the request would be taken for the next one on the same connection.
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = f"<?xml version='1.0'?><Error><Code>{rule.fault}</Code><Message>by a rule of the test</Message></Error>"
    data = b"" if environ["REQUEST_METHOD"] == "HEAD" else body.encode()
    start_response(
        STATUS[rule.fault],
        [("Content-Type", "application/xml"), ("Content-Length", str(len(data))), *rule.headers],
    )
    return [data]
