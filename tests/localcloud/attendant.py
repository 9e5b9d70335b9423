"""What AWS does without being asked: ends of executions are told of, jobs of stopped ones end, alarms are looked at.

Tests call for each of these when they want it; a cloud that stays open needs somebody who does.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.localcloud.alarms import Mail
from tests.localcloud.cloud import FINISHED, LocalCloud

LOOK_SECONDS = 0.5
ALARM_SECONDS = 30.0


@dataclass(frozen=True)
class Ended:
    """An execution that has ended."""

    name: str
    status: str
    why: str


@dataclass
class Attendant:
    """Looks after a deployed cloud from a thread of its own; ``news`` are what it has seen, in order."""

    cloud: LocalCloud

    def __post_init__(self) -> None:
        self.news: queue.Queue[Ended | Mail] = queue.Queue()
        self._mailbox = self.cloud.mailbox()
        self._told: set[str] = set()
        self._mails = 0
        self._alarms_at = time.monotonic() + ALARM_SECONDS
        self._stop = threading.Event()
        self._executor = ThreadPoolExecutor(1, "attendant")

    def __enter__(self) -> Attendant:
        self._work = self._executor.submit(self._run)
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop.set()
        self._executor.shutdown()

    def check(self) -> None:
        """Raise what ended it before its time."""
        if self._work.done():
            self._work.result()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            for found in self._look():
                self.news.put(found)

    def _look(self) -> Iterator[Ended | Mail]:
        for execution in self._ended():
            if execution["status"] in ("ABORTED", "TIMED_OUT"):
                self.cloud.end_jobs(execution["executionArn"])
            self.cloud.deliver(execution)
            yield Ended(execution["name"], execution["status"], _why(execution))
        if time.monotonic() >= self._alarms_at:
            self._alarms_at = time.monotonic() + ALARM_SECONDS
            self.cloud.evaluate_alarms()
        mails = self._mailbox.all()
        yield from mails[self._mails :]
        self._mails = len(mails)

    def _ended(self) -> Iterator[dict[str, Any]]:
        client = self.cloud.client("stepfunctions")
        machine = self.cloud.outputs["StateMachine"]
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine)
        for found in (found for page in pages for found in page["executions"]):
            if found["status"] in FINISHED and found["executionArn"] not in self._told:
                self._told.add(found["executionArn"])
                yield client.describe_execution(executionArn=found["executionArn"])


def _why(execution: dict[str, Any]) -> str:
    cause = execution.get("cause") or ""
    with suppress(ValueError, AttributeError):
        cause = json.loads(cause).get("errorMessage", cause)
    return ": ".join(part for part in (execution.get("error"), cause) if part)
