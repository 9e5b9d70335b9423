"""Card and Croissant of a workload that describes nothing, and of examples of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import mlcroissant
import pytest

from core.examples.members import Compression
from core.run.assemble import build_split_document
from core.run.card import data_set_card
from core.run.croissant import croissant
from core.run.facts import Portrait, portrait
from core.run.models import Json
from core.run.publish import publish
from core.schema import Field, Kind, Role, Schema
from tests.toy_bench import Bench

DOCUMENTS = {"manifest.json": (10, "0" * 64)}
DIGESTS = {"manifest.json": "0" * 64}


def toy_portrait(**changes: object) -> Portrait:
    bench = Bench({"source_licence": "CC BY 4.0", **changes})
    bench.work()
    publication = publish(bench.store, bench.plan, bench.workload)
    assert publication.verification.passed
    split = build_split_document(bench.plan, publication.manifest)
    return portrait(bench.plan, bench.workload, publication.manifest, split, {})


def read(content: Json, folder: Path) -> mlcroissant.Metadata:
    path = folder / "croissant.json"
    path.write_text(json.dumps(content))
    return mlcroissant.Dataset(jsonld=str(path)).metadata


def test_a_workload_that_describes_nothing(tmp_path: Path) -> None:
    seen = toy_portrait()
    card = data_set_card(seen, {"manifest.json": "0" * 64})
    assert card.startswith("---\npretty_name: ")
    assert "Nobody has said yet what this data set is for." in card
    assert "Licence: [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)" in card
    assert "## Toy\n" in card
    metadata = read(croissant(seen, DOCUMENTS), tmp_path)
    assert not metadata.ctx.issues.errors
    assert metadata.license == ["https://creativecommons.org/licenses/by/4.0/"]


def test_a_rehearsal_says_so_in_its_first_lines(tmp_path: Path) -> None:
    seen = toy_portrait(sample_of=240)
    card = data_set_card(seen, DIGESTS)
    name = f"{seen.manifest.name} (rehearsal, not for training)"
    assert card.startswith(f'---\npretty_name: "{name}"\n')
    assert f"\n---\n\n# {name}\n\nThis is a rehearsal and not for training. It holds" in card
    assert "of the 240 cases that a real run would take" in card
    assert "Do not train on it" in card
    assert "Nobody has said yet what this data set is for." not in card
    metadata = read(croissant(seen, DOCUMENTS), tmp_path)
    assert not metadata.ctx.issues.errors
    assert metadata.description.startswith("This is a rehearsal and not for training.")
    assert "rehearsal" in metadata.keywords
    assert "rehearsal" not in data_set_card(toy_portrait(), DIGESTS)


def test_plain_shards_and_examples_of_every_kind(tmp_path: Path) -> None:
    seen = toy_portrait(compression=Compression.NONE)
    fields = (
        Field(name="image", kind=Kind.BYTES, shape=(2, 3), role=Role.INPUT, bytes_length=16),
        Field(name="order", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE, minimum=0),
        Field(name="values", kind=Kind.FLOAT, shape=(4,), role=Role.TARGET, maximum=1.0, labels=("a", "b", "c", "d")),
    )
    schema = Schema(fields=fields, case_field=None, group_field=None, order_field="order")
    seen = Portrait(**{**vars(seen), "manifest": seen.manifest.model_copy(update={"schema_": schema})})
    content = croissant(seen, DOCUMENTS)
    metadata = read(content, tmp_path)
    assert not metadata.ctx.issues.errors
    examples = next(item for item in metadata.record_sets if item.id == "examples")
    assert {field.id: field.array_shape_tuple for field in examples.fields} == {
        "examples/image": (2, 3), "examples/order": (1,), "examples/values": (4,),
    }  # fmt: skip
    words = {field["@id"]: field["description"] for field in content["recordSet"][-1]["field"]}
    assert words["examples/image"] == "For the model: input. Each value is 16 bytes."
    assert words["examples/values"] == "For the model: target. From any to 1. The last axis is a, b, c, d."
    assert all(not name.endswith(".gz") for item in content["distribution"] for name in [item.get("contentUrl", "")])
    card = data_set_card(seen, {})
    assert '"image": tf.io.FixedLenFeature([2, 3], tf.string),  # each string is 16 bytes' in card
    assert 'compression_type="")' in card


@pytest.mark.parametrize("salt", ["a`b", "x\ny", "p|q"])
def test_a_salt_in_hostile_words(salt: str) -> None:
    card = data_set_card(toy_portrait(salt=salt), {})
    line = next(line for line in card.splitlines() if "over the salt `" in line)
    assert line.count("`") == 2
