"""Faults planted in the documents of a published data set, and folders that are none."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.data_set_copy import Command, DataSetCopy, Json, failed_checks


@pytest.mark.parametrize(
    ("key", "change", "check"),
    [
        ("records", lambda value: value + 1, "counts"),
        ("planned_cases", lambda value: value - 1, "counts"),
        ("outcomes", lambda value: {"done": value["done"] - 1, "empty": 1}, "counts"),
        ("reasons", lambda value: {"internal": 1}, "counts"),
        ("splits", lambda value: {**value, "test": {**value["test"], "groups": 2}}, "counts"),
        ("success_rate", lambda value: 0.99, "success rate"),
        ("success_threshold", lambda value: 1.5, "success rate"),
        ("root_hash", lambda value: "0" * 64, "root hash"),
    ],
)
def test_a_wrong_figure_in_the_manifest(
    command: Command, copy: DataSetCopy, key: str, change: Callable[[Any], Any], check: str
) -> None:
    copy.manifest[key] = change(copy.manifest[key])
    copy.seal()
    assert failed_checks(command, copy) == {check}


@pytest.mark.parametrize(("key", "check"), [("records", "records"), ("offset", "records"), ("length", "records")])
def test_a_wrong_figure_of_one_case(command: Command, copy: DataSetCopy, key: str, check: str) -> None:
    copy.shard("train-00000")["cases"][1][key] += 1
    copy.seal()
    assert check in failed_checks(command, copy)


def test_a_content_hash_that_was_never_the_shards(command: Command, copy: DataSetCopy) -> None:
    copy.shard("train-00000")["content_sha256"] = "0" * 64
    copy.seal()
    assert failed_checks(command, copy) == {"content hash", "root hash"}


def test_wrong_figures_of_two_cases_that_add_up(command: Command, copy: DataSetCopy) -> None:
    first, second = copy.shard("train-00000")["cases"]
    first["records"] += 1
    second["records"] -= 1
    copy.seal()
    assert failed_checks(command, copy) == {"records"}


def test_a_failed_case_called_done(command: Command, copy: DataSetCopy) -> None:
    shard = copy.shard("train-00000")
    first, _ = copy.blocks(shard)
    copy.rewrite(shard, [first, b""])
    copy.write_object(shard, [gzip.compress(first, 6, mtime=0), b""])
    copy.add_up()
    copy.seal()
    assert "cases" in failed_checks(command, copy)


def test_no_success(command: Command, copy: DataSetCopy) -> None:
    (copy.folder / "_SUCCESS").unlink()
    assert failed_checks(command, copy) == {"seal"}


@pytest.mark.parametrize("content", ["", "{}", "not json"])
def test_an_unreadable_success(command: Command, copy: DataSetCopy, content: str) -> None:
    (copy.folder / "_SUCCESS").write_text(content)
    assert failed_checks(command, copy) == {"seal"}


def test_a_success_of_another_data_set(command: Command, copy: DataSetCopy) -> None:
    success = json.loads((copy.folder / "_SUCCESS").read_text())
    (copy.folder / "_SUCCESS").write_text(json.dumps({**success, "root_hash": "0" * 64}))
    assert failed_checks(command, copy) == {"seal"}


@pytest.mark.parametrize("name", ["preprocessing_metadata.json", "dataset_card.md", "croissant.json"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_document_changed_or_gone(command: Command, copy: DataSetCopy, name: str, gone: bool) -> None:
    path = copy.folder / name
    if gone:
        path.unlink()
        copy.seal()
    else:
        path.write_text(path.read_text().replace("a", "e", 1))
    assert failed_checks(command, copy) == {"seal"}


def test_a_data_set_from_before_croissant(command: Command, copy: DataSetCopy) -> None:
    copy.manifest["format"] = "casemill-data-set/1"
    (copy.folder / "croissant.json").unlink()
    copy.seal()
    assert "croissant.json" not in json.loads((copy.folder / "_SUCCESS").read_text())["sha256"]
    assert failed_checks(command, copy) == set()
    (copy.folder / "croissant.json").write_text("{}")
    assert failed_checks(command, copy) == {"shard objects"}


@pytest.mark.parametrize("name", ["train/train-00009.tfrecord.gz", "notes.txt", "train/sub/x"])
def test_a_stranger_in_the_folder(command: Command, copy: DataSetCopy, name: str) -> None:
    path = copy.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    assert failed_checks(command, copy) == {"shard objects"}


def test_a_changed_split_document(command: Command, copy: DataSetCopy) -> None:
    copy.edit_split(lambda split: split["thresholds"].update(salt="other"))
    assert "seal" in failed_checks(command, copy)


def move_a_group(split: Json) -> None:
    split["groups"]["test"].append(split["groups"]["train"].pop())


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda split: split["thresholds"].update(salt="other"), "split"),
        (lambda split: split["thresholds"].update(validation=0.0, test=0.0), "split"),
        (move_a_group, "split"),
        (lambda split: split["cases"].popitem(), "cases"),
        (lambda split: split["cases"].update({"0001": "test-00007"}), "cases"),
    ],
)
def test_a_changed_split_document_under_the_seal(
    command: Command, copy: DataSetCopy, change: Callable[[Json], None], check: str
) -> None:
    copy.edit_split(change)
    copy.seal()
    assert failed_checks(command, copy) == {check}


@pytest.mark.parametrize("path", ["../../../etc/passwd", "train/../../../secret", "/etc/passwd", "split.json"])
def test_a_manifest_that_points_elsewhere_is_refused(command: Command, copy: DataSetCopy, path: str) -> None:
    copy.shard("train-00000")["path"] = path
    copy.seal()
    answer = command("verify", copy.folder, "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "no_manifest")
    said = answer.json["error"]["what"]
    assert said.startswith("manifest.json or split.json: shards.0.path: it does not fit ^")
    assert "passwd" not in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("readme.txt", "hello"),
        ("manifest.json", '{"name": "of another tool", "format": "other/1"}'),
        ("_SUCCESS", ""),
        ("split.json", "{}"),
    ],
)
@pytest.mark.parametrize("words", [("verify",), ("compare", "{folder}")])
def test_a_folder_that_is_no_data_set_was_not_found_wrong(
    command: Command, tmp_path: Path, name: str, content: str, words: tuple[str, ...]
) -> None:
    """Exit code 1 says of a data set that it is not what it was; a folder that never was one is a typing error."""
    (tmp_path / name).write_text(content)
    answer = command(*(word.format(folder=tmp_path) for word in words), tmp_path)
    assert answer.code == 64
    known = "not_comparable" if words[0] == "compare" and name != "manifest.json" else "not_a_data_set"
    assert answer.err.startswith(f"error [{known}] {tmp_path}: ")
    assert "datasets/NAME" in answer.err
    assert len(answer.err.splitlines()) <= 2
    assert answer.out == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "invalid JSON: EOF while"),
        ("{}", "name: missing"),
        ("[]", "no object with names"),
        ("\x00", "invalid JSON: expected value"),
    ],
)
def test_a_manifest_that_cannot_be_read(
    command: Command, copy: DataSetCopy, tmp_path: Path, content: str, why: str
) -> None:
    (copy.folder / "manifest.json").write_text(content)
    exporting = ("export", copy.folder, "--single-file", "--out", tmp_path / "single")
    for words, place in ((("verify", copy.folder), "manifest.json or split.json"), (exporting, "manifest.json")):
        answer = command(*words)
        assert answer.code == 1
        assert answer.err.startswith(f"error [no_manifest] {copy.folder}: {place}: {why}")
        assert len(answer.err.splitlines()) <= 2


@pytest.mark.parametrize("left", ["run_id", "_SUCCESS", "manifest.json"])
def test_a_data_set_that_lost_its_documents_is_found_wrong(command: Command, copy: DataSetCopy, left: str) -> None:
    for path in copy.folder.glob("*"):
        if path.is_file() and path.name != left:
            path.unlink()
    if left == "manifest.json":
        path = copy.folder / left
        path.write_bytes(path.read_bytes()[:-20])
    answer = command("verify", copy.folder)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error [no_manifest] ")


def test_a_missing_folder(command: Command, tmp_path: Path) -> None:
    answer = command("verify", tmp_path / "none")
    assert (answer.code, answer.out) == (64, "")
    assert answer.err.startswith("error [bad_location] ")
