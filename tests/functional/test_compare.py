"""``casemill compare`` on data sets and runs in folders, and used wrongly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Answer
from tests.data_set_copy import DataSetCopy
from tests.tiny_recordings import TinyCohort, write_cohort

Command = Callable[..., Answer]


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> TinyCohort:
    """Fourteen cases, of which the first twelve are the tiny cohort's; one recording is spoiled."""
    cohort = write_cohort(tmp_path_factory.mktemp("others"), 14)
    (cohort.source / "0003.csv").write_bytes(b"no,recording\n")
    return cohort


@pytest.fixture
def second(command: Command, others: TinyCohort, tmp_path: Path) -> Answer:
    """Those, run with another salt and a lower threshold."""
    return command(
        "run", *others.options(), "--out", tmp_path / "second", "--name", "second", "--shard-cases", 2, "--workers", 1,
        "--salt", "b", "--success-threshold", 0.5, "--json",
    )  # fmt: skip


def test_a_data_set_and_the_run_that_made_it(command: Command, tiny_run: Answer) -> None:
    places = tiny_run.json["location"], tiny_run.json["run_location"]
    answer = command("compare", *places, "--exit-code", "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert found["same_data"]
    assert [found[side]["kind"] for side in ("first", "second")] == ["data set", "run"]
    assert found["first"]["root_hash"] == found["second"]["root_hash"] == tiny_run.json["root_hash"]
    assert found["first"]["effort"]["attempts"] == found["second"]["effort"]["attempts"] > 0
    assert (found["cases"]["both"], found["first"]["records"]) == (12, tiny_run.json["records"])
    assert len(found["features"]) == 16
    assert {change["psi"] for change in found["features"] if change["psi"] is not None} == {0.0}
    assert found["settings"] == found["configuration"] == found["schema_changes"] == []
    text = command("compare", f"{places[0]}/", places[1])
    assert text.code == 0
    assert "The data are the same" in text.out


def test_two_data_sets(command: Command, tiny_run: Answer, second: Answer, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answer = command("compare", tiny_run.json["location"], second.json["location"], "--html", page, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert (found["same_data"], found["cases"]["both"]) == (False, 12)
    assert (found["cases"]["only_second"], found["groups"]["only_second"]) == (["0013", "0014"], ["107"])
    assert [(change["case_id"], change["second"]) for change in found["outcomes"]] == [("0003", "failed (unreadable)")]
    manifests = [json.loads((Path(run.json["location"]) / "manifest.json").read_text()) for run in (tiny_run, second)]
    splits = [
        {case["case_id"]: shard["split"] for shard in manifest["shards"] for case in shard["cases"]}
        for manifest in manifests
    ]
    moved = {change["case_id"] for change in found["sides"]}
    assert moved == {case for case, split in splits[0].items() if splits[1][case] != split} != set()
    for change in found["splits"]:
        assert [change[side]["records"] for side in ("first", "second")] == [
            manifest["splits"][change["split"]]["records"] for manifest in manifests
        ]
    paths = {change["path"] for change in found["settings"]}
    assert {"thresholds.salt", "success_threshold", "source", "selection.clinical"} <= paths
    assert "0003" in page.read_text()
    text = command("compare", tiny_run.json["location"], second.json["location"], "--exit-code")
    assert text.code == 1
    assert "1 common case ended otherwise: 0003 done → failed (unreadable)" in text.out


def test_a_run_that_is_not_finished(command: Command, tiny_run: Answer, tiny_output: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    shutil.copytree(tiny_output, output)
    run = output / "runs" / tiny_run.json["run_id"]
    (output / "datasets" / "tiny" / "_SUCCESS").unlink()
    (run / "verification.json").unlink()
    finished = command("compare", tiny_run.json["run_location"], run, "--json")
    assert "nobody has verified it yet" in finished.err
    assert finished.json["same_data"]
    assert {change["psi"] for change in finished.json["features"] if change["psi"] is not None} == {0.0}
    (run / "shards" / "train-00000.json").unlink()
    answer = command("compare", tiny_run.json["run_location"], run, "--json")
    assert answer.code == 0
    assert "warning: B is NOT VERIFIED: unfinished: 5 of 6 shards are committed" in answer.err
    assert (answer.json["second"]["root_hash"], answer.json["same_data"]) == (None, False)
    assert answer.json["second"]["outcomes"] == {"done": 10, "open": 2}
    assert {change["second"] for change in answer.json["outcomes"]} == {"open"}


def test_a_run_of_a_workload_that_is_not_known(
    command: Command, tiny_run: Answer, tiny_output: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(tiny_output, output)
    run = output / "runs" / tiny_run.json["run_id"]
    (output / "datasets" / "tiny" / "_SUCCESS").unlink()
    request = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**request, "workload": "strange"}))
    answer = command("compare", run, run, "--json")
    assert answer.code == 0
    assert "the distributions are unknown: no workload 'strange'" in answer.err
    assert answer.json["features"] == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "_SUCCESS").unlink(), "no readable _SUCCESS"),
        (
            lambda folder: (folder / "split.json").write_bytes((folder / "split.json").read_bytes() + b"\n"),
            "split.json",
        ),
        (lambda folder: (folder / "croissant.json").unlink(), "croissant.json is missing"),
    ],
)
def test_a_data_set_that_nobody_vouches_for(
    command: Command, tiny_run: Answer, copy: DataSetCopy, spoil: Callable[[Path], Any], words: str
) -> None:
    spoil(copy.folder)
    answer = command("compare", copy.folder, tiny_run.json["location"], "--json")
    assert answer.code == 0
    assert "warning: A is NOT VERIFIED: " in answer.err
    assert words in answer.err
    assert not answer.json["first"]["verified"]
    assert answer.json["cases"]["both"] == 12
    # A copy has no run beside it.
    assert "time, cost and source are unknown" in answer.err
    assert answer.json["first"]["effort"]["attempts"] is None
    assert "NOT VERIFIED" in command("compare", copy.folder, tiny_run.json["location"]).out


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"quality": 3}'])
def test_metadata_that_cannot_be_read(command: Command, tiny_run: Answer, copy: DataSetCopy, content: bytes) -> None:
    (copy.folder / "preprocessing_metadata.json").write_bytes(content)
    answer = command("compare", tiny_run.json["location"], copy.folder, "--json")
    assert answer.code == 0
    assert "B is NOT VERIFIED: preprocessing_metadata.json was changed" in answer.err
    assert {change["why"] for change in answer.json["features"]} == {"no histogram in B"}


