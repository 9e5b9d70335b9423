"""The commands on sound requests: JSON, plans, status, and runs with bad recordings among the good."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.run.local import run_locally
from tests.command_line import Answer, casemill
from tests.tiny_recordings import (
    SHORT_WINDOW_OPTIONS,
    TinyCohort,
    clinical_table,
    csv_recording,
    vital_packets,
    vital_recording,
    write_cohort,
)

Command = Callable[..., Answer]


def data_set(answer: Answer) -> tuple[Path, dict[str, Any]]:
    folder = Path(answer.json["location"])
    return folder, json.loads((folder / "manifest.json").read_text())


def cases(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {case["case_id"]: case for shard in manifest["shards"] for case in shard["cases"]}


def test_a_run_tells_programs_what_it_did(tiny_run: Answer, tiny_output: Path) -> None:
    assert tiny_run.code == 0, tiny_run.err
    result = tiny_run.json
    folder, manifest = data_set(tiny_run)
    assert folder == tiny_output / "datasets" / "tiny"
    assert (result["verified"], result["planned_cases"], result["outcomes"]) == (True, 12, {"done": 12})
    assert result["records"] == manifest["records"] == sum(case["records"] for case in cases(manifest).values())
    assert {path.name for path in folder.iterdir()} == {
        "train", "validation", "test", "manifest.json", "split.json", "preprocessing_metadata.json",
        "dataset_card.md", "croissant.json", "_SUCCESS", "run_id",
    }  # fmt: skip
    run = tiny_output / "runs" / result["run_id"]
    assert json.loads((run / "verification.json").read_text())["passed"]
    assert (run / "quarantine.jsonl").read_text() == ""
    assert "12 of 12" in (run / "PROGRESS.txt").read_text()
    assert result["report"] == str(run / "report.html")
    assert "Verified: run" in (run / "report.html").read_text()


def test_status_of_a_finished_run(command: Command, tiny_run: Answer, tiny_output: Path) -> None:
    location = tiny_output / "runs" / tiny_run.json["run_id"]
    answer = command("status", location, "--json")
    assert answer.code == 0
    assert (answer.json["cases_planned"], answer.json["cases_done"], answer.json["share"]) == (12, 12, 1.0)
    assert answer.json["shards_committed"] == answer.json["shards_planned"]
    assert (answer.json["verified"], answer.json["root_hash"]) == (True, tiny_run.json["root_hash"])
    text = command("status", f"{location}/")
    assert text.code == 0
    assert "12 of 12 (100.0%)" in text.out
    assert "verified and published" in text.out


def test_a_run_is_found_by_its_data_set(
    command: Command, tiny_run: Answer, tiny_output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_output)
    for location in (tiny_output / "datasets" / "tiny", "datasets/tiny/", f"runs/{tiny_run.json['run_id']}"):
        found = command("status", location, "--json").json
        assert (found["run_id"], found["verified"]) == (tiny_run.json["run_id"], True)
    page = command("report", "datasets/tiny", "--out", tmp_path / "page.html", "--no-viewer", "--json")
    assert page.json["report"] == str(tmp_path / "page.html")


def test_the_report_is_written_again(command: Command, tiny_run: Answer, tiny_output: Path, tmp_path: Path) -> None:
    location = tiny_output / "runs" / tiny_run.json["run_id"]
    answer = command("report", location, "--out", tmp_path / "page.html", "--json")
    assert (answer.code, answer.json["report"]) == (0, str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_bytes() == (location / "report.html").read_bytes()
    without = command("report", location, "--out", tmp_path / "page.html", "--no-viewer")
    assert without.code == 0
    assert "(--no-viewer)" in (tmp_path / "page.html").read_text()
    for options, code in (
        ((location, "--source", tmp_path / "nowhere"), "bad_location"),
        ((location, "--out", tmp_path / "nowhere" / "page.html"), "bad_location"),
        ((tiny_output / "runs" / "nobody",), "no_run"),
        ((tiny_output,), "bad_run"),
    ):
        refused = command("report", *options)
        assert (refused.code, code in refused.err) == (64, True), refused.err


def test_a_dry_run_writes_nothing(command: Command, tiny_cohort: TinyCohort, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = command("plan", *tiny_cohort.options(), "--cases", "1-14", "--out", out, "--dry-run", "--json")
    assert answer.code == 0
    plan = answer.json
    assert (plan["cases_found"], plan["cases_missing"], plan["groups"]) == (12, ["0013", "0014"], 8)
    assert sum(side["cases"] for side in plan["splits"].values()) == 14
    assert sum(side["estimated_records"] for side in plan["splits"].values()) == plan["estimated_records"] > 0
    assert list(tmp_path.iterdir()) == []
    text = command("plan", *tiny_cohort.options(), "--dry-run")
    assert text.code == 0
    assert "12 found, 0 missing" in text.out
    assert "nothing was written" in text.err


def test_a_plan_is_what_the_run_then_does(
    command: Command, tiny_run: Answer, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = [*tiny_cohort.options(), "--name", "tiny", "--shard-cases", 2]
    answer = command("plan", *options, "--out", out, "--json")
    assert (answer.code, answer.json["run_id"]) == (0, tiny_run.json["run_id"])
    run = out / "runs" / answer.json["run_id"]
    assert sorted(path.name for path in run.iterdir()) == ["plan", "run.json"]
    done = json.loads((Path(tiny_run.json["run_location"]) / "run.json").read_text())
    assert json.loads((run / "run.json").read_text()) == done
    status = command("status", run, "--json")
    assert (status.json["cases_done"], status.json["verified"], status.json["root_hash"]) == (0, False, None)


def test_other_commands_speak_json_too(command: Command, tiny_cohort: TinyCohort, tmp_path: Path) -> None:
    (inspected,) = command("inspect", tiny_cohort.source / "0001.csv", "--json").json
    assert inspected["format"] == "csv"
    assert inspected["loss"]["truncated"] is False
    recording = tmp_path / "0007.vital"
    recording.write_bytes(vital_recording(1, 60))
    (inspected,) = command("inspect", recording, "--json").json
    assert (inspected["format"], inspected["header"]["version"]) == ("vital", 3)
    viewed = command("inspect", recording, "--html", tmp_path / "case.html", "--json")
    assert (viewed.code, viewed.json["case"]) == (0, "0007")
    assert "Case 0007" in (tmp_path / "case.html").read_text()
    assert "--html" in command("inspect", recording, "--clinical", recording).err
    demo = command("demo-data", "--out", tmp_path / "demo", "--cases", 1, "--json")
    assert (demo.code, demo.json["cases"]) == (0, 1)


def test_help_and_version_as_a_process() -> None:
    assert casemill("--version").out.startswith("0.")
    answer = casemill("run", "--help")
    assert answer.code == 0
    assert "--split-from" in answer.out


def test_thresholds_are_reused_and_nobody_changes_sides(
    command: Command, tiny_run: Answer, tiny_output: Path, tmp_path: Path
) -> None:
    split = tiny_output / "datasets" / "tiny" / "split.json"
    before = json.loads(split.read_text())
    grown = write_cohort(tmp_path / "grown", 24)
    answer = command(
        "run", *grown.options(), "--split-from", split, "--out", tmp_path / "out", "--workers", 1,
        "--shard-cases", 24, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.out
    folder, _ = data_set(answer)
    after = json.loads((folder / "split.json").read_text())
    assert after["thresholds"] == before["thresholds"]
    assert after["disjoint"]
    for side, groups in before["groups"].items():
        assert set(groups) <= set(after["groups"][side])
    assert sum(map(len, after["groups"].values())) == 12


FAULTS: dict[str, tuple[bytes, str, str]] = {
    "0901": (b"", "failed", "unreadable"),
    "0902": (b"this is not gzip at all" * 50, "failed", "unreadable"),
    "0903": (vital_recording(3, 400)[: len(vital_recording(3, 400)) // 2], "done", ""),
    "0904": (gzip.compress(vital_packets(4, 400)[:18] + struct.pack("<BI", 1, 2**32 - 1) + bytes(200), mtime=0),
             "failed", ""),
    "0905": (gzip.compress(b"VITX" + vital_packets(5, 400)[4:], mtime=0), "failed", "unreadable"),
    "0906": (vital_recording(6, 30), "empty", ""),
    "0907": (gzip.compress(vital_packets(7, 400).replace(b"PLETH_SPO2", b"PLETH_xxxx").replace(b"ART_", b"xxx_"),
                           mtime=0), "failed", "no_signal"),
}  # fmt: skip
"""Case id → content, outcome, reason ("" with ``failed``: any of the contract's)."""


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]


