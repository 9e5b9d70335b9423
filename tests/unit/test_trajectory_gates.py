"""Each quality gate has a figure, and a planted violation shows in those gates that it touches and in no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.workloads.trajectory.audit import AuditFigures, audit, read_figures
from core.workloads.trajectory.baseline import nearest_neighbour
from core.workloads.trajectory.camera import project
from core.workloads.trajectory.configuration import Configuration, resolve_configuration
from core.workloads.trajectory.duplicates import KEPT, VideoSketch, read_sketch, sketch_videos
from core.workloads.trajectory.examples import make_examples
from core.workloads.trajectory.gates import judge
from core.workloads.trajectory.rendering import render

SAMPLES = 400
CONFIGURATION = resolve_configuration({"samples": SAMPLES, "seed": 5})
Records = dict[str, Any]


@cache
def good() -> Records:
    return dict(make_examples(CONFIGURATION, np.arange(SAMPLES)))


def copied() -> Records:
    return {name: column.copy() for name, column in good().items()}


def missed(records: Records, configuration: Configuration = CONFIGURATION) -> set[str]:
    return {gate.name for gate in judge(audit(records, configuration), configuration) if not gate.passed}


def draw(records: Records) -> None:
    """Draw the paths that stand in the records, as the generator would."""
    points, cameras = (records[name].astype(np.float64) for name in ("trajectory", "camera"))
    records["projected"] = project(points, cameras, 32).astype(np.float32)
    drawn = np.full(records["visible"].shape, True)
    videos = render(records["projected"].astype(np.float64), drawn, 32, 1, CONFIGURATION.radius_px)
    records["video"] = videos.reshape(SAMPLES, 1, -1)


def test_a_good_data_set_passes_every_gate() -> None:
    gates = judge(audit(good(), CONFIGURATION), CONFIGURATION)
    assert [gate.name for gate in gates if not gate.passed] == []
    assert len({gate.name for gate in gates}) == len(gates) == 16
    assert all(np.isfinite(gate.figure) and gate.limit for gate in gates)


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "classic"},
        {"preset": "classic", "out_of_frame": "mask"},
        {"preset": "classic", "augment": 1, "frames": 100},
        {"frames": 60},
        {"frames": 4},
    ],
)
def test_other_settings_pass_too(settings: dict[str, Any]) -> None:
    configuration = resolve_configuration({"samples": 200, **settings})
    assert missed(dict(make_examples(configuration, np.arange(200))), configuration) == set()


def test_a_single_line_of_older_data_with_much_noise_passes() -> None:
    # 3 % of such lines are 0.1 or more off their chord: a small run must not fail by chance.
    configuration = resolve_configuration({"preset": "classic", "augment": 1, "samples": 400})
    records = dict(make_examples(configuration, np.arange(400)))
    figures = audit(records, configuration)
    gate = next(gate for gate in judge(figures, configuration) if gate.name == "linear: distance to chord")
    assert 0.1 < gate.figure < 0.3
    assert gate.passed
    records["trajectory"][8, 4, 2] += 0.7
    assert "linear: distance to chord" in missed(records, configuration)


def test_frames_without_a_disc_are_not_still_frames() -> None:
    # The first 40 samples of which two frames in a row are blank: more than 5 % of all.
    every = resolve_configuration({"preset": "classic", "out_of_frame": "mask"})
    records = dict(make_examples(every, np.arange(1000)))
    blank = records["visible"] == 0
    some = np.flatnonzero((blank[:, 1:] & blank[:, :-1]).any(axis=1))[:40]
    records = {name: column[some] for name, column in records.items()}
    figures = audit(records, every)
    assert figures.counts["still_frames"] == 0
    assert 0 < figures.counts["frame_pairs"] < 40 * 7
    # A disc that stays is still, whatever the flags of others say.
    videos = records["video"].reshape(40, 8, -1)
    videos[:, 1:] = videos[:, :1]
    assert audit(records, every).counts["still_frames"] == figures.counts["frame_pairs"]


def _row_lost(records: Records) -> None:
    for name in records:
        records[name] = records[name][1:]


def _row_twice(records: Records) -> None:
    for name in records:
        records[name][4] = records[name][8]


def _class_missing(records: Records) -> None:
    # Samples of class 0 take the place of class 2, so that rows are as many as planned.
    more = make_examples(CONFIGURATION, np.arange(SAMPLES, 2 * SAMPLES, 4))
    for name in records:
        records[name][2::4] = more[name]


def _wrong_label(records: Records) -> None:
    records["label"][[0, 1]] = records["label"][[1, 0]]


def _same_videos(records: Records) -> None:
    still = np.flatnonzero(np.arange(SAMPLES) % 4 == 1)[:5]
    for name in ("video", "trajectory", "camera", "projected"):
        records[name][still] = records[name][still[0]]


def _still(records: Records) -> None:
    videos = records["video"].reshape(SAMPLES, 8, -1)
    videos[:50, 1:] = videos[:50, :1]


def _disc_elsewhere(records: Records) -> None:
    videos = records["video"].reshape(SAMPLES, 8, 32, 32)
    videos[7, 3] = np.roll(videos[7, 3], 1, axis=1)


def _not_seen(records: Records) -> None:
    records["camera"][9, 1] += 5.0
    draw(records)
    records["visible"][9] = 0


def _wrong_flag(records: Records) -> None:
    records["visible"][3, 2] = 0


def _not_finite(records: Records) -> None:
    records["camera"][11, 2] = np.nan


def _out_of_range(records: Records) -> None:
    records["camera"][11, 0] = 700.0
    draw(records)


def _other_projection(records: Records) -> None:
    records["projected"][2, 5, 0] += 0.05


def _bent_line(records: Records) -> None:
    records["trajectory"][8, 4, 2] += 0.3
    draw(records)


def _oval(records: Records) -> None:
    records["trajectory"][9, :, 0] *= 0.2
    draw(records)


def _uneven_helix(records: Records) -> None:
    records["trajectory"][10, ::2, :2] *= 0.1
    draw(records)


def _flat_helix(records: Records) -> None:
    records["trajectory"][14, -1, 2] = records["trajectory"][14, 0, 2] + 0.05
    draw(records)


VIOLATIONS: list[tuple[Callable[[Records], None], set[str]]] = [
    (_row_lost, {"rows", "each sample once"}),
    (_row_twice, {"each sample once"}),
    (_class_missing, {"balance", "each sample once"}),
    (_wrong_label, {"labels", "linear: distance to chord"}),
    (_same_videos, {"duplicates"}),
    (_still, {"still frames", "disc in place"}),
    (_disc_elsewhere, {"disc in place"}),
    (_not_seen, {"visible", "in range"}),
    (_wrong_flag, {"visible", "visible flags"}),
    (_not_finite, {"finite", "projection", "visible flags"}),
    (_out_of_range, {"in range", "visible flags"}),
    (_other_projection, {"projection"}),
    (_bent_line, {"linear: distance to chord"}),
    (_oval, {"circular: std of radius"}),
    (_uneven_helix, {"helical: std of radius"}),
    (_flat_helix, {"helical: mean step along z"}),
]


@pytest.mark.parametrize(("plant", "gates"), VIOLATIONS, ids=[plant.__name__ for plant, _ in VIOLATIONS])
def test_a_planted_violation_shows(plant: Callable[[Records], None], gates: set[str]) -> None:
    records = copied()
    plant(records)
    assert missed(records) == gates


def test_every_gate_has_a_violation() -> None:
    names = {gate.name for gate in judge(audit(good(), CONFIGURATION), CONFIGURATION)}
    assert set().union(*(gates for _, gates in VIOLATIONS)) == names


def text(figures: AuditFigures) -> str:
    return json.dumps(figures.as_json(), sort_keys=True, allow_nan=False)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(SAMPLES)), st.lists(st.integers(0, SAMPLES), max_size=6))
def test_figures_add_up_over_any_grouping(order: list[int], cuts: list[int]) -> None:
    groups = [group for group in np.split(np.array(order), sorted(cuts)) if len(group)]
    parts = [audit({name: column[group] for name, column in good().items()}, CONFIGURATION) for group in groups]
    assert text(reduce(add, parts)) == text(audit(good(), CONFIGURATION))


def test_figures_come_back_from_json() -> None:
    records = copied()
    _same_videos(records)
    _not_finite(records)
    figures = audit(records, CONFIGURATION)
    assert text(read_figures(json.loads(text(figures)))) == text(figures)


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(0, 40))
def test_duplicates_are_counted_exactly(numbers: list[int], cut: int) -> None:
    videos = np.array(numbers, np.uint8)[:, None].repeat(5, axis=1)
    sketch = sketch_videos(videos[:cut]) + sketch_videos(videos[cut:])
    share = 1 - len(set(numbers)) / len(numbers) if numbers else 0.0
    assert sketch.duplicate_share == pytest.approx(share)
    again = read_sketch(sketch.as_json())
    assert np.array_equal(again.digests, sketch.digests)
    assert np.array_equal(again.counts, sketch.counts)


def test_of_very_many_videos_the_share_is_an_estimate_that_no_grouping_changes() -> None:
    random = np.random.default_rng(1)
    digests = random.integers(0, 1 << 63, 200_000, dtype=np.uint64)
    digests[100_000:103_000] = digests[:3_000]  # 1.5 % of all
    parts = [
        VideoSketch(*(np.unique(part, return_counts=True)))
        for part in (digests, *np.split(digests, [5, 70_000, 150_000]))
    ]
    together, in_parts = parts[0] + sketch_videos(np.empty((0, 4), np.uint8)), reduce(add, parts[1:])
    assert len(together.digests) == KEPT
    assert together.duplicate_share == in_parts.duplicate_share
    assert together.duplicate_share == pytest.approx(0.015, abs=0.003)


def test_a_nearest_neighbour_tells_the_classes_apart() -> None:
    figures = audit(dict(make_examples(CONFIGURATION, np.arange(800))), CONFIGURATION)
    baseline = nearest_neighbour(figures.tracks, CONFIGURATION.salt)
    assert (baseline.neighbours, baseline.tested) == (560, 120)
    assert [sum(row) for row in baseline.confusion] == [30, 30, 30, 30]
    assert baseline.accuracy > 0.95


def test_a_nearest_neighbour_of_shuffled_labels_guesses() -> None:
    records = dict(make_examples(CONFIGURATION, np.arange(800)))
    records["label"] = np.random.default_rng(3).permutation(records["label"])
    assert nearest_neighbour(audit(records, CONFIGURATION).tracks, CONFIGURATION.salt).accuracy < 0.45
