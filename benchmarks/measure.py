"""Timing several contestants in turn, so that a machine that slows down slows all of them down alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from core.run.memory import keep_freed_memory

Clock = Callable[[], float]


@dataclass(frozen=True)
class Times:
    """Seconds of one contestant, one figure a round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.seconds)


@dataclass(frozen=True)
class Spread:
    """A figure with the lowest and the highest of its rounds."""

    figure: float
    low: float
    high: float

    def scaled(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(self.figure * factor, self.low * factor, self.high * factor)


def in_turn(
    contestants: Mapping[str, Callable[[], object]], rounds: int, clock: Clock = time.process_time
) -> dict[str, Times]:
    """Call A B C A B C …, the garbage collector off while the clock runs.

    Before each call that counts comes one that does not: what another contestant left in the caches, and did to
    the process's free memory, is nobody's here, and a worker does one case after the other.

    The clock is the process's own processor time: what others do on a shared machine does not count, and every
    contestant works in one thread.
    """
    # As our workers do; it is the process's, so that all contestants have it.
    keep_freed_memory()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            with _no_collection():
                call()
                started = clock()
                call()
                seconds[name].append(clock() - started)
    return {name: Times(tuple(found)) for name, found in seconds.items()}


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def together(*parts: Times) -> Times:
    """One after the other, round by round.

    >>> together(Times((1.0, 2.0)), Times((3.0, 5.0)))
    Times(seconds=(4.0, 7.0))
    """
    return Times(tuple(map(sum, zip(*(part.seconds for part in parts), strict=True))))


def ratio(above: Times, below: Times) -> Spread:
    """How many times as long ``above`` takes: of the medians, and the extremes of the single rounds.

    >>> ratio(Times((2.0, 4.0, 6.0)), Times((1.0, 1.0, 2.0)))
    Spread(figure=4.0, low=2.0, high=4.0)
    """
    by_round = [one / other for one, other in zip(above.seconds, below.seconds, strict=True)]
    return Spread(above.median / below.median, min(by_round), max(by_round))


def spread(times: Times) -> Spread:
    """Seconds: median, lowest, highest."""
    return Spread(times.median, min(times.seconds), max(times.seconds))


def rate(amount: float, times: Times) -> Spread:
    """Amount per second: at the median time, at the slowest, at the fastest."""
    return Spread(amount / times.median, amount / max(times.seconds), amount / min(times.seconds))
