"""What the command line looks like: help, completion, one shape of error, and streams that misbehave."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from core.cli.main import app
from tests.command_line import COMMAND, REPOSITORY, Answer, environment
from tests.tiny_recordings import TinyCohort

Command = Callable[..., Answer]


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of the installation that can be called, those of groups included, with its words."""
    group: Any = get_command(app)
    context = typer.Context(group, info_name="casemill")
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if hasattr(found, "list_commands"):
            yield from (
                (f"{name} {inner}", found.get_command(context, inner)) for inner in found.list_commands(context)
            )
        else:
            yield name, found


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda item: item if isinstance(item, str) else "")
def test_every_command_has_a_sentence_an_example_and_words_for_its_options(name: str, command: Any) -> None:
    text = " ".join(command.help.split())
    assert f"Example: casemill {name}" in text
    assert text[0].isupper()
    for parameter in command.params:
        assert parameter.help or parameter.name == "help", f"{name} {parameter.name}"
        assert len(parameter.help or "") < 160, f"{name} {parameter.name}"
    grouped = [item for item in command.params if getattr(item, "rich_help_panel", None)]
    assert bool(grouped) == (len(command.params) >= 7), name


def test_the_help_of_a_large_command_fits_and_is_in_groups(command: Command) -> None:
    for asked in ("--help", "-h"):
        answer = command("run", asked)
        assert answer.code == 0
    for group in ("Options", "Data set", "How it runs", "Workload trajectory", "Workload vitaldb"):
        assert f"─ {group} ─" in answer.out
    assert "…" not in answer.out, "no name of an option may be cut"
    assert max(map(len, answer.out.splitlines())) <= 80


