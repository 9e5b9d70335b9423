"""How long a fault of the storage is borne: repeats with exponential backoff and full jitter, for a bounded time.

The library's own repeats are switched off (:mod:`core.bucket`): it does not repeat a conditional create whose answer
was lost, a cut listing or status 429, signs a request once for all its repeats, and cannot say how many there were.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from core.errors import TransientError
from core.faults import Fault

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 15.0


class Patience:
    """Bears the faults of one operation for up to ``seconds``; none at all for 0.

    ``stop`` ends it early; ``on_repeat`` is called once for every repeat.
    """

    def __init__(
        self, seconds: float, stop: threading.Event | None = None, on_repeat: Callable[[], None] = lambda: None
    ) -> None:
        self._seconds = seconds
        self._stop = stop or threading.Event()
        self._on_repeat = on_repeat
        self.repeats = 0
        self.renew()

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to give up."""
        return self._stop.is_set()

    def renew(self) -> None:
        """Begin afresh: the storage has answered."""
        self._step = 0
        self._since = time.monotonic()

    def bear(self, fault: Fault) -> None:
        """Wait before the next try, or raise the fault's error where waiting is of no use or has lasted too long."""
        waiting_s = random.uniform(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._step))
        borne_s = time.monotonic() - self._since
        if not fault.repeat or self._stop.is_set() or borne_s + waiting_s >= self._seconds:
            raise self._given_up(fault, borne_s)
        self._step += 1
        self.repeats += 1
        self._on_repeat()
        self._stop.wait(waiting_s)

    def _given_up(self, fault: Fault, borne_s: float) -> Exception:
        error = fault.error
        if not self._step or not isinstance(error, TransientError):
            return error
        what = f"{error.what}, {self._step} repeats over {borne_s:.0f} s did not help"
        return TransientError(error.code, what, where=error.where, fix=error.fix)
