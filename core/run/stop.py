"""Being asked to stop: a signal sets a flag that the worker looks at between two cases."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

ASK_AGAIN_SIGNAL = signal.SIGUSR1
"""Asks like SIGTERM, but never counts as the second time: for the parent, which cannot know who was asked already."""

_REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "reclaimed", ASK_AGAIN_SIGNAL: "interrupted"}


class InterruptedRunError(Exception):
    """The user (``interrupted``) or the system (``reclaimed``) asked to stop; everything finished is saved."""


@dataclass
class StopRequest:
    """``reason`` is empty until somebody asks to stop."""

    reason: str = ""

    def listen(self) -> None:
        """Let SIGTERM and SIGINT ask; the second one ends the process at once, which harms nothing."""
        for number in _REASONS:
            signal.signal(number, self._asked)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if self.reason and number != ASK_AGAIN_SIGNAL:
            os._exit(128 + number)
        self.reason = self.reason or _REASONS[signal.Signals(number)]


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into :class:`InterruptedRunError`, as Ctrl-C becomes ``KeyboardInterrupt``."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    earlier = signal.signal(signal.SIGTERM, _raise_reclaimed)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _raise_reclaimed(number: int, frame: FrameType | None) -> None:
    raise InterruptedRunError("reclaimed")
