"""What cannot be done as asked: a line that says what and where, one that says what to do, exit code 64."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Answer, casemill
from tests.tiny_recordings import TinyCohort

Command = Callable[..., Answer]
LINE = re.compile(r"error \[[a-z_]+\] [^\n]+\n(  [^\n]+\n)?")


class Request:
    """The arguments of a sound request, and places for the unsound."""

    def __init__(self, cohort: TinyCohort, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.base: dict[str, object] = {
            "--source": cohort.source, "--clinical": cohort.clinical, "--out": self.out,
            "--window-s": 60, "--step-s": 30, "--horizon-s": 5, "--workers": 1,
        }  # fmt: skip

    def arguments(self, **changes: object) -> list[object]:
        wanted = {**self.base, **{f"--{name.replace('_', '-')}": value for name, value in changes.items()}}
        return ["run", *(part for pair in wanted.items() if pair[1] is not None for part in pair)]

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def empty_folder(self) -> Path:
        path = self.folder / "empty"
        path.mkdir()
        return path


@pytest.fixture
def request_(tiny_cohort: TinyCohort, tmp_path: Path) -> Request:
    return Request(tiny_cohort, tmp_path)


def check(answer: Answer, code: str, says: str = "", exit_code: int = 64) -> None:
    assert answer.code == exit_code, answer.err
    assert LINE.fullmatch(answer.err), answer.err
    assert answer.err.startswith(f"error [{code}] ")
    assert says in answer.err
    assert answer.out == ""


BAD: list[tuple[str, Callable[[Request], dict[str, Any]], str, str]] = [
    ("missing source", lambda request: {"source": request.folder / "none"}, "bad_location", "none: no such folder"),
    ("source is a file", lambda request: {"source": request.file("x", "")}, "bad_location", "x: is not a folder"),
    ("empty cohort", lambda request: {"source": request.empty_folder()}, "empty_cohort", "0001.vital"),
    ("nothing selected", lambda request: {"cases": "500-600"}, "empty_cohort", "--cases"),
    ("missing table", lambda request: {"clinical": request.folder / "none.csv"}, "no_clinical_table", "none.csv"),
    ("table in no folder", lambda request: {"clinical": request.folder / "a/b.csv"}, "bad_location", "no such folder"),
    ("table is a folder", lambda request: {"clinical": request.empty_folder()}, "no_clinical_table", "empty"),
    (
        "table is a folder, slash",
        lambda request: {"clinical": f"{request.empty_folder()}/"},
        "no_clinical_table",
        "empty",
    ),
    ("no table at all", lambda request: {"clinical": ""}, "bad_command", "--clinical: the value is empty"),
    (
        "unreadable table",
        lambda request: {"clinical": request.file("c.csv", b"\xff\xfe\x00\x01")},
        "unreadable_clinical_table",
        "c.csv",
    ),
    (
        "ragged table",
        lambda request: {"clinical": request.file("c.csv", "caseid,subjectid,age,sex,height,weight,bmi,asa\n1\n")},
        "unreadable_clinical_table",
        "line 2",
    ),
    ("wrong column", lambda request: {"clinical": request.file("c.csv", "caseid,sex\n1,M\n")}, "wrong_columns", "asa"),
    ("reversed range", lambda request: {"cases": "9-3"}, "bad_cases", "'9-3' is reversed"),
    ("triple range", lambda request: {"cases": "1-2-3"}, "bad_cases", "'1-2-3'"),
    ("letters", lambda request: {"cases": "1,abc"}, "bad_cases", "piece 2 (character 3): 'abc'"),
    ("unknown profile", lambda request: {"profile": "nothere"}, "unknown_profile", "'nothere'"),
    ("bad profile", lambda request: {"profile": request.file("p.toml", "name =")}, "unknown_profile", "p.toml"),
    ("unknown workload", lambda request: {"workload": "nothere"}, "unknown_workload", "vitaldb"),
    ("bad condition", lambda request: {"where": "age >"}, "bad_where", "--where"),
    ("unknown column", lambda request: {"where": "agee > 3"}, "bad_where", "agee"),
    ("condition without a table", lambda request: {"where": "age > 3", "clinical": None}, "bad_where", "--clinical"),
    ("name leads out", lambda request: {"name": "../x"}, "bad_option", "--name"),
    ("empty name", lambda request: {"name": ""}, "bad_command", "--name: the value is empty"),
    ("no window", lambda request: {"window_s": 0}, "bad_setting", "window_s"),
    ("no step", lambda request: {"step_s": 0}, "bad_setting", "step_s"),
    ("horizon behind", lambda request: {"horizon_s": -1}, "bad_setting", "horizon_s"),
    ("window in words", lambda request: {"window_s": "long"}, "bad_command", "--window-s"),
    ("threshold", lambda request: {"success_threshold": 2}, "bad_option", "--success-threshold"),
    ("threshold is no number", lambda request: {"success_threshold": "nan"}, "bad_option", "--success-threshold"),
    ("shard cases", lambda request: {"shard_cases": 0}, "bad_option", "--shard-cases"),
    ("no workers", lambda request: {"workers": 0}, "bad_command", "--workers"),
    ("concentration", lambda request: {"concentration": "Orchestra/PPF20_RATE"}, "bad_setting", "--concentration"),
    ("unknown pump", lambda request: {"concentration": "Solar8000/HR=3"}, "bad_setting", "concentrations"),
    ("missing split", lambda request: {"split_from": request.folder / "split.json"}, "bad_split", "no such file"),
    ("output in memory", lambda request: {"out": "memory://"}, "bad_location", "--out: a run has several processes"),
    (
        "cache among the data sets",
        lambda request: {"grid_cache": request.out / "datasets/x/cache"},
        "bad_option",
        "--grid-cache: ",
    ),
    ("bad split", lambda request: {"split_from": request.file("split.json", "{}")}, "bad_split", "split.json"),
    ("out is a file", lambda request: {"out": request.file("out.txt", "")}, "bad_location", "out.txt"),
    ("out below a file", lambda request: {"out": request.file("o.txt", "") / "o"}, "bad_location", "o.txt"),
    ("unknown scheme", lambda request: {"out": "ftp://host/x"}, "bad_location", "ftp"),
    ("unknown option", lambda request: {"nothing": 1}, "bad_command", "--nothing"),
    ("no source", lambda request: {"source": None}, "no_source", "--source"),
]


@pytest.mark.parametrize(("changes", "code", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_request(
    command: Command,
    request_: Request,
    changes: Callable[[Request], dict[str, Any]],
    code: str,
    says: str,
) -> None:
    check(command(*request_.arguments(**changes(request_))), code, says)
    assert not request_.out.exists()


@pytest.mark.parametrize(("name", "wanted"), [("../x", "bad_option"), ("fine", "")])
def test_the_errors_of_a_process(request_: Request, name: str, wanted: str) -> None:
    if wanted:
        check(casemill(*request_.arguments(name=name)), wanted)
    else:
        check(casemill(*request_.arguments(cases="9-3", name=name)), "bad_cases", "reversed")
    assert not request_.out.exists()


def test_the_error_as_json(request_: Request) -> None:
    answer = casemill(*request_.arguments(cases="9-3"), "--json")
    assert answer.code == 64
    error = answer.json["error"]
    assert (error["code"], error["where"]) == ("bad_cases", "--cases, piece 1 (character 1)")
    assert error["fix"]
    assert "'9-3' is reversed" in error["what"]
    assert LINE.fullmatch(answer.err)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["status", "{folder}/nothing"], "bad_run"),
        (["status", "{folder}/runs/none"], "no_run"),
        (["status", "{folder}/runs/../../x"], "bad_run"),
        (["status", "{folder}/none/runs/x"], "bad_location"),
        (["status", "{folder}/datasets/none"], "bad_run"),
        (["status", "{folder}/none/datasets/x"], "bad_location"),
        (["status", "{folder}/some-datasets/x"], "bad_run"),
        (["verify", "{folder}/none"], "bad_location"),
        (["verify", "{folder}"], "not_a_data_set"),
        (["report", "{folder}"], "bad_run"),
        (["report", "{folder}/runs/none"], "no_run"),
        (["fit", "{folder}", "--machine", "m", "--date", "2026-01-31"], "bad_run"),
        (["fit", "{folder}/runs/none", "--machine", "m", "--date", "2026-01-31"], "no_run"),
        (["compare", "{folder}", "{folder}"], "not_comparable"),
        (["export", "{folder}/none", "--single-file", "--out", "{folder}/o"], "bad_location"),
        (["export", "{folder}", "--single-file", "--out", "{folder}/o"], "not_published"),
        (["export", "{folder}", "--out", "{folder}/o"], "bad_option"),
        (["inspect", "{folder}/none.vital"], "no_recording"),
        (["inspect", "{folder}/none/0001.vital"], "bad_location"),
        (["inspect", "{folder}/"], "bad_location"),
        (["inspect", "{folder}"], "no_recording"),
        (["inspect", "{folder}/README", "{folder}/notes.txt"], "no_recording"),
        (["inspect"], "bad_command"),
        (["plan", "--source", "{folder}"], "bad_option"),
        (["plan", "--source", "{folder}", "--dry-run"], "empty_cohort"),
        (["demo-data", "--out", "{folder}/d", "--cases", "0"], "bad_command"),
        (["nothing"], "bad_command"),
        (["--nothing"], "bad_command"),
    ],
)
def test_bad_requests_of_other_commands(command: Command, tmp_path: Path, arguments: list[str], code: str) -> None:
    check(command(*(part.format(folder=tmp_path) for part in arguments)), code)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken(
    command: Command, tiny_run: Answer, tiny_output: Path, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(tiny_output, out)
    before = sorted(path.name for path in (out / "runs").iterdir())
    answer = command("run", *tiny_cohort.options(), "--cases", "1-5", "--name", "tiny", "--out", out)
    announced, _, error = answer.err.partition("\n")
    assert announced.startswith("run vitaldb-")
    check(Answer(answer.code, answer.out, error), "name_taken")
    assert sorted(path.name for path in (out / "runs").iterdir()) == before
    assert json.loads((out / "datasets" / "tiny" / "_SUCCESS").read_text())["root_hash"] == tiny_run.json["root_hash"]


@pytest.mark.parametrize(
    "words", [["status"], ["report"], ["fit", "--machine", "m", "--date", "2026-01-31"], ["compare"]]
)
@pytest.mark.parametrize("content", [b"hi", b"{}", b"\xff"])
def test_a_run_whose_request_cannot_be_read_is_damaged(
    command: Command, tmp_path: Path, words: list[str], content: bytes
) -> None:
    """It was a traceback and a bug's exit code."""
    run = tmp_path / "runs" / "toy-1"
    run.mkdir(parents=True)
    (run / "run.json").write_bytes(content)
    answer = command(words[0], run, *([run] if words[0] == "compare" else []), *words[1:])
    check(answer, "plan_damaged", exit_code=1)


def test_an_unreadable_recording_among_those_inspected(
    command: Command, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    broken = tmp_path / "0001.vital"
    broken.write_bytes(b"no recording")
    answer = command("inspect", tiny_cohort.source / "0001.csv", broken, "--json")
    assert answer.code == 1
    sound, unreadable = answer.json
    assert (sound["profile"], unreadable["error"]["code"]) == ("vitaldb", "unreadable")
    text = command("inspect", broken)
    assert text.code == 1
    assert text.err.startswith("error [unreadable] ")


def test_what_nobody_foresaw_is_called_a_bug(
    command: Command, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("core.run.pipeline.execute", broken)
    answer = command(*request_.arguments())
    assert answer.code == 70
    assert "error [bug] RuntimeError: unforeseen" in answer.err
