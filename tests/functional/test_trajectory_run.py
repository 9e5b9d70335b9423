"""Trajectories through the platform: one identity whatever the cut, growth that changes nothing, gates that decide."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.dataset import DataSet, open_data_set
from core.run.findings import verify_group
from core.run.layout import DataSetLayout
from core.run.models import Check
from core.run.ordered_hash import ordered_hash
from core.run.pipeline import execute
from core.run.plan import PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.publish import Publication, publish, read_success, verify_published
from core.run.verify_groups import groups_of
from core.run.worker import PartitionWorker
from core.store import Store, open_store
from core.workload import Case, CaseResult, Source
from core.workloads.registry import build_workload
from core.workloads.trajectory.workload import TrajectoryWorkload
from tests.command_line import casemill

SEED = 5


def run(workload: TrajectoryWorkload, partitions: int = 1, **options: Any) -> tuple[Store, Publication]:
    """A whole run over a store in memory, partition by partition, verified in groups as the cloud does."""
    store = open_store("memory://")
    plan = make_plan(workload, None, {}, PlanOptions(data_set="moving", partitions=partitions, **options))
    write_plan(store, plan)
    for partition in reversed(range(plan.shards.partitions)):
        PartitionWorker(store, plan, workload, None, partition).run()
    run_id = plan.request.run_id
    for group in range(len(groups_of(plan.request, plan.shards.shards))):
        verify_group(store, run_id, group, lambda name, settings: workload)
    return store, publish(store, plan, workload, trust="findings only")


def data_set(store: Store, publication: Publication) -> DataSet:
    """The data set of a run in memory."""
    return DataSet(_Below(store, DataSetLayout.named("moving").root), publication.manifest)  # type: ignore[arg-type]


class _Below:
    """A folder of a store as a store to read from."""

    def __init__(self, store: Store, root: str) -> None:
        self._store, self._root = store, root
        self.uri = f"{store.uri}/{root}"

    def stream(self, key: str) -> Any:
        return self._store.stream(f"{self._root}/{key}")


@cache
def found(samples: int, block_size: int) -> tuple[str, str]:
    """Root hash and ordered hash of a run."""
    store, publication = run(TrajectoryWorkload({"samples": samples, "block_size": block_size, "seed": SEED}))
    assert publication.verification.passed, [c for c in publication.verification.checks if not c.passed]
    return publication.manifest.root_hash, ordered_hash(data_set(store, publication))


def test_the_ordered_hash_does_not_know_the_size_of_a_block() -> None:
    small, middle, large = (found(1000, size) for size in (100, 250, 1000))
    assert small[1] == middle[1] == large[1]
    assert len({small[0], middle[0], large[0]}) == 3
    assert found(999, 250)[1] != middle[1]


@pytest.mark.parametrize("partitions", [2, 5])
def test_the_root_hash_does_not_know_the_number_of_workers(partitions: int) -> None:
    _, publication = run(TrajectoryWorkload({"samples": 1000, "seed": SEED}), partitions)
    assert publication.manifest.root_hash == found(1000, 250)[0]


def records(store: Store, publication: Publication) -> dict[int, tuple[str, bytes]]:
    """Side and content of every sample."""
    gathered = {}
    for split in ("train", "validation", "test"):
        for batch in data_set(store, publication).iterate(split):
            for row, sample in enumerate(batch["sample"].reshape(-1).tolist()):
                content = b"".join(np.ascontiguousarray(batch[name][row]).tobytes() for name in sorted(batch))
                gathered[sample] = (split, content)
    return gathered


def test_growing_leaves_every_earlier_sample_as_it_is_and_where_it_is() -> None:
    before = records(*run(TrajectoryWorkload({"samples": 1000, "seed": SEED})))
    after = records(*run(TrajectoryWorkload({"samples": 2000, "seed": SEED})))
    assert sorted(before) == list(range(1000))
    assert sorted(after) == list(range(2000))
    assert {sample: after[sample] for sample in before} == before


class Perturbed(TrajectoryWorkload):
    """A generator with a fault: ``plant`` changes a case's columns before they are written."""

    plant: Callable[[dict[str, Any]], None]

    def process(self, case: Case, source: Source | None) -> CaseResult:
        made = super().process(case, source)
        columns = {name: np.array(column) for name, column in made.columns.items()}
        type(self).plant(columns)
        count = len(columns["sample"])
        return CaseResult(made.outcome, records=count, columns=columns)


def _drop(columns: dict[str, Any]) -> None:
    for name in columns:
        columns[name] = columns[name][1:]


def _twice(columns: dict[str, Any]) -> None:
    for name in columns:
        columns[name] = np.concatenate([columns[name], columns[name][-1:]])
    columns["sample"][-1] += 10_000


def _of_one_class(columns: dict[str, Any]) -> None:
    columns["label"][...] = 2


def _same(columns: dict[str, Any]) -> None:
    columns["video"][...] = columns["video"][0]


def _standing(columns: dict[str, Any]) -> None:
    videos = columns["video"].reshape(len(columns["video"]), 8, -1)
    videos[:, 1:] = videos[:, :1]


def _hidden(columns: dict[str, Any]) -> None:
    columns["visible"][0, 0] = 0


def _not_finite(columns: dict[str, Any]) -> None:
    columns["camera"][0, 1] = np.nan


def _near(columns: dict[str, Any]) -> None:
    columns["camera"][0, 0] = 1e6


def _shifted(columns: dict[str, Any]) -> None:
    columns["projected"][0, 0, 0] = 31.0 - columns["projected"][0, 0, 0]


def _mirrored(columns: dict[str, Any]) -> None:
    columns["video"][...] = 255 - columns["video"]


