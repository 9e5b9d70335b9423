"""Histograms of the quality figures against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.workloads.vitaldb.features import FEATURES, Feature
from core.workloads.vitaldb.quality import HISTOGRAM_BINS, case_histograms
from core.workloads.vitaldb.signals import Signals


def signals(column: list[float]) -> Signals:
    return Signals(np.repeat(np.array(column, float)[:, None], len(FEATURES), axis=1), {}, {}, {}, 3)


def expected(column: list[float], feature: Feature) -> list[int]:
    values = np.array([value for value in column if not np.isnan(value)])
    inside, _ = np.histogram(values, np.linspace(feature.minimum, feature.maximum, HISTOGRAM_BINS + 1))
    return [int((values < feature.minimum).sum()), *inside.tolist(), int((values > feature.maximum).sum())]


@given(st.lists(st.one_of(st.floats(-300, 300), st.integers(-5, 260).map(float), st.just(np.nan)), max_size=60))
def test_histograms_count_every_measured_second(column: list[float]) -> None:
    found = case_histograms(signals(column))
    for feature in FEATURES:
        assert found[feature.name].tolist() == expected(column, feature)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_the_bounds_of_the_bins(feature: Feature) -> None:
    edges = np.linspace(feature.minimum, feature.maximum, HISTOGRAM_BINS + 1)
    column = np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]).tolist()
    assert case_histograms(signals(column))[feature.name].tolist() == expected(column, feature)
