"""The time model's coefficients, made anew from what runs took: least squares without negative coefficients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import numpy as np
from numpy.typing import NDArray

from core.cost.time_model import Bounds, Coefficients, PerByte
from core.errors import BadRequestError
from core.run.models import Attempt, CommitRecord
from core.run.plan import PlannedCase

FEWEST_CASES = 10
SHORTEST_SECONDS = 0.02
"""Cases that were shorter weigh no more than one of this length: the clock and the machine's noise decide there."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observation:
    """What one case took a worker; ``layout`` as far as it is known, ``run`` names where it was seen."""

    run: str
    case: str
    size: int
    records: int
    seconds: float
    layout: str = ""


@dataclass(frozen=True)
class RunObservation:
    """What a run took beside the work on its cases: start, verification, publication."""

    records: int
    workers: int
    seconds: float


@dataclass(frozen=True)
class Provenance:
    """Where, when and how the observations were made."""

    machine: str
    date: str
    command: str


def observations_of(
    run: str, cases: Iterable[PlannedCase], commits: Iterable[CommitRecord], layouts: Mapping[str, str] | None = None
) -> list[Observation]:
    """The cases of a run that its committing attempts worked."""
    seconds = {name: taken for commit in commits for name, taken in commit.made_by.case_seconds.items()}
    known = layouts or {}
    return [
        Observation(
            run=run,
            case=f"{entry.case.key}:{entry.case.id}",
            size=entry.case.size,
            records=entry.case.estimated_records,
            seconds=seconds[entry.case.id],
            layout=known.get(entry.case.id, ""),
        )
        for entry in cases
        if entry.case.id in seconds and entry.case.key is not None
    ]


def beside_the_work(took_seconds: float, attempts: Sequence[Attempt], records: int, workers: int) -> RunObservation:
    """A run of one start: all its time but that between its first attempt's start and its last one's end."""
    span = max(item.ended for item in attempts) - min(item.started for item in attempts)
    return RunObservation(records, workers, max(0.0, took_seconds - span))


def fit(observations: Sequence[Observation], runs: Sequence[RunObservation], provenance: Provenance) -> Coefficients:
    """Fit a workload's coefficients. A case that was seen in several runs counts once, with its median.

    Raises
    ------
    BadRequestError
        ``too_few_runs``: fewer than ten cases, or no run of a single start.
    """
    cases = _medians(observations)
    if len(cases) < FEWEST_CASES or not runs:
        raise BadRequestError(
            "too_few_runs",
            f"{len(cases)} cases and {len(runs)} runs of a single start cannot be fitted to",
            fix=f"Give runs of at least {FEWEST_CASES} cases that were not interrupted.",
        )
    each, per_byte, per_record = _of_a_case(cases)
    per_layout = _per_layout(cases)
    beside = least_squares(
        np.array([[1.0, run.records / run.workers] for run in runs]), np.array([run.seconds for run in runs])
    )
    low, high = _run_bounds(observations)
    return Coefficients(
        start_seconds=_figures(beside[0]),
        case_seconds=_figures(each),
        byte_seconds=PerByte(
            low=_figures(min(per_byte, *per_layout, per_byte)),
            likely=_figures(per_byte),
            high=_figures(max(per_byte, *per_layout, per_byte)),
        ),
        record_seconds=_figures(per_record),
        check_record_seconds=_figures(beside[1]),
        runs=Bounds(low=_figures(low), high=_figures(high)),
        machine=provenance.machine,
        date=provenance.date,
        command=provenance.command,
        measured_runs=len({item.run for item in observations}),
        measured_cases=len(cases),
    )