def _bent(kind: int) -> Callable[[dict[str, Any]], None]:
    def plant(columns: dict[str, Any]) -> None:
        own = columns["label"].reshape(-1) == kind
        columns["trajectory"][own, ::2, 0] *= 0.1

    return plant


def _flat(columns: dict[str, Any]) -> None:
    columns["trajectory"][:, :, 2] = columns["trajectory"][:, :1, 2]


PLANTED: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (_drop, "gate: rows"),
    (_drop, "gate: each sample once"),
    (_of_one_class, "gate: balance"),
    (_of_one_class, "gate: labels"),
    (_same, "gate: duplicates"),
    (_standing, "gate: still frames"),
    (_mirrored, "gate: disc in place"),
    (_hidden, "gate: visible"),
    (_hidden, "gate: visible flags"),
    (_not_finite, "gate: finite"),
    (_near, "gate: in range"),
    (_shifted, "gate: projection"),
    (_bent(0), "gate: linear: distance to chord"),
    (_bent(1), "gate: circular: std of radius"),
    (_bent(2), "gate: helical: std of radius"),
    (_flat, "gate: helical: mean step along z"),
    (_twice, "provenance"),
]


@cache
def verdict(plant: Callable[[dict[str, Any]], None]) -> dict[str, Check]:
    """The checks of a run whose generator has this fault; it publishes nothing."""
    own = type("Own", (Perturbed,), {"plant": staticmethod(plant)})
    store, publication = run(own({"samples": 160, "seed": SEED, "block_size": 80}))
    assert not publication.verification.passed
    assert read_success(store, DataSetLayout.named("moving")) is None
    return {check.name: check for check in publication.verification.checks}


@pytest.mark.parametrize(("plant", "check"), PLANTED, ids=[f"{plant.__name__} {check}" for plant, check in PLANTED])
def test_a_generator_with_a_fault_publishes_nothing(plant: Callable[[dict[str, Any]], None], check: str) -> None:
    found_check = verdict(plant)[check]
    assert not found_check.passed
    assert found_check.detail


def test_every_gate_has_a_run_that_it_fails() -> None:
    _, publication = run(TrajectoryWorkload({"samples": 160, "seed": SEED}))
    gates = {check.name for check in publication.verification.checks if check.name.startswith("gate: ")}
    assert gates == {check for _, check in PLANTED} - {"provenance"}


class Misfiled(TrajectoryWorkload):
    """Training and test are exchanged between planning and working: samples of one side stand on another."""

    def process(self, case: Case, source: Source | None) -> CaseResult:
        other = {"train": "test", "test": "train", "validation": "validation"}
        return super().process(replace(case, split=other[str(case.split)]), source)  # type: ignore[arg-type]


def test_samples_on_the_wrong_side_are_found_by_their_numbers() -> None:
    _, publication = run(Misfiled({"samples": 160, "seed": SEED, "block_size": 80}))
    failed = {check.name: " ".join(check.problems) for check in publication.verification.checks if not check.passed}
    assert "do not belong to train, by the workload's rule" in failed["provenance"]
    assert "records belong to other cases" in failed["provenance"]
    # Every sample is there once, so that no gate could have told.
    assert [name for name in failed if name.startswith("gate: ")] == []


def test_by_the_command_line(tmp_path: Path) -> None:
    asked = ("--workload", "trajectory", "--samples", 400, "--block-size", 100)
    answer = casemill("run", *asked, "--out", tmp_path, "--name", "moving", "--workers", 2, "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["records"], answer.json["planned_cases"]) == (400, 12)
    place = tmp_path / "datasets" / "moving"
    metadata = json.loads((place / "preprocessing_metadata.json").read_text())
    assert sum(map(sum, metadata["audit"]["baseline"]["confusion"])) == metadata["audit"]["baseline"]["tested"] > 0
    verification, _ = verify_published(open_store(str(place)), 1, build_workload)
    assert verification.passed
    batch = next(iter(open_data_set(str(place)).iterate("test", 4)))
    assert batch["video"].shape == (4, 1, 8 * 32 * 32)
    again = casemill("verify", place, "--ordered-hash", "--json")
    assert (again.code, again.json["root_hash"]) == (0, answer.json["root_hash"])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--source", "x"), "bad_option", "--source"),
        (("--window-s", 60), "bad_option", "--window-s: the workload trajectory knows no such option"),
        (("--samples", 0), "bad_setting", "samples"),
        (("--channels", 2), "bad_setting", "channels: 2 is neither 1 (grey) nor 3 (RGB)"),
        (("--samples", 10**9), "bad_setting", "block_size: 1,000,000,000 samples in blocks of 250"),
        (("--preset", "modern"), "bad_setting", "preset"),
        (("--salt", "mine"), "bad_option", "--salt"),
        (("--set", "windows=3"), "bad_setting", "windows"),
        (("--samples", "many"), "bad_command", "--samples"),
    ],
)
def test_what_it_does_not_take_is_refused(tmp_path: Path, arguments: tuple[object, ...], code: str, says: str) -> None:
    answer = casemill("run", "--workload", "trajectory", "--out", tmp_path / "out", *arguments)
    assert answer.code == 64
    assert answer.err.startswith(f"error [{code}] ")
    assert says in answer.err


def test_the_whole_of_it_with_processes(tmp_path: Path) -> None:
    workload = TrajectoryWorkload({"samples": 1000, "seed": SEED})
    plan = make_plan(workload, None, {}, PlanOptions(data_set="moving"))
    result = execute(open_store(str(tmp_path), create=True), plan, workload, build_workload, 2)
    assert result.verification.passed
    assert result.manifest.root_hash == found(1000, 250)[0]
