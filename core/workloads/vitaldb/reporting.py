"""What the run report says of this workload's cases: the features' distributions, and the oddest cases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.reporting import Distribution, Oddity
from core.workloads.vitaldb.features import FEATURES
from core.workloads.vitaldb.profiles import Profile
from core.workloads.vitaldb.quality import HISTOGRAM_BINS

Json = dict[str, Any]

ODD_SCORE = 3.0
"""Robust standard scores from which on a figure makes a case odd."""

MOST_SCORE = 20.0
"""Of one figure: beyond it, more is not odder."""

MOST_WORDS = 3
USUAL_SHARE = 0.8
"""A feature that so many cases have is missed where it is not there."""


def distributions(
    profiles: Sequence[Profile], figures: Iterable[Json], histograms: Mapping[str, NDArray[np.int64]]
) -> tuple[Distribution, ...]:
    """One for each of the 16 features, in clinical units, over the clinical range in 50 bins."""
    feature_of = {profile.name: profile.tracks for profile in profiles}
    seconds = 0
    observed: Counter[str] = Counter()
    clipped: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    cleaned: Counter[str] = Counter()
    cases: Counter[str] = Counter()
    for case in figures:
        if "seconds" not in case:
            continue
        seconds += case["seconds"]
        observed.update(case["observed_seconds"])
        clipped.update(case["below_range_seconds"])
        clipped.update(case["above_range_seconds"])
        cases.update(name for name, count in case["observed_seconds"].items() if count)
        tracks = feature_of.get(case["profile"], {})
        _count_samples(case, tracks, samples, cleaned)
    found = []
    for feature in FEATURES:
        counts = histograms.get(feature.name, np.zeros(HISTOGRAM_BINS + 2, np.int64))
        edges = np.linspace(feature.minimum, feature.maximum, HISTOGRAM_BINS + 1)
        found.append(
            Distribution(
                name=feature.name,
                unit=feature.unit,
                minimum=float(feature.minimum),
                maximum=float(feature.maximum),
                edges=tuple(round(float(edge), 9) for edge in edges),
                counts=tuple(int(count) for count in counts[1:-1]),
                below=int(counts[0]),
                above=int(counts[-1]),
                observed_share=_share(observed[feature.name], seconds),
                clipped_share=_share(clipped[feature.name], observed[feature.name]),
                cleaned_share=_share(cleaned[feature.name], samples[feature.name]),
                cases=cases[feature.name],
                counted="seconds",
            )
        )
    return tuple(found)


def _count_samples(case: Json, tracks: Mapping[str, str], samples: Counter[str], cleaned: Counter[str]) -> None:
    for track, count in case.get("samples", {}).items():
        samples[tracks.get(track, "")] += count
    for rule, count in case["cleaned"].items():
        cleaned[tracks.get(rule.rpartition(": ")[0], "")] += count


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True)
class _Measure:
    """One figure of a case: odd where it is far above what is usual. ``floor`` is the least spread that is taken for
    the cases' own; ``says`` are the words, with the case's value and the usual one."""

    value: float
    floor: float
    says: str


def oddities(figures: Iterable[tuple[str, Json]], most: int) -> tuple[Oddity, ...]:
    """The cases whose figures are farthest from the median, in robust standard scores (|x - median| / 1.4826 MAD).

    A case without a window is a loss and told as one. Looked at are what nearly all cases have and this one lacks, what
    is outside the clinical range, what was cleaned away, silence, and the length. A score is the sum of those figures'
    own that are odd.
    """
    by_case = {case_id: _measures(case) for case_id, case in figures if case.get("windows")}
    if not by_case:
        return ()
    typical = {
        name: _Typical.of([measures[name].value for measures in by_case.values()])
        for name in next(iter(by_case.values()))
    }
    usual = {
        name.removeprefix("unobserved ")
        for name, values in typical.items()
        if name.startswith("unobserved ") and values.share_below_one >= USUAL_SHARE
    }
    found = []
    for case_id, measures in by_case.items():
        scored = [
            (typical[name].score(measure), measure.says.format(usual=_number(name, typical[name].median)))
            for name, measure in measures.items()
            if not name.startswith("unobserved ") or name.removeprefix("unobserved ") in usual
        ]
        odd = sorted((item for item in scored if item[0] >= ODD_SCORE), reverse=True)
        if odd:
            words = "; ".join(text for _, text in odd[:MOST_WORDS])
            more = f"; and {len(odd) - MOST_WORDS} more" if len(odd) > MOST_WORDS else ""
            found.append(Oddity(case_id, round(sum(score for score, _ in odd), 1), words + more))
    return tuple(sorted(found, key=lambda item: (-item.score, item.case_id))[:most])


@dataclass(frozen=True)
class _Typical:
    median: float
    deviation: float
    share_below_one: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Typical:
        numbers = np.array(values)
        median = float(np.median(numbers))
        return cls(median, float(np.median(np.abs(numbers - median))), float(np.mean(numbers < 1.0)))

    def score(self, measure: _Measure) -> float:
        spread = max(1.4826 * self.deviation, measure.floor)
        return min(MOST_SCORE, max(0.0, (measure.value - self.median) / spread))


def _measures(case: Json) -> dict[str, _Measure]:
    seconds = case["seconds"]
    cleaned, samples = sum(case["cleaned"].values()), sum(case.get("samples", {}).values())
    hours, silence = seconds / 3600.0, case["loss"]["largest_gap_s"]
    length = math.log(max(hours, 1e-3))
    found = {
        "long": _Measure(length, 0.3, f"{hours:.1f} h long (usual: {{usual}} h)"),
        "short": _Measure(-length, 0.3, f"{hours:.1f} h long (usual: {{usual}} h)"),
        "silence": _Measure(silence / 60.0, 2.0, f"{silence / 60.0:,.0f} min without any sample (usual: {{usual}})"),
    }
    share = cleaned / samples if samples else 0.0
    found["cleaned"] = _Measure(share, 0.02, f"{share:.0%} of its samples cleaned away (usual: {{usual}})")
    for feature in FEATURES:
        name = feature.name
        observed = case["observed_seconds"].get(name, 0)
        missing = 1.0 - observed / seconds
        says = f"{name} measured {1 - missing:.0%} of the time (usual: {{usual}})"
        found[f"unobserved {name}"] = _Measure(missing, 0.05, says)
        outside = case["below_range_seconds"].get(name, 0) + case["above_range_seconds"].get(name, 0)
        clipped = outside / observed if observed else 0.0
        says = f"{name} outside its range {clipped:.0%} of the time (usual: {{usual}})"
        found[f"clipped {name}"] = _Measure(clipped, 0.05, says)
    return found


def _number(name: str, median: float) -> str:
    if name in ("long", "short"):
        return f"{math.exp(median if name == 'long' else -median):.1f}"
    if name == "silence":
        return f"{median:,.0f}"
    return f"{1 - median:.0%}" if name.startswith("unobserved ") else f"{median:.0%}"
