"""What follows from the times of a track's records alone: found once for all tracks that share them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.workloads.vitaldb.grid import Floats, Places, hold_seconds, places


class Timeline:
    """The times of a track's records, missing values included.

    ``times`` (float64 [n], rising) are seconds since t = 0; ``hold_s`` is how long a sample stands.
    """

    def __init__(self, recorded: Floats, t0: float) -> None:
        self.times = recorded - t0
        # Of the times as they were recorded: what subtracting rounds off must not move a hold.
        self.hold_s = hold_seconds(recorded)
        self._places: dict[int, Places] = {}

    @cached_property
    def seconds(self) -> NDArray[np.int64]:
        """The second of each record, [n]."""
        return np.floor(self.times).astype(np.int64)

    def places(self, length: int) -> Places:
        """Which record each of ``length`` seconds takes, where all are valid."""
        if length not in self._places:
            self._places[length] = places(self.times, None, self.hold_s, length)
        return self._places[length]


class Timelines:
    """The timelines of a recording: tracks whose times are one array have one."""

    def __init__(self, t0: float) -> None:
        self._t0 = t0
        self._known: dict[int, tuple[Floats, Timeline]] = {}

    def of(self, recorded: Floats) -> Timeline:
        """The timeline of these times on the recording's own clock."""
        if id(recorded) not in self._known:
            # The array is held, so that no other one can get its number.
            self._known[id(recorded)] = recorded, Timeline(recorded, self._t0)
        return self._known[id(recorded)][1]
