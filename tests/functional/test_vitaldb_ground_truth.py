"""Every labelled fault, through a whole run: exactly the outcome, reason, flags and windows of the ground truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.run.local import LocalJob, run_locally
from core.run.models import CaseEntry, Manifest
from core.run.pipeline import execute
from core.run.plan import checked_options, make_plan
from core.run.source import open_source
from core.store import open_store
from core.workloads.registry import build_workload
from core.workloads.vitaldb.demo.cohort import write_demo_cohort
from core.workloads.vitaldb.demo.truth import CaseTruth, read_truth

REASONS_FROM_FILES = {"not_found", "unreadable", "no_signal", "unknown_unit"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, bool, Manifest]:
    folder, out = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("out")
    write_demo_cohort(folder, 4, 3, waveforms=False, faults=True)
    workload, source = build_workload("vitaldb", {}), open_source(str(folder / "vital_files"))
    cases = ",".join(truth.case_id for truth in read_truth(folder / "ground_truth.json"))
    selection = {"cases": cases, "clinical": str(folder / "clinical_data.csv"), "where": None}
    plan = make_plan(workload, source, selection, checked_options(success_threshold=0.5))
    result = execute(open_store(out), plan, workload, build_workload, workers=2)
    return folder, out / "runs" / plan.request.run_id, result.verification.passed, result.manifest


def truth_by_case(folder: Path) -> dict[str, CaseTruth]:
    return {truth.case_id: truth for truth in read_truth(folder / "ground_truth.json")}


def entries(manifest: Manifest) -> dict[str, CaseEntry]:
    return {case.case_id: case for shard in manifest.shards for case in shard.cases}


def test_outcomes(run: tuple[Path, Path, bool, Manifest]) -> None:
    folder, _, verified, manifest = run
    truths, found = truth_by_case(folder), entries(manifest)
    assert verified
    assert set(found) == set(truths)
    told = {name: (case.outcome, case.reason, case.records, set(case.flags)) for name, case in found.items()}
    expected = {name: (truth.outcome, truth.reason, truth.windows, set(truth.flags)) for name, truth in truths.items()}
    assert told == expected


def test_every_reason_that_a_file_can_cause_occurs(run: tuple[Path, Path, bool, Manifest]) -> None:
    assert set(run[3].reasons) == REASONS_FROM_FILES


def test_loss_reports(run: tuple[Path, Path, bool, Manifest]) -> None:
    """The counts that stand in the commit records are those of the ground truth."""
    folder, run_folder, _, _ = run
    truths = truth_by_case(folder)
    compared = stopped = 0
    for path in sorted((run_folder / "shards").glob("*.json")):
        for name, figures in json.loads(path.read_text())["figures"].items():
            loss = truths[name].loss
            if loss is None:
                continue
            compared += 1
            counts = {key: value for key, value in vars(loss).items() if isinstance(value, (int, dict))}
            if figures["loss"]["rest_not_examined"]:
                assert truths[name].layout == "packed"
                stopped += 1
                for key in ("bytes_in", "bytes_out", "records_read", "records_unwanted"):
                    assert figures["loss"][key] <= counts.pop(key)
                del counts["packets"], counts["rest_not_examined"]
            assert {key: figures["loss"][key] for key in counts} == counts, truths[name].fault
    assert compared >= 35
    assert stopped >= 1


def test_quarantine_names_the_failed_cases(run: tuple[Path, Path, bool, Manifest]) -> None:
    folder, run_folder, _, _ = run
    lines = [json.loads(line) for line in (run_folder / "quarantine.jsonl").read_text().splitlines()]
    failed = {name: truth.reason for name, truth in truth_by_case(folder).items() if truth.reason}
    assert {line["case_id"]: line["reason"] for line in lines} == failed


def test_nothing_is_done_twice(run: tuple[Path, Path, bool, Manifest]) -> None:
    """A second start on a finished run has nothing to do."""
    _, run_folder, _, manifest = run
    job = LocalJob(str(run_folder.parents[1]), manifest.run_id, build_workload)
    before = {path: path.stat().st_mtime_ns for path in (run_folder / "shards").iterdir()}
    run_locally(job, [0], 1)
    assert {path: path.stat().st_mtime_ns for path in (run_folder / "shards").iterdir()} == before