@pytest.mark.parametrize(
    ("make", "code", "exit_code"),
    [
        (lambda folder: folder / "none", "bad_location", 64),
        (lambda folder: folder, "not_comparable", 64),
        (lambda folder: (folder / "file").write_text("x") and folder / "file", "bad_location", 64),
        (lambda folder: (folder / "manifest.json").write_text("{}") and folder, "not_a_data_set", 64),
        (lambda folder: (folder / "run.json").write_text("{}") and folder, "bad_run", 64),
        (lambda folder: "http://example.org/x", "bad_location", 64),
        (lambda folder: "", "bad_command", 64),
    ],
)
def test_what_is_neither(
    command: Command, tiny_run: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], Any], code: str, exit_code: int,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    answer = command("compare", tiny_run.json["location"], make(tmp_path))
    assert answer.code == exit_code
    assert answer.err.startswith(f"error [{code}] ")
    assert len(answer.err.splitlines()) <= 2
    assert answer.out == ""


def test_a_run_whose_documents_are_damaged(
    command: Command, tiny_run: Answer, tiny_output: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(tiny_output, output)
    run = output / "runs" / tiny_run.json["run_id"]
    attempt = next((run / "attempts").rglob("*.json"))
    for path in (attempt, run / "cost.json"):
        path.write_text("{}")
    answer = command("compare", tiny_run.json["location"], run, "--json")
    assert (answer.code, answer.json["same_data"]) == (0, True)
    assert "an attempt's record cannot be read: the time is unknown" in answer.err
    assert "cost.json cannot be read: the cost is unknown" in answer.err
    (run / "run.json").write_text("{}")
    answer = command("compare", tiny_run.json["location"], run)
    assert answer.code == 1
    assert answer.err.startswith(f"error [plan_damaged] {run}: run.json cannot be read")
    answer = command("compare", tiny_run.json["location"], output / "datasets" / "tiny", "--json")
    assert answer.code == 0
    assert "the source is unknown" in answer.err


def test_a_page_that_cannot_be_written(command: Command, tiny_run: Answer, tmp_path: Path) -> None:
    place = tiny_run.json["location"]
    for path in (tmp_path, tmp_path / "none" / "page.html"):
        answer = command("compare", place, place, "--html", path)
        assert (answer.code, answer.out) == (64, "")
        assert answer.err.startswith(f"error [bad_location] {path}: ")


def test_one_side_alone(command: Command, tiny_run: Answer) -> None:
    answer = command("compare", tiny_run.json["location"])
    assert answer.code == 64
    assert answer.err.startswith("error [bad_command] ")