REASONS = {"not_found", "unreadable", "no_signal", "unknown_unit", "internal"}


@pytest.fixture(scope="module")
def faulty(tiny_cohort: TinyCohort, tmp_path_factory: pytest.TempPathFactory) -> TinyCohort:
    """The tiny cohort with broken recordings added."""
    folder = tmp_path_factory.mktemp("faulty")
    source = folder / "recordings"
    shutil.copytree(tiny_cohort.source, source)
    for name, (content, _, _) in FAULTS.items():
        (source / f"{name}.vital").write_bytes(content)
    (source / "0908.vital").write_bytes(flipped(vital_recording(8, 400)))
    (source / "0909.csv").write_bytes(csv_recording(9, 400).replace(b"\n10.0,", b"\nten,", 1))
    return TinyCohort(source, tiny_cohort.clinical)


@pytest.fixture(scope="module")
def faulty_run(
    faulty: TinyCohort, tiny_run: Answer, tiny_output: Path, tmp_path_factory: pytest.TempPathFactory
) -> Answer:
    # The sides are those of the sound run: nobody can estimate how many windows a broken recording will not give.
    assert tiny_run.code == 0, tiny_run.err
    return casemill(
        "run", *faulty.options(), "--cases", "1-12,900-909", "--out", tmp_path_factory.mktemp("faulty_run"),
        "--split-from", tiny_output / "datasets" / "tiny" / "split.json",
        "--success-threshold", 0.5, "--workers", 1, "--name", "faulty", "--json",
    )  # fmt: skip


