"""``casemill status``: once, watching, and asked wrongly."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.command_line import Answer, casemill, start_casemill


def run_folder(tiny_run: Answer, output: Path) -> Path:
    return output / "runs" / tiny_run.json["run_id"]


def test_finished_run_is_published_and_adds_up(tiny_run: Answer, tiny_output: Path) -> None:
    answer = casemill("status", run_folder(tiny_run, tiny_output), "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["stage"] == "published"
    assert found["cases_done"] + found["cases_empty"] + found["cases_failed"] == found["cases_planned"] == 12
    assert found["cases_left"] == 0
    assert found["records"] == tiny_run.json["records"]
    assert found["ends"] == {"finished": found["attempts"]}
    assert {item["state"] for item in found["partitions"]} == {"finished"}


def test_progress_text_says_the_same(tiny_run: Answer, tiny_output: Path) -> None:
    text = (run_folder(tiny_run, tiny_output) / "PROGRESS.txt").read_text(encoding="utf-8")
    assert "progress   100.0%" in text
    assert "12 of 12" in text
    assert "0 left" in text
    assert "updated" in text


def test_watching_a_finished_run_ends_at_once(tiny_run: Answer, tiny_output: Path) -> None:
    answer = casemill("status", run_folder(tiny_run, tiny_output), "--watch")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1].startswith("100.0% · 12 of 12 cases")
    assert "published" in answer.out


@pytest.fixture
def abandoned(tiny_run: Answer, tiny_output: Path, tmp_path: Path) -> Path:
    """The tiny run as if one worker had been killed half an hour ago, before its last shard was committed."""
    shutil.copytree(tiny_output, tmp_path / "out")
    run = run_folder(tiny_run, tmp_path / "out")
    shards = json.loads((run / "plan" / "shards.json").read_text())["shards"]
    (run / "shards" / f"{shards[0]['shard']}.json").unlink()
    beat = run / "progress" / f"{shards[0]['partition']:05d}.json"
    content = json.loads(beat.read_text())
    beat.write_text(json.dumps({**content, "state": "working", "updated": time.time() - 1800}))
    return run


def test_silent_worker_is_marked(abandoned: Path) -> None:
    answer = casemill("status", abandoned)
    assert answer.code == 0, answer.err
    assert "working" in answer.out
    assert "STALE     1 workers are silent" in answer.out


def test_watch_is_left_with_ctrl_c(abandoned: Path) -> None:
    process = start_casemill("status", abandoned, "--watch", "--json")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["stage"] == "working"
    assert len(first["stale"]) == 1
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_watch_of_an_unverified_run_ends_with_one(tiny_run: Answer, tiny_output: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_output, tmp_path / "out")
    run = run_folder(tiny_run, tmp_path / "out")
    (tmp_path / "out" / "datasets" / "tiny" / "_SUCCESS").unlink()
    verification = json.loads((run / "verification.json").read_text())
    (run / "verification.json").write_text(json.dumps({**verification, "passed": False}))
    answer = casemill("status", run, "--watch")
    assert answer.code == 1
    assert "not verified" in answer.out


@pytest.mark.parametrize(
    ("place", "code"), [("nowhere", "bad_run"), ("out/runs/", "bad_run"), ("runs/no-such-run", "no_run")]
)
def test_wrong_places_are_bad_requests(tmp_path: Path, place: str, code: str) -> None:
    answer = casemill("status", place, "--watch", cwd=tmp_path)
    assert answer.code == 64
    assert f"error [{code}]" in answer.err
