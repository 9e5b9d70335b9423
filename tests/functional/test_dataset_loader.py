"""The loader over a published data set: numpy and TensorFlow give the same records; what is wrong is said."""

from __future__ import annotations

import hashlib
import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core import dataset
from core.dataset import iterate, load, open_data_set, read_case
from core.errors import BadRequestError, IntegrityError
from core.examples.members import Compression, compress_member
from core.examples.pack import pack_examples
from core.run.layout import shard_path
from core.run.models import CaseEntry, Manifest, ShardEntry, Split, SplitCounts, Success
from core.schema import Field, Kind, Role, Schema
from core.store import Store, open_store
from core.workload import Outcome

SCHEMA = Schema(
    fields=(
        Field(name="case_id", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
        Field(name="image", kind=Kind.BYTES, shape=(), role=Role.INPUT, bytes_length=6),
        Field(name="observed", kind=Kind.FLOAT, shape=(3,), role=Role.MASK),
        Field(name="start_s", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
        Field(name="targets", kind=Kind.FLOAT, shape=(2,), role=Role.TARGET),
        Field(name="timeseries", kind=Kind.FLOAT, shape=(5, 3), role=Role.INPUT),
    ),
    case_field="case_id",
    group_field=None,
    order_field="start_s",
)
# Records of each case by shard; a case of no records has no member.
LAYOUT: dict[str, tuple[Split, dict[str, int]]] = {
    "train-00000": ("train", {"1": 7, "2": 0, "3": 12}),
    "validation-00001": ("validation", {"4": 3}),
    "train-00002": ("train", {"5": 5, "6": 1, "77": 40}),
    "train-00003": ("train", {"8": 0}),
    "test-00004": ("test", {"9": 2}),
}
TRAIN = ["1", "3", "5", "6", "77"]
FAILED = "8"


def records_of(case_id: str) -> dict[str, NDArray[Any]]:
    count = next(cases[case_id] for _, cases in LAYOUT.values() if case_id in cases)
    generator = np.random.default_rng(int(case_id))
    return {
        "case_id": np.full((count, 1), int(case_id)),
        "image": generator.integers(0, 256, (count, 6), np.uint8),
        "observed": generator.random((count, 3), np.float32),
        "start_s": np.arange(count).reshape(count, 1) * 30,
        "targets": generator.random((count, 2), np.float32),
        "timeseries": generator.random((count, 5, 3), np.float32),
    }


def publish(store: Store, compression: Compression) -> None:
    shards = []
    for shard, (split, cases) in LAYOUT.items():
        content, entries = b"", []
        for case_id, count in cases.items():
            member = compress_member(pack_examples(SCHEMA, records_of(case_id)).data, compression=compression)
            outcome = Outcome.DONE if count else Outcome.FAILED if case_id == FAILED else Outcome.EMPTY
            entries.append(
                CaseEntry(
                    case_id=case_id,
                    case_number=int(case_id),
                    group=case_id,
                    group_number=int(case_id),
                    outcome=outcome,
                    reason="no_signal" if case_id == FAILED else "",
                    records=count,
                    offset=len(content),
                    length=len(member),
                )
            )
            content += member
        path = shard_path(shard, split, compression)
        store.put(path, content)
        shards.append(
            ShardEntry(
                shard=shard,
                split=split,
                path=path,
                content_sha256="",
                object_sha256="",
                bytes=len(content),
                records=sum(cases.values()),
                cases=tuple(entries),
            )
        )
    counts = SplitCounts(shards=0, cases=0, groups=0, records=0, bytes=0)
    manifest = Manifest(
        name="example",
        run_id="run",
        workload="vitaldb",
        code_version="0",
        compression=compression,
        root_hash="",
        schema_=SCHEMA,
        outcomes={},
        reasons={},
        planned_cases=9,
        records=70,
        success_rate=1.0,
        success_threshold=0.95,
        splits={"train": counts, "validation": counts, "test": counts},
        shards=tuple(shards),
    ).to_bytes()
    store.put("manifest.json", manifest)
    digests = {"manifest.json": hashlib.sha256(manifest).hexdigest()}
    store.put("_SUCCESS", Success(run_id="run", root_hash="", sha256=digests).to_bytes())


@pytest.fixture(params=Compression)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    publish(dataset.open_store(tmp_path), request.param)
    return tmp_path


def joined(parts: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def assert_same(found: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]]) -> None:
    assert set(found) == set(expected)
    for name in expected:
        assert found[name].dtype == expected[name].dtype, name
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.mark.parametrize("batch_size", [1, 4, 13, 65, 1000])
def test_iterate_gives_every_record_once_in_order(folder: Path, batch_size: int) -> None:
    batches = list(iterate(folder, "train", batch_size))
    assert [len(batch["start_s"]) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert 1 <= len(batches[-1]["start_s"]) <= batch_size
    assert_same(joined(batches), joined([records_of(case_id) for case_id in TRAIN]))


def test_iterate_over_a_store_in_memory() -> None:
    store = open_store("memory://")
    publish(store, Compression.GZIP)
    assert_same(joined(list(iterate(store, "validation"))), records_of("4"))
    assert_same(read_case(store, "77"), records_of("77"))


@pytest.mark.parametrize("case_id", ["1", "2", "3", "6", "77", "9"])
def test_one_case(folder: Path, case_id: str) -> None:
    assert_same(read_case(folder, case_id), records_of(case_id))


def test_a_failed_case_has_no_records_and_says_why(folder: Path) -> None:
    with pytest.raises(BadRequestError, match="no_signal"):
        read_case(folder, FAILED)


def test_an_unknown_case_or_split_names_the_valid_ones(folder: Path) -> None:
    with pytest.raises(BadRequestError, match="The 9 cases are 1, 2, 3") as caught:
        read_case(folder, "0001")
    assert caught.value.code == "unknown_case"
    for act in (iterate, load):
        with pytest.raises(BadRequestError, match="train, validation, test") as caught:
            act(folder, "training")
        assert caught.value.code == "unknown_split"


def test_a_batch_has_at_least_one_record(folder: Path) -> None:
    for act in (iterate, load):
        with pytest.raises(BadRequestError, match="batch_size"):
            act(folder, "train", 0)


def test_what_was_not_verified_is_refused_unless_asked_for(folder: Path) -> None:
    (folder / "_SUCCESS").unlink()
    for act in (iterate, load):
        with pytest.raises(BadRequestError) as caught:
            act(folder, "test")
        assert caught.value.code == "not_verified"
    with pytest.raises(BadRequestError):
        read_case(folder, "9")
    assert_same(joined(list(iterate(folder, "test", unverified=True))), records_of("9"))
    assert_same(read_case(folder, "9", unverified=True), records_of("9"))


@pytest.mark.parametrize("name", ["manifest.json", "_SUCCESS"])
def test_a_changed_manifest_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for changed in (content + b" ", content[:-40], b"{}"):
        (folder / name).write_bytes(changed)
        if name == "_SUCCESS" and changed == content + b" ":
            continue
        with pytest.raises(IntegrityError) as caught:
            iterate(folder, "test")
        assert caught.value.code == "manifest_changed"


def test_an_unreadable_manifest_is_refused_even_unverified(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError, match="cannot be read"):
        open_data_set(folder, unverified=True)


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(BadRequestError) as caught:
        iterate(tmp_path, "train")
    assert caught.value.code == "not_a_data_set"


def shard_of(folder: Path, split: str) -> Path:
    return next((folder / split).glob(f"{split}-00002*" if split == "train" else "*"))


def test_a_cut_object_is_found(folder: Path) -> None:
    path = shard_of(folder, "train")
    path.write_bytes(path.read_bytes()[:-9])
    batches = iterate(folder, "train", 5)
    with pytest.raises(IntegrityError, match="77") as caught:
        list(batches)
    assert caught.value.code == "member_cut"


def test_a_missing_object_is_found(folder: Path) -> None:
    shard_of(folder, "test").unlink()
    for act in (lambda: read_case(folder, "9"), lambda: list(iterate(folder, "test"))):
        with pytest.raises(IntegrityError) as caught:
            act()
        assert caught.value.code == "object_missing"


def test_a_damaged_object_is_found(folder: Path) -> None:
    path = shard_of(folder, "test")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for act in (lambda: read_case(folder, "9"), lambda: list(iterate(folder, "test"))):
        with pytest.raises(IntegrityError, match="case 9") as caught:
            act()
        assert caught.value.code in ("record_crc", "member_damaged", "member_cut")


def test_members_at_other_places_than_the_manifest_says_are_found(folder: Path) -> None:
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    last = manifest.shards[-1]
    wrong = {
        "record_count": last.cases[0].model_copy(update={"records": 3}),
        "manifest_changed": last.cases[0].model_copy(update={"offset": 1}),
    }
    for code, case in wrong.items():
        shard = last.model_copy(update={"cases": (case,)})
        changed = manifest.model_copy(update={"shards": (*manifest.shards[:-1], shard)})
        (folder / "manifest.json").write_bytes(changed.to_bytes())
        with pytest.raises(IntegrityError) as caught:
            list(iterate(folder, "test", unverified=True))
        assert caught.value.code == code


def test_numpy_needs_no_tensorflow_and_load_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert_same(joined(list(iterate(folder, "test"))), records_of("9"))
    with pytest.raises(BadRequestError, match=r"casemill\[train\]") as caught:
        load(folder, "test")
    assert caught.value.code == "no_tensorflow"


@pytest.fixture
def tensorflow() -> Any:
    return pytest.importorskip("tensorflow")


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
def test_load_in_order_equals_iterate(folder: Path) -> None:
    for split in ("train", "validation"):
        found = load(folder, split, batch_size=9, shuffle=False)
        batches = list(found.as_numpy_iterator())
        assert len(batches) == int(found.cardinality())
        for batch, expected in itertools.zip_longest(batches, iterate(folder, split, 9)):
            assert_same(batch, expected)


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
def test_load_shuffles_without_losing_any(folder: Path) -> None:
    found = joined(list(load(folder, "train", batch_size=8, seed=3, shuffle_buffer=100).as_numpy_iterator()))
    expected = joined([records_of(case_id) for case_id in TRAIN])
    assert not np.array_equal(found["case_id"], expected["case_id"])
    order = np.lexsort((found["start_s"][:, 0], found["case_id"][:, 0]))
    assert_same({name: rows[order] for name, rows in found.items()}, expected)


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
def test_supervised_pairs_follow_the_roles(folder: Path) -> None:
    ((inputs, targets),) = load(folder, "train", 100, shuffle=False, supervised=True).as_numpy_iterator()
    expected = joined([records_of(case_id) for case_id in TRAIN])
    assert_same(inputs, {name: expected[name] for name in ("image", "timeseries")})
    assert_same(targets, {"targets": expected["targets"]})


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("shuffle", [True, False])
def test_load_from_a_store_that_tensorflow_cannot_read(shuffle: bool) -> None:
    store = open_store("memory://")
    publish(store, Compression.GZIP)
    found = joined(list(load(store, "train", 10, shuffle=shuffle).as_numpy_iterator()))
    order = np.lexsort((found["start_s"][:, 0], found["case_id"][:, 0]))
    assert_same({name: rows[order] for name, rows in found.items()}, joined([records_of(case) for case in TRAIN]))


@pytest.mark.slow
def test_load_ends_with_an_error_where_records_are_missing(folder: Path, tensorflow: Any) -> None:
    path = shard_of(folder, "train")
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    entry = next(shard for shard in manifest.shards if path.name in shard.path)
    path.write_bytes(path.read_bytes()[: entry.cases[-1].offset])
    with pytest.raises(tensorflow.errors.FailedPreconditionError, match="expected to contain 65 elements"):
        list(load(folder, "train", 1000))


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
def test_a_split_without_records(folder: Path) -> None:
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    changed = manifest.model_copy(update={"shards": manifest.shards[:1]})
    (folder / "manifest.json").write_bytes(changed.to_bytes())
    assert list(iterate(folder, "test", unverified=True)) == []
    assert list(load(folder, "test", unverified=True)) == []