def test_bad_recordings_fail_with_a_reason_each(faulty_run: Answer) -> None:
    assert faulty_run.code == 0, faulty_run.out
    _, manifest = data_set(faulty_run)
    found = cases(manifest)
    assert len(found) == manifest["planned_cases"] == 22
    assert (found["0900"]["outcome"], found["0900"]["reason"]) == ("failed", "not_found")
    for name, (_, outcome, reason) in FAULTS.items():
        assert found[name]["outcome"] == outcome, name
        assert not reason or found[name]["reason"] == reason, name
    for name in ("0904", "0908", "0909"):
        assert found[name]["outcome"] != "failed" or found[name]["reason"] in REASONS - {"internal", "not_found"}
    assert "truncated" in found["0903"]["flags"]
    assert {name: case["outcome"] == "failed" for name, case in found.items()} == {
        name: bool(case["reason"]) for name, case in found.items()
    }
    # No case of the run broke the code.
    assert "internal" not in manifest["reasons"]


def test_the_others_are_unharmed(faulty_run: Answer, tiny_run: Answer, tiny_cohort: TinyCohort) -> None:
    from core.dataset import read_case

    faulty_folder, manifest = data_set(faulty_run)
    sound_folder, sound = data_set(tiny_run)
    for name, case in cases(sound).items():
        assert cases(manifest)[name]["records"] == case["records"]
        here, there = read_case(faulty_folder, name), read_case(sound_folder, name)
        assert all((here[field] == there[field]).all() for field in here)


def test_the_quarantine_lists_the_failed(faulty_run: Answer) -> None:
    _, manifest = data_set(faulty_run)
    lines = (Path(faulty_run.json["run_location"]) / "quarantine.jsonl").read_text().splitlines()
    listed = {entry["case_id"]: entry["reason"] for entry in map(json.loads, lines)}
    assert listed == {name: case["reason"] for name, case in cases(manifest).items() if case["outcome"] == "failed"}
    assert listed


def test_a_run_below_the_threshold_publishes_nothing(command: Command, faulty: TinyCohort, tmp_path: Path) -> None:
    arguments = ["run", *faulty.options(), "--cases", "1,2,900-909", "--out", tmp_path, "--workers", 1, "--name", "x"]
    arguments += ["--shard-cases", "50"]
    answer = command(*arguments, "--json")
    assert answer.code == 1
    assert answer.json["verified"] is False
    failed = {check["name"] for check in answer.json["checks"] if not check["passed"]}
    assert "success rate" in failed
    assert not (tmp_path / "datasets" / "x" / "_SUCCESS").exists()
    assert not (tmp_path / "datasets" / "x" / "manifest.json").exists()
    assert Path(answer.json["run_location"], "quarantine.jsonl").read_text()
    text = command(*arguments)
    assert text.code == 1
    assert "NOT VERIFIED" in text.out
    assert "failed: success rate" in text.out
    status = command("status", answer.json["run_location"], "--json")
    assert status.json["verified"] is False