def least_squares(table: Floats, values: Floats) -> list[float]:
    """The coefficients, none below zero, that come closest to ``values`` [n] = ``table`` [n, k] · coefficients [k].

    Every choice of columns is tried (k is small), so the answer is exact and the same everywhere.
    """
    width = table.shape[1]
    best: tuple[float, list[float]] = (float(values @ values), [0.0] * width)
    for count in range(1, width + 1):
        for columns in combinations(range(width), count):
            scale = np.linalg.norm(table[:, columns], axis=0)
            if not scale.all():
                continue
            found, _, rank, _ = np.linalg.lstsq(table[:, columns] / scale, values, rcond=None)
            if rank < count or (found < 0).any():
                continue
            rest = values - (table[:, columns] / scale) @ found
            squares = float(rest @ rest)
            if squares < best[0] * (1 - 1e-12):
                coefficients = [0.0] * width
                for column, value in zip(columns, found / scale, strict=True):
                    coefficients[column] = float(value)
                best = (squares, coefficients)
    return best[1]


def _medians(observations: Iterable[Observation]) -> list[Observation]:
    groups: dict[tuple[str, int, int, str], list[Observation]] = {}
    for item in observations:
        groups.setdefault((item.case, item.size, item.records, item.layout), []).append(item)
    return [Observation("", *key[:3], median(item.seconds for item in groups[key]), key[3]) for key in sorted(groups)]


def _of_a_case(cases: Sequence[Observation]) -> list[float]:
    """Seconds a case, a byte and a record."""
    values, weights = _weighted(cases)
    return least_squares(np.array([[1.0, case.size, case.records] for case in cases]) * weights[:, None], values)


def _per_layout(cases: Sequence[Observation]) -> list[float]:
    """Seconds a byte of each known layout, with the other coefficients in common."""
    layouts = sorted({case.layout for case in cases})
    if len(layouts) < 2:
        return []
    values, weights = _weighted(cases)
    table = np.array(
        [[1.0, case.records, *(case.size * (case.layout == layout) for layout in layouts)] for case in cases]
    )
    return least_squares(table * weights[:, None], values)[2:]


def _weighted(cases: Sequence[Observation]) -> tuple[Floats, Floats]:
    """Seconds [n], weighted, and the weights [n]: the error of a case grows with the root of its length."""
    seconds = np.array([case.seconds for case in cases])
    weights = 1 / np.sqrt(np.maximum(seconds, SHORTEST_SECONDS))
    return seconds * weights, weights


def _run_bounds(observations: Sequence[Observation]) -> tuple[float, float]:
    """The factors between which nine of ten whole runs lie around what the other cohorts say of them.

    Runs of the same cases are one cohort. Where there is no other cohort, or too small a one, they are held against the
    fit to themselves, which flatters it.
    """
    runs: dict[str, list[Observation]] = {}
    for item in observations:
        runs.setdefault(item.run, []).append(item)
    cohorts = {run: frozenset((item.case, item.size, item.records) for item in runs[run]) for run in runs}
    ratios = []
    for run in sorted(runs):
        others = _medians(item for item in observations if cohorts[item.run] != cohorts[run])
        coefficients = _of_a_case(others if len(others) >= FEWEST_CASES else _medians(observations))
        modelled = sum(_likely(item, coefficients) for item in runs[run])
        if modelled > 0:
            ratios.append(sum(item.seconds for item in runs[run]) / modelled)
    if not ratios:
        return 1.0, 1.0
    low, high = np.quantile(ratios, [0.05, 0.95]).tolist()
    return min(1.0, low), max(1.0, high)


def _likely(item: Observation, coefficients: Sequence[float]) -> float:
    each, per_byte, per_record = coefficients
    return each + per_byte * item.size + per_record * item.records


def _figures(value: float) -> float:
    """Three significant figures: more would pretend."""
    return float(f"{value:.3g}")


def fit_error(coefficients: Coefficients, observations: Sequence[Observation]) -> float:
    """Measured over modelled seconds of all observations together."""
    known = (coefficients.case_seconds, coefficients.byte_seconds.likely, coefficients.record_seconds)
    modelled = sum(_likely(item, known) for item in observations)
    return sum(item.seconds for item in observations) / modelled if modelled else float("nan")
