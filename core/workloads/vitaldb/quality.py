"""Quality figures of one case, and how they add up over a run (spec/vitaldb, last section)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.recording.model import LossReport
from core.workloads.vitaldb import grid_native
from core.workloads.vitaldb.features import FEATURE_NAMES, FEATURES, VENTILATOR_NAMES, Feature
from core.workloads.vitaldb.patient import STATIC_NAMES, Patient
from core.workloads.vitaldb.signals import Signals

Json = dict[str, Any]
Floats = NDArray[np.float64]
HISTOGRAM_BINS = 50
"""Equal bins over the clinical range; one more below it and one above it."""


def case_figures(
    profile: str, patient: Patient, signals: Signals, histograms: Mapping[str, NDArray[np.int64]], loss: LossReport
) -> Json:
    """Plain figures of one case, its windows not counted yet; shares are of its seconds, counts of clipped seconds are
    of measured ones. ``histograms`` are the case's own."""
    seconds = {name: counts.tolist() for name, counts in histograms.items()}
    return {
        "profile": profile,
        "windows": 0,
        "seconds": signals.seconds,
        "observed_seconds": {name: sum(counts) for name, counts in seconds.items()},
        "below_range_seconds": {name: counts[0] for name, counts in seconds.items()},
        "above_range_seconds": {name: counts[-1] for name, counts in seconds.items()},
        "cleaned": {rule: count for rule, count in signals.cleaned.items() if count},
        "samples": signals.samples,
        "units": signals.units,
        "static_imputed": list(patient.imputed),
        "loss": loss_figures(loss),
    }


def loss_figures(loss: LossReport) -> Json:
    """The loss report as plain JSON."""
    return {**vars(loss), "packets": dict(loss.packets)}


def case_histograms(signals: Signals) -> dict[str, NDArray[np.int64]]:
    """Per feature, int64 [1 + bins + 1]: measured seconds below, in and above the clinical range."""
    library = grid_native.LIBRARY.usable()
    if library is not None:
        return dict(zip(FEATURE_NAMES, grid_native.histograms(library, signals.grid, _all_edges()), strict=True))
    return {feature.name: _histogram(values, feature) for values, feature in zip(signals.grid.T, FEATURES, strict=True)}


def _histogram(values: Floats, feature: Feature) -> NDArray[np.int64]:
    if not len(values):
        return np.zeros(HISTOGRAM_BINS + 2, np.int64)
    # A value stands for several seconds, so that there are far fewer stretches of one value than seconds.
    last = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    seconds, values = np.diff(last, prepend=-1), values[last]
    measured = values == values  # NaN alone differs from itself
    bins = np.searchsorted(_edges(feature), values[measured], side="right")
    return np.bincount(bins, seconds[measured], HISTOGRAM_BINS + 2).astype(np.int64)


@cache
def _edges(feature: Feature) -> Floats:
    edges = np.linspace(feature.minimum, feature.maximum, HISTOGRAM_BINS + 1)
    edges[-1] = np.nextafter(edges[-1], np.inf)  # the maximum belongs to the last bin
    return edges


@cache
def _all_edges() -> Floats:
    return np.array([_edges(feature) for feature in FEATURES])


def run_figures(figures: Iterable[Json], histograms: Mapping[str, NDArray[np.int64]]) -> Json:
    """The cases' figures added up: shares per feature, cleaned-away samples per rule, profiles and units seen.

    ``figures`` are gone through once, so that they need not all be in memory.
    """
    cases = seconds = 0
    profiles: Counter[str] = Counter()
    cleaned: Counter[str] = Counter()
    units: dict[str, set[str]] = {}
    sums: dict[str, Counter[str]] = {name: Counter() for name in _SECONDS}
    with_signal: Counter[str] = Counter()
    static_imputed: Counter[str] = Counter()
    without_ventilator = 0
    for case in figures:
        if "seconds" not in case:
            continue  # it failed before its signals were read: there is nothing to add up
        cases += 1
        seconds += case["seconds"]
        profiles[case["profile"]] += 1
        cleaned.update(case["cleaned"])
        for track, seen in case["units"].items():
            units.setdefault(track, set()).update(seen)
        for name, total in sums.items():
            total.update(case[name])
        static_imputed.update(case["static_imputed"])
        observed_names = {name for name, observed in case["observed_seconds"].items() if observed}
        with_signal.update(observed_names)
        without_ventilator += observed_names.isdisjoint(VENTILATOR_NAMES)
    return {
        "cases_read": cases,
        "seconds": seconds,
        "profiles": dict(sorted(profiles.items())),
        "features": {
            name: {
                "observed_share": observed / seconds if seconds else 0.0,
                "clipped_below_share": below / observed if observed else 0.0,
                "clipped_above_share": above / observed if observed else 0.0,
                "cases_with_signal": with_signal[name],
            }
            for name in FEATURE_NAMES
            for observed, below, above in [[sums[kind][name] for kind in _SECONDS]]
        },
        "cases_without_ventilator": without_ventilator,
        "static_imputed_cases": {name: static_imputed[name] for name in STATIC_NAMES},
        "cleaned_samples": dict(sorted(cleaned.items())),
        "units_seen": {track: sorted(seen) for track, seen in sorted(units.items())},
        "histograms": {
            feature.name: {
                "minimum": feature.minimum,
                "maximum": feature.maximum,
                "unit": feature.unit,
                "below": int(counts[0]),
                "bins": [int(count) for count in counts[1:-1]],
                "above": int(counts[-1]),
            }
            for feature in FEATURES
            if (counts := histograms.get(feature.name)) is not None
        },
    }


_SECONDS = ("observed_seconds", "below_range_seconds", "above_range_seconds")