def test_a_recording_that_was_replaced_by_one_of_its_size_is_told(
    command: Command, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    source = tmp_path / "recordings"
    shutil.copytree(tiny_cohort.source, source)
    arguments = ["run", "--source", source, "--out", tmp_path / "out", "--workers", 1, "--shard-cases", 9, "--json"]
    arguments += ["--success-threshold", 0, *SHORT_WINDOW_OPTIONS]
    first = command(*arguments, "--name", "first")
    assert first.json["remarks"] == []
    assert command(*arguments, "--name", "first").json["remarks"] == []
    path = source / "0003.csv"
    other = path.with_name("other")
    other.write_bytes(path.read_bytes().replace(b"Solar8000/ETCO2", b"Solar8000/OTHER"))
    other.replace(path)
    again = command(*arguments, "--name", "first")
    assert again.json["root_hash"] == first.json["root_hash"]
    assert again.json["run_id"] == first.json["run_id"]
    assert "replaced since this run began: 1, the first of case 0003" in again.json["remarks"][0]
    assert "Another --name" in again.err
    anew = command(*arguments, "--name", "second")
    assert anew.json["root_hash"] != first.json["root_hash"]
    assert anew.json["remarks"] == []


def test_a_recording_that_grows_while_a_run_reads_it_is_told(
    command: Command, tiny_cohort: TinyCohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "recordings"
    shutil.copytree(tiny_cohort.source, source)
    growing = source / "0003.csv"
    whole = growing.read_bytes()
    growing.write_bytes(whole[: len(whole) // 2])

    def work_while_it_grows(*arguments: Any) -> Any:
        done = run_locally(*arguments)
        growing.write_bytes(whole)
        return done

    monkeypatch.setattr("core.run.pipeline.run_locally", work_while_it_grows)
    answer = command(
        "run", "--source", source, "--out", tmp_path / "out", "--workers", 1, "--shard-cases", 9, "--json",
        "--success-threshold", 0, *SHORT_WINDOW_OPTIONS,
    )  # fmt: skip
    assert answer.json["verified"] is True
    assert "replaced since this run began: 1, the first of case 0003" in answer.json["remarks"][0]


def test_a_source_that_goes_away_after_the_work_takes_nothing_back(
    command: Command, tiny_cohort: TinyCohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "recordings"
    shutil.copytree(tiny_cohort.source, source)

    def work_then_unmount(*arguments: Any) -> Any:
        done = run_locally(*arguments)
        source.rename(tmp_path / "elsewhere")
        return done

    monkeypatch.setattr("core.run.pipeline.run_locally", work_then_unmount)
    answer = command(
        "run", "--source", source, "--out", tmp_path / "out", "--workers", 1, "--json", *SHORT_WINDOW_OPTIONS
    )
    assert (answer.code, answer.json["verified"]) == (0, True)
    assert "replaced since this run began is not known" in answer.json["remarks"][0]


def test_a_damaged_shard_is_told_and_made_afresh(
    command: Command, tiny_run: Answer, tiny_output: Path, tiny_cohort: TinyCohort, tmp_path: Path
) -> None:
    shutil.copytree(tiny_output, tmp_path / "out")
    arguments = ["run", *tiny_cohort.options(), "--out", tmp_path / "out", "--name", "tiny", "--shard-cases", 2]
    shard = next((tmp_path / "out" / "datasets" / "tiny" / "validation").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1])
    told = command(*arguments)
    assert told.code == 1
    assert "of 12 checks failed" in told.out
    assert shard.name.split(".")[0] in told.out
    assert "Move the files named here out of the data set and start the same command again" in told.out
    shard.rename(tmp_path / "moved")
    again = command(*arguments, "--json")
    assert (again.code, again.json["root_hash"]) == (0, tiny_run.json["root_hash"])
    assert "made again: 1" in again.err


def test_no_gzip(command: Command, tiny_run: Answer, tiny_cohort: TinyCohort, tmp_path: Path) -> None:
    answer = command(
        "run", *tiny_cohort.options(), "--out", tmp_path, "--no-gzip", "--shard-cases", 2, "--workers", 1, "--json"
    )
    assert answer.code == 0
    # The same records, and so the same identity.
    assert answer.json["root_hash"] == tiny_run.json["root_hash"]
    folder, _ = data_set(answer)
    assert {path.suffix for path in folder.glob("train/*")} == {".tfrecord"}
    assert command("verify", folder).code == 0


def test_a_cohort_without_a_table(command: Command, tmp_path: Path) -> None:
    source = tmp_path / "recordings"
    source.mkdir()
    for number in range(1, 8):
        (source / f"{number}.csv").write_bytes(csv_recording(number, 200))
    answer = command(
        "run", "--source", source, "--out", tmp_path / "out", "--workers", 1, "--shard-cases", 9, "--json",
        *SHORT_WINDOW_OPTIONS,
    )  # fmt: skip
    assert answer.code == 0, answer.out
    assert "cases without a clinical row: 7" in answer.err
    _, manifest = data_set(answer)
    assert {(case["group"], case["group_number"]) for case in cases(manifest).values()} == {
        (str(-number), -number) for number in range(1, 8)
    }
    assert all("static_imputed" in case["flags"] for case in cases(manifest).values())


def test_a_second_row_is_ignored_and_said(command: Command, tiny_cohort: TinyCohort, tmp_path: Path) -> None:
    table = tmp_path / "clinical.csv"
    row = (1, 999, 0, 400, 80, "F", 150, 50, "", 4)
    table.write_bytes(tiny_cohort.clinical.read_bytes() + clinical_table([row]).split(b"\n", 1)[1])
    options = ["--source", tiny_cohort.source, "--clinical", table, "--dry-run", "--json", *SHORT_WINDOW_OPTIONS]
    answer = command("plan", *options)
    assert answer.json["groups"] == 6
    assert any("ignored: 1" in note for note in answer.json["notes"])
