"""Being asked to stop: a signal or the spot notice sets a reason that the worker looks at between two cases.

Three limits hold. A case in hand gets ``GRACE_SECONDS`` to end; then it is abandoned and done afresh by the next
attempt. A second signal ends the process at once: what is stored is only ever created, never changed, so this harms
nothing. And where nothing else helps (a read that never returns), :func:`end_at_the_latest` ends the process.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from core.errors import EXIT_INTERRUPTED, EXIT_RETRY

ASK_AGAIN_SIGNAL = signal.SIGUSR1
"""Asks like SIGTERM, but never counts as the second time: for the parent, which cannot know who was asked already."""

GRACE_SECONDS = 10.0
"""For the case in hand (issue "Nothing lost", 3)."""

LAST_SECONDS = 25.0
"""AWS Batch kills a job 30 s after it sent SIGTERM, and the kill's exit code would not be retried."""

_REASONS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "reclaimed",
    signal.SIGHUP: "interrupted",
    ASK_AGAIN_SIGNAL: "interrupted",
}
_NEVER_SECOND = (ASK_AGAIN_SIGNAL, signal.SIGHUP)
"""A terminal that goes, as when a connection breaks, may be told twice: by the system and by the shell."""


class InterruptedRunError(Exception):
    """The user (``interrupted``) or the system (``reclaimed``) asked to stop; everything finished is saved."""


class AbandonedCaseError(BaseException):
    """The case in hand did not end within its grace. No ``Exception``, so that no workload takes it for its own."""


@dataclass
class StopRequest:
    """``reason`` is empty until somebody asks to stop, ``asked_at`` is the monotonic time of that.

    SIGTERM alone does not tell a machine that is taken away from a job that somebody ends: ``is_taken_away`` does,
    where the machine can be asked.
    """

    reason: str = ""
    grace_seconds: float = GRACE_SECONDS
    is_taken_away: Callable[[], bool] = lambda: True
    asked_at: float | None = field(default=None, init=False)
    _listening: bool = field(default=False, init=False)
    _signalled: bool = field(default=False, init=False)
    _case_in_hand: bool = field(default=False, init=False)

    def listen(self) -> None:
        """Let SIGTERM and SIGINT ask; the second one ends the process at once. Only the main thread may call this.

        SIGHUP asks too, but where it is ignored, as under ``nohup``.
        """
        for number in _REASONS:
            if not _is_ignored_hang_up(number):
                signal.signal(number, self._asked)
        signal.signal(signal.SIGALRM, self._grace_over)
        self._listening = True

    def ask(self, reason: str) -> None:
        """Ask to stop, from any thread. The first reason stays."""
        if self.reason:
            return
        self.asked_at = time.monotonic()
        self.reason = reason
        if self._listening:
            signal.setitimer(signal.ITIMER_REAL, self.grace_seconds)

    def ending(self) -> str:
        """What the record of the attempt says: the reason, but ``interrupted`` where no machine was taken away."""
        return "interrupted" if self.reason == "reclaimed" and not self.is_taken_away() else self.reason

    @contextmanager
    def case_in_hand(self) -> Iterator[None]:
        """What is done in here may be abandoned by :class:`AbandonedCaseError`; it must not have stored anything."""
        self._case_in_hand = True
        try:
            yield
        finally:
            self._case_in_hand = False

    def _asked(self, number: int, frame: FrameType | None) -> None:
        reason = _REASONS[signal.Signals(number)]
        if number not in _NEVER_SECOND:
            # A spot notice is followed by SIGTERM: only a second signal is somebody who does not want to wait.
            if self._signalled:
                os._exit(stop_exit_code(reason))
            self._signalled = True
        self.ask(reason)

    def _grace_over(self, number: int, frame: FrameType | None) -> None:
        if self._case_in_hand:
            self._case_in_hand = False
            raise AbandonedCaseError


def stop_exit_code(reason: str) -> int:
    """The exit code of a process that stopped as asked (design, rule 5)."""
    return EXIT_INTERRUPTED if reason == "interrupted" else EXIT_RETRY


def end_at_the_latest(stop: StopRequest, seconds: float = LAST_SECONDS) -> threading.Thread:
    """Start a daemon thread that ends the process when it is still there ``seconds`` after it was asked to stop."""
    thread = threading.Thread(target=_end, args=(stop, seconds), name="last-resort", daemon=True)
    thread.start()
    return thread


def _end(stop: StopRequest, seconds: float) -> None:
    while stop.asked_at is None or time.monotonic() < stop.asked_at + seconds:
        time.sleep(0.2)
    os._exit(stop_exit_code(stop.reason))


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM, and SIGHUP where it is not ignored, into :class:`InterruptedRunError`, as Ctrl-C becomes
    ``KeyboardInterrupt``."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    handled = [number for number in (signal.SIGTERM, signal.SIGHUP) if not _is_ignored_hang_up(number)]
    earlier = {number: signal.signal(number, _raise_asked) for number in handled}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _is_ignored_hang_up(number: signal.Signals) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def _raise_asked(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGHUP:
        signal.signal(number, signal.SIG_IGN)  # the shell may say it once more
    raise InterruptedRunError(_REASONS[signal.Signals(number)])
