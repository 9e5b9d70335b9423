"""A third workload is one folder and no change elsewhere: a copy of Casemill with the files of docs/workloads.md.

Two of them: ``dice`` is the least that a workload can be, ``told`` has options, a command and a section of the report.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.dataset import iterate
from tests.command_line import REPOSITORY, Answer, environment

DOCUMENTATION = (REPOSITORY / "docs" / "workloads.md").read_text(encoding="utf-8")
RUN = ("--workload", "dice", "--set", "cases=30")
TOLD = ("--workload", "told", "--throws", 8)
OPTIONS = """
from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from core.workload_options import given_of


@dataclass(frozen=True)
class Options:
    reads: ClassVar[str] = ""

    throws: Annotated[int | None, typer.Option(help="Throws of a player.", metavar="THROWS")] = None

    def settings(self):
        return given_of(self)

    def selection(self):
        return {}
"""


def shown(title: str) -> str:
    """The block of the documentation below that remark."""
    (found,) = re.findall(rf"<!-- {re.escape(title)} -->\n```text\n(.*?)```", DOCUMENTATION, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("copy")
    shutil.copytree(REPOSITORY / "core", place / "core", ignore=shutil.ignore_patterns("__pycache__"))
    least = shown('workload.py of the test\'s workload "dice"')
    besides = shown('what the test\'s workload "told" has besides')
    told = least.replace('name = "dice"', 'name = "told"') + besides
    commands = shown('commands.py of the test\'s workload "told"')
    write(place, "dice", {"workload.py": least})
    write(place, "told", {"workload.py": told, "commands.py": commands, "options.py": OPTIONS})
    return place


def write(place: Path, workload: str, files: dict[str, str]) -> None:
    folder = place / "core" / "workloads" / workload
    folder.mkdir()
    for name, text in {"__init__.py": "", **files}.items():
        (folder / name).write_text(text, encoding="utf-8")


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


@pytest.fixture(scope="module")
def told(place: Path) -> Answer:
    return casemill(place, "run", *TOLD, "--out", "out", "--name", "told", "--workers", 2, "--json")


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
    assert (status.code, status.json["stage"], status.json["records"]) == (0, "published", 180)


def test_its_examples_are_read_and_exported(place: Path, run: Answer) -> None:
    eyes = [batch["eyes"] for batch in iterate(place / "out/datasets/thrown", "train")]
    exported = casemill(place, "export", "out/datasets/thrown", "--single-file", "--out", "files", "--json")
    assert exported.code == 0, exported.err
    assert sum(item["records"] for item in exported.json) == 180
    assert exported.json[0]["records"] == sum(len(batch) for batch in eyes)


def test_it_is_planned_and_estimated(place: Path) -> None:
    plan = casemill(place, "plan", "--dry-run", *RUN, "--json")
    assert (plan.code, plan.json["cases_found"], plan.json["estimated_records"]) == (0, 30, 180), plan.err
    assert plan.json["groups"] == 30
    estimate = casemill(place, "estimate", *RUN, "--json")
    assert (estimate.code, estimate.json["cases"], estimate.json["records"]) == (0, 30, 180), estimate.err
    assert estimate.json["seconds"] is None, "nobody has measured it"


def test_its_report_has_what_it_says(place: Path, run: Answer, told: Answer) -> None:
    """The one that says nothing has a report too, in words of no other workload."""
    pages = {}
    for answer in (run, told):
        assert answer.code == 0, answer.err
        made = casemill(place, "report", answer.json["run_location"], "--out", "report.html", "--json")
        assert made.code == 0, made.err
        # What people read: without the plotting library, the page's script and its style.
        text = re.sub(r"(?s)<(script|style).*?</\1>", "", (place / "report.html").read_text(encoding="utf-8"))
        pages[answer.json["data_set"]] = text
    assert "This workload says nothing about single features." in pages["thrown"]
    assert "All throws that were measured" in pages["told"]
    assert '<th scope="row">eyes</th>' in pages["told"]
    for page in pages.values():
        assert "180 examples" in page or "160 examples" in page
        assert not re.search(r"(?i)\b(recordings?|surg\w+|subjects?|1 Hz|clinical|video|vitaldb)\b", page)


def test_two_of_them_are_compared(place: Path, run: Answer, told: Answer) -> None:
    compared = casemill(place, "compare", "out/datasets/thrown", "out/datasets/told", "--json")
    assert compared.code == 0, compared.err
    assert len(compared.json["cases"]["only_first"]) == 10
    same = casemill(place, "compare", "out/datasets/told", told.json["run_location"], "--json")
    assert same.code == 0, same.err
    assert (same.json["same_data"], [feature["name"] for feature in same.json["features"]]) == (True, ["eyes"])


def test_its_command_is_one_of_casemills(place: Path) -> None:
    text = " ".join(casemill(place, "--help").out.split())
    assert re.search(r"Workload told .*? throw +Show what a player throws\.", text), text
    assert re.search(r"Workload vitaldb .*? inspect ", text)
    assert casemill(place, "throw", 3, "--times", 2, "--json").json == {"player": 3, "eyes": [4, 5]}
    table = casemill(place, "throw", 3)
    assert (table.code, table.out.split()[:6]) == (0, ["player", "3", "throw", "eyes", "0", "4"])
    refused = casemill(place, "throw", "--times", 0, 3)
    assert (refused.code, refused.err.split(":")[0]) == (64, "error [bad_command] --times")
    assert "--throws THROWS" in " ".join(casemill(place, "run", "--help").out.split()).replace(" │ │ ", " ")


def test_what_it_takes_is_measured_once_and_known_from_then_on(place: Path, run: Answer, tmp_path: Path) -> None:
    fitted = casemill(place, "fit", run.json["run_location"], "--machine", "this one", "--date", "2026-01-31")
    assert fitted.code == 0, fitted.err
    shutil.copytree(place / "core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "core/workloads/dice/times.toml").write_text(fitted.out, encoding="utf-8")
    estimate = casemill(tmp_path, "estimate", *RUN, "--json")
    assert estimate.code == 0, estimate.err
    assert estimate.json["seconds"]["value"] > 0


@pytest.mark.slow
def test_it_is_rehearsed(place: Path) -> None:
    rehearsal = casemill(place, "rehearse", *RUN, "--set", "throws=2000", "--out", "tried", "--workers", 1, "--json")
    assert rehearsal.json["disturbance"]["root_hash"] == rehearsal.json["disturbance"]["undisturbed_root_hash"]
    assert [check["name"] for check in rehearsal.json["checks"] if not check["passed"]] in ([], ["shares"])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--cases", "1-3"), "bad_option", "--cases: the workload dice knows no such option; it is one of vitaldb"),
        (("--throws", "3"), "bad_option", "--throws: the workload dice knows no such option; it is one of told"),
        (("--grid-cache", "here"), "bad_option", "--grid-cache: the workload dice takes nothing"),
        (("--set", "cases"), "bad_setting", "--set: 'cases' is not NAME=VALUE"),
    ],
)
def test_what_it_does_not_know_is_refused(place: Path, arguments: tuple[str, ...], code: str, says: str) -> None:
    answer = casemill(place, "run", "--workload", "dice", "--out", "refused", *arguments)
    assert answer.code == 64
    assert answer.err.startswith(f"error [{code}] {says}"), answer.err
