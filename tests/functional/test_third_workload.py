"""A third workload is one folder and no change elsewhere: a copy of Casemill with the file of docs/workloads.md."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import REPOSITORY, Answer, environment

BLOCK = re.compile(r'<!-- workload\.py of the test\'s workload "dice" -->\n```text\n(.*?)```', re.DOTALL)
RUN = ("--workload", "dice", "--set", "cases=30")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("copy")
    shutil.copytree(REPOSITORY / "core", place / "core", ignore=shutil.ignore_patterns("__pycache__"))
    folder = place / "core" / "workloads" / "dice"
    folder.mkdir()
    (folder / "__init__.py").touch()
    documentation = (REPOSITORY / "docs" / "workloads.md").read_text(encoding="utf-8")
    (shown,) = BLOCK.findall(documentation)
    (folder / "workload.py").write_text(shown, encoding="utf-8")
    return place


def casemill(place: Path, *arguments: object) -> Answer:
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=place,
        env={**environment(), "PYTHONPATH": str(place)},
        timeout=120,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def run(place: Path) -> Answer:
    return casemill(place, "run", *RUN, "--out", "out", "--name", "thrown", "--workers", 2, "--json")


def test_it_runs_to_a_verified_data_set(place: Path, run: Answer) -> None:
    assert run.code == 0, run.err
    assert run.json["verified"]
    assert (run.json["records"], run.json["outcomes"]) == (180, {"done": 30})
    manifest = json.loads((place / "out/datasets/thrown/manifest.json").read_text())
    assert (manifest["workload"], manifest["needs_workload"]) == ("dice", False)
    assert "One throw of a die." in (place / "out/datasets/thrown/dataset_card.md").read_text()


def test_it_is_verified_again_and_its_status_told(place: Path, run: Answer) -> None:
    verified = casemill(place, "verify", "out/datasets/thrown", "--ordered-hash", "--json")
    assert verified.code == 0, verified.err
    assert verified.json["root_hash"] == run.json["root_hash"]
    assert re.fullmatch("[0-9a-f]{64}", verified.json["ordered_hash"])
    status = casemill(place, "status", run.json["run_location"], "--json")
    assert (status.code, status.json["stage"]) == (0, "published")


def test_it_is_planned_and_estimated(place: Path) -> None:
    plan = casemill(place, "plan", "--dry-run", *RUN, "--json")
    assert (plan.code, plan.json["cases_found"], plan.json["estimated_records"]) == (0, 30, 180), plan.err
    estimate = casemill(place, "estimate", *RUN, "--json")
    assert (estimate.code, estimate.json["cases"]) == (0, 30), estimate.err


@pytest.mark.slow
def test_it_is_rehearsed(place: Path) -> None:
    rehearsal = casemill(place, "rehearse", *RUN, "--set", "throws=2000", "--out", "tried", "--workers", 1, "--json")
    assert rehearsal.json["disturbance"]["root_hash"] == rehearsal.json["disturbance"]["undisturbed_root_hash"]
    assert [check["name"] for check in rehearsal.json["checks"] if not check["passed"]] in ([], ["shares"])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--cases", "1-3"), "bad_option", "--cases: the workload dice knows no such option; it is one of vitaldb"),
        (("--grid-cache", "here"), "bad_option", "--grid-cache: the workload dice takes nothing"),
        (("--set", "cases"), "bad_setting", "--set: 'cases' is not NAME=VALUE"),
    ],
)
def test_what_it_does_not_know_is_refused(place: Path, arguments: tuple[str, ...], code: str, says: str) -> None:
    answer = casemill(place, "run", "--workload", "dice", "--out", "refused", *arguments)
    assert answer.code == 64
    assert answer.err.startswith(f"error [{code}] {says}"), answer.err
