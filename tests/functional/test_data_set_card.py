"""The data set card and croissant.json of a published data set, read as strangers and their tools would."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlcroissant
import pytest
from huggingface_hub import DatasetCard

from tests.command_line import Answer
from tests.data_set_copy import DataSetCopy
from tests.tiny_recordings import TinyCohort

Command = Callable[..., Answer]
Json = dict[str, Any]


def croissant_of(folder: Path) -> mlcroissant.Dataset:
    return mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))


def blocks(card: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


def again(command: Command, cohort: TinyCohort, output: Path, *options: object) -> Answer:
    """The run of ``tiny_run`` once more, so that nothing is left but to publish."""
    return command(
        "run", *cohort.options(), "--out", output, "--name", "tiny", "--shard-cases", 2, "--workers", 1, *options,
        "--json",
    )  # fmt: skip


def test_the_front_matter_is_the_hubs(copy: DataSetCopy) -> None:
    card = DatasetCard.load(copy.folder / "dataset_card.md", ignore_metadata_errors=False)
    data = card.data.to_dict()
    assert (data["pretty_name"], data["license"], data["size_categories"]) == ("tiny", "unknown", ["n<1K"])
    assert "tfrecord" in data["tags"]
    assert data["task_categories"] == ["time-series-forecasting"]


def test_the_card_tells_this_data_set(copy: DataSetCopy, tiny_cohort: TinyCohort) -> None:
    card = (copy.folder / "dataset_card.md").read_text()
    for side, counts in copy.manifest["splits"].items():
        assert re.search(rf"\| {side} \| {counts['cases']} \| {counts['groups']} \| {counts['records']} \|", card)
    assert copy.manifest["root_hash"] in card
    for name in ("manifest.json", "split.json", "preprocessing_metadata.json"):
        assert f"| `{name}` | `{hashlib.sha256((copy.folder / name).read_bytes()).hexdigest()}` |" in card
    assert "**The licence is not known.**" in card
    assert "Cases with a noradrenaline pump: none of 12" in card
    assert "| TV | 100.0% (12 of 12) |" in card
    # Six persons of one sex; their ages are 31 to 41, of which one is 40 or over.
    assert "| sex | female | 6 |" in card
    assert "| age in years | 18 to 39 | not told |" in card
    assert "| age in years | 40 to 64 | not told |" in card
    assert str(tiny_cohort.source) not in card
    assert card.endswith("\n")
    assert not card.endswith("\n\n")


def test_the_code_of_the_card_runs(copy: DataSetCopy, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.chdir(copy.folder)
    found = blocks((copy.folder / "dataset_card.md").read_text())
    assert len(found) == 3
    for block in found:
        names: Json = {}
        exec(block, names)
        if "training" in names:
            batch = next(iter(names["training"]))
            inputs = batch[0] if isinstance(batch, tuple) else batch
            assert inputs["timeseries"].shape[1:] == (60, 16)


def test_croissant_holds_for_its_own_library(copy: DataSetCopy) -> None:
    data_set = croissant_of(copy.folder)
    issues = data_set.metadata.ctx.issues
    assert not issues.errors
    # No date: the same run gives the same bytes. No licence: nobody stated it.
    missing = {re.search(r"schema.org/(\w+)", warning)[1] for warning in issues.warnings}  # type: ignore[index]
    assert missing == {"datePublished", "license"}
    assert data_set.metadata.ctx.is_v1_1()
    assert data_set.metadata.version == f"1.0.0+{copy.manifest['root_hash'][:12]}"
    assert "10.1038/s41597-022-01411-5" in data_set.metadata.cite_as


def test_croissant_names_every_file_with_its_checksum(copy: DataSetCopy) -> None:
    content = json.loads((copy.folder / "croissant.json").read_text())
    files = [item for item in content["distribution"] if item["@type"] == "cr:FileObject"]
    described = {item["contentUrl"] for item in files}
    there = {path.relative_to(copy.folder).as_posix() for path in copy.folder.rglob("*") if path.is_file()}
    assert there - described == {"croissant.json", "_SUCCESS", "run_id"}
    assert described <= there
    for item in files:
        data = (copy.folder / item["contentUrl"]).read_bytes()
        assert (item["sha256"], item["contentSize"]) == (hashlib.sha256(data).hexdigest(), f"{len(data)} B")
    sets = {item["@id"]: item for item in content["distribution"] if item["@type"] == "cr:FileSet"}
    assert set(sets) == {"train-files", "validation-files", "test-files", "all-files"}
    found = {path.as_posix() for pattern in sets["all-files"]["includes"] for path in copy.folder.glob(pattern)}
    assert found == {(copy.folder / shard["path"]).as_posix() for shard in copy.manifest["shards"]}


def test_croissant_gives_records(copy: DataSetCopy) -> None:
    data_set = croissant_of(copy.folder)
    splits = {record["splits/name"]: record for record in data_set.records("splits")}
    for side, counts in copy.manifest["splits"].items():
        assert {name: splits[side][f"splits/{name}"] for name in ("cases", "groups", "records")} == {
            name: counts[name] for name in ("cases", "groups", "records")
        }
    cases = [case for shard in copy.manifest["shards"] for case in shard["cases"]]
    found = list(data_set.records("cases"))
    assert [record["cases/case_id"].decode() for record in found] == [case["case_id"] for case in cases]
    assert [record["cases/records"] for record in found] == [case["records"] for case in cases]


def test_croissant_describes_the_examples(copy: DataSetCopy) -> None:
    metadata = croissant_of(copy.folder).metadata
    examples = next(item for item in metadata.record_sets if item.id == "examples")
    shapes = {field.id.partition("/")[2]: field.array_shape_tuple for field in examples.fields}
    assert shapes == {field.name: field.shape for field in copy.schema.fields}


def test_a_licence_that_is_stated_later(
    command: Command, tiny_run: Answer, tiny_cohort: TinyCohort, tiny_output: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(tiny_output, output)
    answer = again(command, tiny_cohort, output, "--source-licence", "cc-by-nc-4.0")
    assert (answer.code, answer.json["run_id"]) == (0, tiny_run.json["run_id"])
    assert answer.json["resumed_shards"] == 6
    folder = output / "datasets" / "tiny"
    card = DatasetCard.load(folder / "dataset_card.md")
    assert card.data.to_dict()["license"] == "cc-by-nc-4.0"
    assert "Licence: [CC BY-NC 4.0](https://creativecommons.org/licenses/by-nc/4.0/), as the person" in card.text
    assert croissant_of(folder).metadata.license == ["https://creativecommons.org/licenses/by-nc/4.0/"]
    assert command("verify", folder).code == 0


def test_a_licence_in_hostile_words(
    command: Command, tiny_run: Answer, tiny_cohort: TinyCohort, tiny_output: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(tiny_output, output)
    words = '"] <script>alert(1)</script> [x](javascript:1) | `a` --- \\'
    assert again(command, tiny_cohort, output, "--source-licence", words).code == 0
    folder = output / "datasets" / "tiny"
    text = (folder / "dataset_card.md").read_text()
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    data = DatasetCard(text).data.to_dict()
    assert data["license"] == "other"
    assert re.fullmatch(r"[a-z0-9.-]+", data["license_name"])
    assert croissant_of(folder).metadata.license == [words]


def test_a_licence_that_is_no_line(command: Command, tiny_cohort: TinyCohort, tmp_path: Path) -> None:
    answer = again(command, tiny_cohort, tmp_path / "out", "--source-licence", " ")
    assert answer.code == 64
    assert answer.json["error"]["code"] == "bad_option"
    assert answer.json["error"]["where"] == "--source-licence"
