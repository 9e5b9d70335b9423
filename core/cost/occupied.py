"""The time that attempts occupied their share of a machine: what there is to pay for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from core.cost.money import micros_of
from core.run.models import Attempt, Heartbeat

SILENT_INTERVALS = 3
"""A worker that was silent for longer is taken to have ended at its last heartbeat (as ``status`` shows it stale)."""

USEFUL, RUNNING = "useful", "running"


class MachinePlace(Protocol):
    """Where an attempt ran, as far as it knew: ``capacity`` is ``spot`` or ``on-demand``, ``processors`` are the
    vCPUs of the job and ``host_processors`` those of its instance."""

    @property
    def instance_type(self) -> str | None: ...
    @property
    def zone(self) -> str | None: ...
    @property
    def capacity(self) -> str | None: ...
    @property
    def processors(self) -> float | None: ...
    @property
    def host_processors(self) -> int | None: ...


@dataclass(frozen=True)
class OccupiedTime:
    """One attempt from ``started`` to ``ended`` (seconds since 1970); ``why`` as in its record, or ``running``.

    ``cases`` were finished by it, not by those before it.
    """

    partition: int
    attempt: int
    started: float
    ended: float
    why: str
    instance_type: str | None = None
    zone: str | None = None
    capacity: str | None = None
    processors: float | None = None
    host_processors: int | None = None
    cases: int = 0

    @property
    def micros(self) -> int:
        """Its length in microseconds; zero where a clock went backwards."""
        return max(0, micros_of(self.ended) - micros_of(self.started))

    @property
    def share(self) -> Fraction | None:
        """The part of the instance that was its own; None where it is unknown or makes no sense."""
        if not self.processors or not self.host_processors or not 0 < self.processors <= self.host_processors:
            return None
        return Fraction(self.processors) / self.host_processors

    @property
    def end(self) -> str:
        """What its seconds are counted as: ``useful``, or the way in which it ended."""
        return USEFUL if self.why == "finished" else self.why


def occupied_by_attempt(attempt: Attempt, place: MachinePlace | None) -> OccupiedTime:
    """An attempt that has ended."""
    return _at(
        place,
        partition=attempt.partition,
        attempt=attempt.attempt,
        started=attempt.started,
        ended=attempt.ended,
        why=attempt.why,
        cases=max(0, attempt.cases - attempt.restored),
    )


def occupied_by_heartbeat(beat: Heartbeat, place: MachinePlace | None, now: float) -> OccupiedTime:
    """An attempt without a record yet: up to ``now`` while it can be heard, else up to its last heartbeat."""
    heard = beat.state == "working" and now - beat.updated <= SILENT_INTERVALS * beat.interval
    return _at(
        place,
        partition=beat.partition,
        attempt=beat.attempt,
        started=beat.updated - beat.seconds,
        ended=max(now, beat.updated) if heard else beat.updated,
        why=RUNNING,
        cases=max(0, beat.cases_finished - beat.cases_restored),
    )


def occupied_times(
    attempts: Iterable[tuple[Attempt, MachinePlace | None]],
    beats: Iterable[tuple[Heartbeat, MachinePlace | None]],
    now: float,
) -> tuple[OccupiedTime, ...]:
    """Every attempt once, by partition and number: its record where there is one, else its heartbeat."""
    found = {(beat.partition, beat.attempt): occupied_by_heartbeat(beat, place, now) for beat, place in beats}
    found |= {(attempt.partition, attempt.attempt): occupied_by_attempt(attempt, place) for attempt, place in attempts}
    return tuple(found[key] for key in sorted(found))


def _at(
    place: MachinePlace | None,
    *,
    partition: int,
    attempt: int,
    started: float,
    ended: float,
    why: str,
    cases: int,
) -> OccupiedTime:
    if place is None:
        return OccupiedTime(partition, attempt, started, ended, why, cases=cases)
    return OccupiedTime(
        partition,
        attempt,
        started,
        ended,
        why,
        instance_type=place.instance_type,
        zone=place.zone,
        capacity=place.capacity,
        processors=place.processors,
        host_processors=place.host_processors,
        cases=cases,
    )
