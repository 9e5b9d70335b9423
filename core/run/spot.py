"""The instance this process runs on: what it is, and whether it is about to be taken away (design, "On AWS").

Both come from the instance metadata service, version 2 only. Where there is none (a laptop, Fargate), nothing
happens: the place stays unknown and no watcher is started.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

from core.run.models import Place
from core.run.stop import StopRequest

DEFAULT_ENDPOINT = "http://169.254.169.254"
POLL_SECONDS = 5.0
"""How often AWS advises to look for the notice (EC2 user guide, "Spot Instance interruption notices")."""

ANSWER_SECONDS = 1.0
TOKEN_SECONDS = 6 * 3600
"""The longest life the service gives a token."""

TRIES = 2
_MOST_BYTES = 64 * 1024
_LIFE_CYCLES = {"spot": "spot", "on-demand": "on-demand"}
# The service is on the link itself, so a proxy for the rest of the world is never asked.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoMetadataError(Exception):
    """The service did not answer, or not as it should."""


@dataclass
class InstanceMetadata:
    """Reads the instance metadata service; keeps its session token and renews it when it ends or is refused."""

    endpoint: str = DEFAULT_ENDPOINT
    answer_seconds: float = ANSWER_SECONDS
    token_seconds: int = TOKEN_SECONDS
    elapsed: Callable[[], float] = time.monotonic
    _token: str = field(default="", init=False)
    _token_ends: float = field(default=0.0, init=False)

    def read(self, path: str) -> str | None:
        """The text at ``latest/meta-data/<path>``, or None where there is no such thing.

        Raises
        ------
        NoMetadataError
            No answer within ``answer_seconds``, or another status than 200 and 404.
        """
        status, text = self._read_with_token(path)
        if status == http.HTTPStatus.UNAUTHORIZED:
            self._token = ""
            status, text = self._read_with_token(path)
        if status == http.HTTPStatus.NOT_FOUND:
            return None
        if status != http.HTTPStatus.OK:
            raise NoMetadataError(f"status {status}")
        return text

    def _read_with_token(self, path: str) -> tuple[int, str]:
        headers = {"X-aws-ec2-metadata-token": self._valid_token()}
        return self._ask("GET", f"meta-data/{path}", headers)

    def _valid_token(self) -> str:
        if not self._token or self.elapsed() >= self._token_ends:
            asked = self.elapsed()
            headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(self.token_seconds)}
            status, token = self._ask("PUT", "api/token", headers)
            if status != http.HTTPStatus.OK or not token:
                raise NoMetadataError(f"no token: status {status}")
            self._token, self._token_ends = token, asked + self.token_seconds
        return self._token

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.endpoint}/latest/{path}", headers=headers, method=method)
        try:
            with _OPENER.open(request, timeout=self.answer_seconds) as answer:
                return answer.status, answer.read(_MOST_BYTES).decode("utf-8", "replace").strip()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoMetadataError(type(error).__name__) from error


def read_place(metadata: InstanceMetadata) -> Place | None:
    """Instance type, availability zone, and ``spot`` or ``on-demand``; None where there is no such service."""
    for _ in range(TRIES):
        try:
            life_cycle = metadata.read("instance-life-cycle")
            return Place(
                instance_type=metadata.read("instance-type"),
                zone=metadata.read("placement/availability-zone"),
                capacity=_LIFE_CYCLES.get(life_cycle or ""),
            )
        except NoMetadataError:
            continue
    return None


def watch_for_notice(
    metadata: InstanceMetadata, stop: StopRequest, poll_seconds: float = POLL_SECONDS
) -> threading.Thread:
    """Start a daemon thread that asks to stop (``reclaimed``) when the spot notice comes, and then ends.

    Start it only where :func:`read_place` found the service: then a poll without an answer is a passing trouble,
    and the next one follows.
    """
    thread = threading.Thread(target=_watch, args=(metadata, stop, poll_seconds), name="spot-notice", daemon=True)
    thread.start()
    return thread


def is_taken_away(metadata: InstanceMetadata) -> bool:
    """Whether the notice is there; also where the service does not answer, as that of a machine that goes down."""
    try:
        return _has_notice(metadata)
    except NoMetadataError:
        return True


def _watch(metadata: InstanceMetadata, stop: StopRequest, poll_seconds: float) -> None:
    while not stop.reason:
        if _notice(metadata):
            stop.ask("reclaimed")
            return
        time.sleep(poll_seconds)


def _notice(metadata: InstanceMetadata) -> bool:
    try:
        return _has_notice(metadata)
    except NoMetadataError:
        return False


def _has_notice(metadata: InstanceMetadata) -> bool:
    """Whether the instance is to be stopped, hibernated or terminated: each of them ends our time."""
    return metadata.read("spot/instance-action") is not None
