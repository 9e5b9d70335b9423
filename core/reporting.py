"""What a workload may take part in when a run is reported: features, pictures, odd cases, and cases to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.workload import Case, Json, Source, Workload


@dataclass(frozen=True)
class Distribution:
    """How one feature is distributed over all cases that were read, in its own unit.

    ``edges`` [n + 1] rise; ``counts`` [n] are those between them, ``below`` and ``above`` those outside. ``minimum``
    and ``maximum`` are the range that the feature is meant to have (None: no bound). Shares are of 0 to 1, None where
    they have no meaning: ``observed_share`` of all that there might have been, ``clipped_share`` of what was observed,
    ``cleaned_share`` of the samples in the source. ``cases`` have any of it. ``counted`` says what is counted.
    """

    name: str
    unit: str
    minimum: float | None
    maximum: float | None
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0
    observed_share: float | None = None
    clipped_share: float | None = None
    cleaned_share: float | None = None
    cases: int | None = None
    counted: str = "values"


@dataclass(frozen=True)
class Picture:
    """A picture for people: PNG bytes, and the words for who cannot see it."""

    title: str
    png: bytes
    alternative: str


@dataclass(frozen=True)
class Oddity:
    """A case that differs from the others: the higher the ``score`` the more; ``words`` say in what."""

    case_id: str
    score: float
    words: str


@dataclass(frozen=True)
class Trace:
    """One feature of one case over its time, in the feature's unit.

    ``raw_times`` (seconds) and ``raw_values`` are the samples as they stand in the source, in any order. ``signal`` [T]
    is what the examples are cut from, at equal steps (:attr:`CaseTraces.step_seconds`); where ``measured`` [T] is false
    it was imputed. ``sources`` names what the samples came from.
    """

    name: str
    unit: str
    minimum: float | None
    maximum: float | None
    raw_times: NDArray[np.float64]
    raw_values: NDArray[np.float64]
    signal: NDArray[np.float64]
    measured: NDArray[np.bool_]
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaseTraces:
    """What became of one case, to look at: its features on one time axis.

    ``windows`` are the stretches of time [start, end), in seconds, that its examples are. The signals have a value
    every ``step_seconds``.
    """

    case_id: str
    seconds: int
    traces: tuple[Trace, ...]
    windows: tuple[tuple[int, int], ...]
    remarks: tuple[str, ...] = ()
    step_seconds: float = 1.0


@runtime_checkable
class ReportingWorkload(Workload, Protocol):
    """A workload that has something to say in the run report.

    A workload is free to be no more than a :class:`Workload`: its report has everything else. What it has nothing to
    say to, it answers with an empty sequence. All of it must follow from what is given and the configuration alone.
    """

    def distributions(
        self, figures: Iterable[Json], histograms: Mapping[str, NDArray[np.int64]]
    ) -> Sequence[Distribution]:
        """One for each feature, in order. ``figures`` are those of every case that has any, to be gone through once;
        ``histograms`` are summed over all cases."""
        ...

    def pictures(self, cases: Sequence[Case]) -> Sequence[Picture]:
        """Pictures of the data set, few and small: all of them together stay below 1 MB. ``cases`` are the run's."""
        ...

    def oddities(self, figures: Iterable[tuple[str, Json]], most: int) -> Sequence[Oddity]:
        """The oddest cases, oddest first, at most ``most``; ``figures`` come by case id, to be gone through once."""
        ...

    def traces(self, case: Case, source: Source | None) -> CaseTraces | None:
        """A case as the viewer shows it; None where a case of this workload has no time axis.

        Raises
        ------
        ContentError
            The case cannot be used; its code is the case's reason.
        """
        ...
