"""Every command in README.md and docs/ is run by a test, or is excused with a reason; a new one fails here.

Commands that need no network run here in a folder with the demo cohort. Those of the cloud run in
``tests/localcloud/test_command_line.py``. Slow ones run when ``CASEMILL_DOCUMENTS=all`` (``make documents``).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from core.cli.main import app
from core.cli.reference import reference_page
from tests.command_line import COMMAND, environment
from tests.documented_commands import (
    GENERATED,
    IN_THE_CLOUD,
    ROOT,
    Documented,
    documented,
    examples_of_the_help,
    hidden_commands,
)

EXCUSED: dict[str, str] = {
    r"make (demo|test|chaos|docs)": "run by .ci/run itself",
    r"make cloud": "tests/cloudcli/test_serve.py starts and ends it (make cloud-cli)",
    r"make setup": "is the first part of make demo, which .ci/run runs",
    r"make build": "tests/functional/test_functions_package.py assembles the package",
    r"make bench": "about ten minutes; tests/functional/test_benchmarks.py runs every part of it small",
    r"python -m benchmarks .*": "tests/functional/test_benchmarks.py",
    r"cdk (bootstrap|diff|deploy|destroy)\b.*": "a real account; tests/localcloud deploys the template",
    r"npm install --global aws-cdk@.*": "another's program, from the network",
    r"git checkout .*": "another commit of this repository",
    r"aws .*": "AWS's own command line on a real account",
    r"casemill run --source s3://physionet-open/.*": "the network, 102 GB in all; the options are checked here",
    r"casemill --(install|show)-completion": "tests/functional/test_command_line_face.py",
}
"""What is not run as it stands, by a pattern of the whole command, and why."""

SLOW = re.compile(r"casemill rehearse |.*--grid-cache .*|casemill status .* --watch")
"""Run by ``make documents``; the grid cache, for one, reads the cohort twice more."""

IN_README = "README.md"
"""tests/functional/test_readme.py runs its commands, in the order in which they stand."""

MADE_FIRST = "casemill demo-data --cases 24 --seed 7 --out demo/cohort"

ALL = os.environ.get("CASEMILL_DOCUMENTS") == "all"


def excuse(text: str) -> str | None:
    return next((reason for pattern, reason in EXCUSED.items() if re.fullmatch(pattern, text)), None)


def here() -> list[Documented]:
    """Commands that are run below."""
    found: dict[str, Documented] = {}
    for item in documented():
        if item.page != IN_README and not excuse(item.text) and not IN_THE_CLOUD.match(item.text):
            found.setdefault(item.text, item)
    return list(found.values())


def test_every_excuse_is_needed() -> None:
    commands = [item.text for item in documented()]
    assert len(commands) > 50
    for pattern in EXCUSED:
        assert any(re.fullmatch(pattern, text) for text in commands), f"nobody shows {pattern!r} any more"


def test_no_command_hides_in_another_kind_of_block() -> None:
    assert hidden_commands() == []


@pytest.mark.parametrize("item", documented(), ids=str)
def test_every_command_is_known_and_its_options_are(item: Documented) -> None:
    program = item.text.split()[0]
    if excuse(item.text) and program != "casemill":
        return
    assert program in ("casemill", "python"), f"{item}: nothing runs it; add it to a test, or to EXCUSED with a reason"
    if program == "python":
        assert (ROOT / item.text.split()[1]).is_file(), item
    elif "--" in item.text or len(item.text.split()) > 1:
        parse(item.text)


def parse(text: str) -> None:
    """Fail where the command line would refuse it; nothing is called."""
    words = shlex.split(text.partition(" > ")[0])[1:]
    group: Any = get_command(app)
    context = typer.Context(group, info_name="casemill")
    while words and not words[0].startswith("-"):
        name, group, words = group.resolve_command(context, words)
        context = typer.Context(group, info_name=name, parent=context)
        if not hasattr(group, "list_commands"):
            group.make_context(name, list(words), parent=context.parent)
            return


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo cohort where the pages have it (``demo/cohort``) and where the help has it, and a data set of it."""
    place = tmp_path_factory.mktemp("documents")
    (place / "examples").symlink_to(ROOT / "examples")
    run(place, MADE_FIRST)
    for name in ("vital_files", "clinical_data.csv"):
        (place / name).symlink_to(place / "demo" / "cohort" / name)
    cohort = "--source demo/cohort/vital_files --clinical demo/cohort/clinical_data.csv"
    run(place, f"casemill run {cohort} --out demo/out --name first")
    (place / "out").symlink_to(place / "demo" / "out")
    prices = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "cost.md").read_text(encoding="utf-8"), re.DOTALL)
    assert prices
    (place / "prices.json").write_text(prices[1])
    return place


def run(place: Path, line: str) -> str:
    """Run a line of bash in which ``casemill`` and ``python`` are this environment's; its standard output."""
    casemill = f'casemill() {{ {" ".join(COMMAND)} "$@"; }}\npython() {{ {sys.executable} "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", casemill + line], cwd=place, env=environment(), capture_output=True, text=True, timeout=250,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def as_it_is_here(place: Path, text: str) -> str:
    """With the run's id in the place of a made-up one."""
    run_id = first_run(place).name
    return re.sub(r"RUN_ID|vitaldb-0123456789ab|runs/\*", lambda found: _run_id(found[0], run_id), text)


def _run_id(found: str, run_id: str) -> str:
    return f"runs/{run_id}" if found.startswith("runs/") else run_id


def first_run(place: Path) -> Path:
    """The oldest run: some commands make more."""
    return min((place / "demo" / "out" / "runs").glob("*"), key=lambda path: (path / "run.json").stat().st_mtime)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_the_pages_show_runs_as_printed(folder: Path) -> None:
    shown = here()
    assert len(shown) >= 8
    ran = 0
    for item in shown:
        if (SLOW.match(item.text) and not ALL) or item.text == MADE_FIRST:
            continue
        run(folder, as_it_is_here(folder, item.text))
        ran += 1
    assert ran >= 6


def test_the_examples_say_something_true(folder: Path) -> None:
    said = run(folder, "python examples/train_a_baseline.py demo/out/datasets/first")
    found = re.fullmatch(r"([\d,]+) test windows: error ([\d.]+), that of the mean ([\d.]+) .*\n", said)
    assert found
    assert 0 < float(found[2]) < float(found[3]) < 1, "a model knows more than a mean"
    case = run(folder, "python examples/look_at_a_case.py demo/out/datasets/first 0007").splitlines()
    assert re.fullmatch(r"case 0007: [\d,]+ windows of 300 seconds, 16 signals", case[0])
    assert len(case) == 17


def test_the_examples_of_the_help_are_commands() -> None:
    found = examples_of_the_help()
    assert len(found) >= 17
    for text in found:
        parse(text)


@pytest.mark.slow
@pytest.mark.skipif(not ALL, reason="make documents")
def test_the_examples_of_the_help_run(folder: Path) -> None:
    for text in examples_of_the_help():
        made_before = text.startswith(("casemill run", "casemill demo-data"))
        if IN_THE_CLOUD.match(text) or made_before or (SLOW.match(text) and not ALL) or text == "casemill doctor":
            continue
        if "--cases 1-3000" in text:
            text = text.replace("1-3000", "1-24")
        run(folder, as_it_is_here(folder, text))


def test_the_page_of_every_command_is_that_of_the_code() -> None:
    page = (ROOT / GENERATED).read_text(encoding="utf-8")
    assert page == reference_page(), "make reference makes it anew"
