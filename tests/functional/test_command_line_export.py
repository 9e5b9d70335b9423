"""Export: the shards joined, and only those that were verified."""

from __future__ import annotations

import gzip
import hashlib
from itertools import islice
from pathlib import Path

import pytest

from core.examples.parse import iterate_records, parse_batch
from tests.data_set_copy import Command, DataSetCopy


def test_exported_files_are_the_shards_joined(command: Command, copy: DataSetCopy, tmp_path: Path) -> None:
    answer = command("export", copy.folder, "--single-file", "--out", tmp_path / "single", "--json")
    assert answer.code == 0
    assert [Path(item["path"]).name for item in answer.json] == [
        "train.tfrecord",
        "validation.tfrecord",
        "test.tfrecord",
    ]
    for item in answer.json:
        path = Path(item["path"])
        side = path.stem
        shards = [shard for shard in copy.manifest["shards"] if shard["split"] == side]
        data = path.read_bytes()
        assert data == b"".join(copy.path(shard).read_bytes() for shard in shards)
        batch = parse_batch(copy.schema, gzip.decompress(data))
        assert batch.records == item["records"] == copy.manifest["splits"][side]["records"] > 0
        assert item["sha256"] == hashlib.sha256(data).hexdigest()
        cases = [case["case_number"] for shard in shards for case in shard["cases"]]
        assert list(dict.fromkeys(batch.columns["case_id"].reshape(-1).tolist())) == cases
        assert len(list(islice(iterate_records([gzip.decompress(data)]), 3))) == 3


def test_a_changed_shard_is_not_exported(command: Command, copy: DataSetCopy, tmp_path: Path) -> None:
    path = copy.path(copy.shard("train-00001"))
    path.write_bytes(path.read_bytes()[:-1])
    answer = command("export", copy.folder, "--single-file", "--out", tmp_path / "single")
    assert answer.code == 1
    assert "error [shard_changed]" in answer.err
    assert list((tmp_path / "single").iterdir()) == []


def test_what_is_not_verified_is_not_exported(command: Command, copy: DataSetCopy, tmp_path: Path) -> None:
    (copy.folder / "_SUCCESS").unlink()
    answer = command("export", copy.folder, "--single-file", "--out", tmp_path / "single")
    assert answer.code == 64
    assert "error [not_published]" in answer.err


@pytest.mark.parametrize("where", ["", "train", "new/folder"])
def test_no_file_is_put_into_a_data_set(command: Command, copy: DataSetCopy, where: str) -> None:
    """It would not verify any longer."""
    answer = command("export", copy.folder, "--single-file", "--out", copy.folder / where, "--json")
    assert (answer.code, answer.json["error"]["code"]) == (64, "bad_location")
    assert "is part of the data set" in answer.json["error"]["what"]
    assert command("verify", copy.folder).code == 0
