"""Lines of CloudWatch's logs, of many streams in the order of time."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from core.errors import CasemillError
from core.run.progress import clock_text
from handlers.aws.clients import client
from handlers.command_line.account import asking

STREAMS_AT_ONCE = 100
"""Streams that FilterLogEvents takes (CloudWatch Logs API)."""

_TOLD_ELSEWHERE = ("time", "timestamp", "event", "message", "level", "service", "location", "xray_trace_id")


@dataclass(frozen=True, order=True)
class LogLine:
    """One line; ``time`` in seconds since 1970, ``origin`` is the attempt or the function that said it."""

    time: float
    origin: str
    message: str
    event_id: str = ""

    def document(self) -> dict[str, Any]:
        """For programs: what the line says, parsed where it is JSON."""
        return {"time": self.time, "origin": self.origin, "said": parsed(self.message) or self.message}

    def text(self) -> str:
        """For people."""
        said = parsed(self.message)
        return f"{clock_text(self.time)}  {self.origin}  {_words(said) if said else self.message.rstrip()}"


def read_lines(group: str, origins: Mapping[str, str], since: float) -> Iterator[LogLine]:
    """The lines of these streams from ``since`` (seconds) on; ``origins`` by the name of the stream."""
    names = sorted(origins)
    batches = [names[first : first + STREAMS_AT_ONCE] for first in range(0, len(names), STREAMS_AT_ONCE)]
    return heapq.merge(*(_of_streams(group, batch, origins, since) for batch in batches))


def read_mentions(group: str, origin: str, words: str, since: float) -> Iterator[LogLine]:
    """The lines of a group that have these words in them."""
    for event in events(group, since=since, filterPattern=f'"{words}"'):
        yield LogLine(event["timestamp"] / 1000, origin, event["message"], event["eventId"])


def merged(sources: Sequence[Iterator[LogLine]]) -> Iterator[LogLine]:
    """Lines of several sources in the order of time."""
    return heapq.merge(*sources)


def _of_streams(group: str, names: Sequence[str], origins: Mapping[str, str], since: float) -> Iterator[LogLine]:
    try:
        for event in events(group, since=since, logStreamNames=list(names)):
            origin = origins[event["logStreamName"]]
            yield LogLine(event["timestamp"] / 1000, origin, event["message"], event["eventId"])
    except CasemillError as error:
        if not _is_missing(error):
            raise
        # A container that has not said anything yet has no stream, and one of these spoils the whole question.
        half = len(names) // 2
        if half:
            yield from heapq.merge(*(_of_streams(group, part, origins, since) for part in (names[:half], names[half:])))


def _is_missing(error: CasemillError) -> bool:
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"].get("Code") == "ResourceNotFoundException"


def events(group: str, *, since: float = 0.0, **wanted: Any) -> Iterator[dict[str, Any]]:
    """The events of a log group that FilterLogEvents finds with these arguments, all pages of them."""
    pages = client("logs").get_paginator("filter_log_events")
    with asking("FilterLogEvents", group):
        for page in pages.paginate(logGroupName=group, startTime=max(0, int(since * 1000)), **wanted):
            # AWS gives them in order of time; an emulator may not.
            yield from sorted(page["events"], key=lambda event: event["timestamp"])


def parsed(message: str) -> dict[str, Any] | None:
    """What a line says, where it is a JSON object."""
    try:
        said = json.loads(message)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _words(said: Mapping[str, Any]) -> str:
    """``error [code_mismatch] message, name=value``.

    >>> _words({"event": "shard_committed", "time": 1.0, "shard": "train-00000", "cases": 3, "why": None})
    'shard_committed shard=train-00000 cases=3'
    """
    level = said.get("level")
    head = [str(said[name]) for name in ("event", "message") if said.get(name)]
    if level and level != "INFO":
        head.insert(0, str(level))
    rest = [
        f"{name}={_value(value)}" for name, value in said.items() if name not in _TOLD_ELSEWHERE and value is not None
    ]
    return " ".join([*head, *rest])


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