@pytest.fixture
def complete(command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a shell is offered for the last word."""

    def offered(*words: str, shell: str = "bash") -> str:
        line = " ".join(("casemill", *words))
        asked = {
            "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words))},
            "zsh": {"_TYPER_COMPLETE_ARGS": line},
            "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        }[shell]
        for name, value in {**asked, "_CASEMILL_COMPLETE": f"complete_{shell}"}.items():
            monkeypatch.setenv(name, value)
        answer = command()
        assert (answer.code, answer.err) == (0, "")
        return answer.out

    return offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_gives_commands(complete: Callable[..., str], shell: str) -> None:
    found = complete("st", shell=shell)
    assert "status" in found
    assert "stop" in found, "a command of another package"
    assert "verify" not in found


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("run", "--wi"), ["--window-s"]),
        (("submit", "--aws"), ["--aws-profile"]),
        (("estimate", "--capacity", "s"), ["spot"]),
        (("quarantine", "r"), ["redrive"]),
    ],
)
def test_completion_gives_options_and_values(
    complete: Callable[..., str], words: tuple[str, ...], wanted: list[str]
) -> None:
    assert complete(*words).split() == wanted


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed(command: Command, monkeypatch: pytest.MonkeyPatch, shell: str, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: shell)
    shown = command("--show-completion")
    assert (shown.code, "_CASEMILL_COMPLETE" in shown.out) == (0, True)
    assert command("--install-completion").code == 0
    assert any("casemill" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_help_and_completion_load_nothing_heavy() -> None:
    heavy = {"boto3", "duckdb", "numpy", "obstore", "pyarrow", "core.store", "core.run.models"}
    program = (
        "import sys\nfrom core.cli.main import _guarded\nsys.argv = ['casemill', *sys.argv[1:]]\n_guarded()\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    for arguments in (["run", "--help"], ["submit", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], env=environment(), cwd=REPOSITORY, capture_output=True,
            text=True, timeout=60, check=True,
        )  # fmt: skip
        assert heavy.isdisjoint(done.stderr.split()), arguments


# -- errors -----------------------------------------------------------------------------------------------------------

WRONG: list[tuple[list[str], str, str]] = [
    (["runn"], "casemill: there is no command 'runn'", "Did you mean run? See casemill --help."),
    (["watchh"], "casemill: there is no command 'watchh'", "Did you mean watch?"),
    (["quarantine", "lst"], "casemill quarantine: there is no command 'lst'", "Did you mean list?"),
    (["run", "--sourc", "x"], "--sourc: there is no such option", "Did you mean --source? See casemill run --help."),
    (["run"], "--out: is missing", "See casemill run --help."),
    (["run", "--out", "o"], "--source: the workload vitaldb reads recordings", "Give --source."),
    (["run", "--source"], "--source: needs a value", "--help"),
    (["run", "--source", "", "--out", "o"], "--source: the value is empty", "variable of the shell"),
    (["run", "--source", "s", "--out="], "--out: the value is empty", "variable of the shell"),
    (["run", "--source", "s", "--out", "o", "--workers", "two"], "--workers: 'two' is no whole number", "run --help"),
    (["run", "--source", "s", "--out", "o", "--workers", "-1"], "--workers: -1 is too small, 1 is the least", ""),
    (["rehearse", "--source", "s", "--out", "o", "--share", "2"], "--share: 2 is too large, 1.0 is the most", ""),
    (["run", "more", "--source", "s", "--out", "o"], "(more)", "See casemill run --help."),
    (["status"], "RUN: is missing", ""),
    (["status", ""], "argument 1 of status: the value is empty", ""),
    (["estimate", "--source", "s", "--capacity", "free"], "--capacity: 'free' is not one of 'spot', 'on-demand'", ""),
    (["demo-data", "--out", "{file}"], "Not a directory", "Give another folder."),
    (["demo-data", "--out", "{folder}/d", "--cases", "9999999"], "--cases: 9999999 is too large, 9000 is the most", ""),
    (["inspect", "{folder}/"], "not a file", "Give the path of one file."),
    (["fit", "{folder}/runs/x", "--machine", "m", "--date", "then"], "--date: 'then' is no date", "Write 2026-01-31."),
    (["estimate", "--source", "{folder}", "--times", "{file}"], "empty_cohort", ""),
    (["--verbose=3", "status", "x"], "--verbose", ""),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "says", "advice"), WRONG, ids=[" ".join(row[0])[:60] for row in WRONG])
def test_a_wrong_command(command: Command, tmp_path: Path, arguments: list[str], says: str, advice: str) -> None:
    file = tmp_path / "file"
    file.touch()
    answer = command(*(part.format(folder=tmp_path, file=file) for part in arguments))
    assert answer.code == 64
    first, second, nothing = answer.err.split("\n")
    assert first.startswith("error [")
    assert says in first
    assert advice in second
    assert second.endswith("More: docs/errors.md"), "where the code is looked up"
    assert nothing == answer.out == ""


def test_the_trace_is_on_stderr_and_may_be_asked_for_anywhere(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (["--verbose", "verify", tmp_path / "none"], ["verify", tmp_path / "none", "--verbose"]):
        monkeypatch.setenv("CASEMILL_VERBOSE", "")
        answer = command(*arguments)
        assert answer.code == 64
        assert answer.err.startswith("Traceback ")
        assert "error [bad_location]" in answer.err
        assert answer.out == ""
    monkeypatch.setenv("CASEMILL_VERBOSE", "")
    assert "Traceback" not in command("verify", tmp_path / "none").err


def test_no_colours_where_nobody_sees_them() -> None:
    clean = {name: value for name, value in environment().items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    for arguments in (["--help"], ["verify", "none"]):
        done = subprocess.run(
            [*COMMAND, *arguments], env=clean, cwd=REPOSITORY, capture_output=True, timeout=60, check=False
        )
        assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_on_a_terminal(variables: dict[str, str], coloured: bool) -> None:
    clean = {name: value for name, value in environment().items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    near, far = pty.openpty()
    try:
        subprocess.run(
            [*COMMAND, "verify", "none"], env={**clean, "TERM": "xterm-256color", **variables}, cwd=REPOSITORY,
            stderr=far, timeout=60, check=False,
        )  # fmt: skip
        said = os.read(near, 10_000)
    finally:
        os.close(near)
        os.close(far)
    assert b"error [bad_location]" in said
    assert (b"\x1b[1;31m" in said) == coloured


# -- streams ----------------------------------------------------------------------------------------------------------


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which ``casemill`` is the command; the exit code is that of the first part of a pipe."""
    python = f'casemill() {{ "{sys.executable}" -m core.cli "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", f"{python}{line}\nexit ${{PIPESTATUS[0]}}"], env={**environment(), **variables}, cwd=REPOSITORY,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_reader_that_goes(tiny_run: Answer, tiny_output: Path) -> None:
    (run,) = (tiny_output / "runs").iterdir()
    for line in ("casemill --help | true", f"casemill status {run} | true", f"casemill status {run} --json | true"):
        done = shell(line)
        assert (done.returncode, done.stderr) == (141, ""), line


def test_output_that_is_full(tiny_run: Answer, tiny_output: Path) -> None:
    (run,) = (tiny_output / "runs").iterdir()
    for line in ("casemill --help > /dev/full", f"casemill status {run} --json > /dev/full"):
        done = shell(line)
        assert done.returncode == 75
        assert done.stderr.startswith(
            "error [disk_full] standard output: it cannot be written: No space left on device\n"
        )


def test_streams_that_are_closed(tiny_run: Answer, tiny_output: Path, tmp_path: Path) -> None:
    (run,) = (tiny_output / "runs").iterdir()
    assert shell(f"casemill status {run} >&- 2>&- <&-").returncode == 0
    assert shell("casemill verify none 2>&-").returncode == 64
    assert shell("casemill verify none 2>/dev/full").returncode == 64
    written = tmp_path / "files"
    done = shell(f"casemill export {tiny_output}/datasets/tiny --single-file --out {written} >&-")
    assert done.returncode == 0
    assert b"examples" not in b"".join(path.read_bytes() for path in written.iterdir()), "no line went into a file"


def test_an_encoding_without_our_signs(tiny_cohort: TinyCohort) -> None:
    source = f"--source {tiny_cohort.source} --clinical {tiny_cohort.clinical}"
    done = shell(f"casemill plan --dry-run {source}", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    done = shell(f"casemill plan --dry-run --json {source}", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert json.loads(done.stdout)["cases_found"] == 12


@pytest.mark.parametrize("module", ["core.cli.main", "core.run.plan"], ids=["beginning", "at work"])
def test_ctrl_c_at_any_moment_leaves_one_sentence(tmp_path: Path, tiny_cohort: TinyCohort, module: str) -> None:
    # The signal comes while a module is loaded: a moment that can be found again, and the hardest one.
    program = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from core.cli.entry import main\n"
        "main()\n"
    )
    cohort = map(str, tiny_cohort.options())
    done = subprocess.run(
        [sys.executable, "-c", program, "plan", "--dry-run", *cohort], env=environment(), cwd=REPOSITORY,
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert done.stderr.startswith("error [stopped] interrupted")
    assert done.stderr.count("\n") == 2
