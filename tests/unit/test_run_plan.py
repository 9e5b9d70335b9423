"""Planning: the same request gives the same plan, and every case asked for is in it."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from core.errors import BadRequestError, IntegrityError
from core.run.layout import RunLayout, shard_name, shard_order
from core.run.models import SPLITS, SplitDocument, Thresholds
from core.run.partition import count_partitions, read_partition
from core.run.plan import Plan, PlanOptions, checked_options, make_plan, plan_digest
from core.run.plan_store import read_plan, write_plan
from core.run.source import StoreSource, open_source
from core.run.split import split_of
from core.store import Store, open_store
from core.workload import Cohort
from core.workloads.vitaldb.workload import VitaldbWorkload
from tests.tiny_recordings import SHORT_WINDOWS, TinyCohort
from tests.toy_workload import ToyWorkload


def plan(cohort: TinyCohort, cases: str = "all", where: str | None = None, **options: Any) -> Plan:
    selection = {"cases": cases, "clinical": str(cohort.clinical), "where": where}
    settings = {**SHORT_WINDOWS, **options.pop("settings", {})}
    source = open_source(str(cohort.source))
    return make_plan(VitaldbWorkload(settings), source, selection, PlanOptions(**options))


def toy_plan(cases: int, **options: Any) -> Plan:
    return make_plan(ToyWorkload({"cases": cases}), None, {}, PlanOptions(**options))


def identity(made: Plan) -> tuple[object, ...]:
    return made.cases, made.shards, made.request.run_id


def test_order_and_duplicates_of_the_list_do_not_matter(tiny_cohort: TinyCohort) -> None:
    wanted = plan(tiny_cohort, "1-12")
    for other in ("all", "7-12,1-6", "1-8,3-12,5,5,0005", "12,11,10,9,8,7,6,5,4,3,2,1"):
        assert identity(plan(tiny_cohort, other)) == identity(wanted)
    assert [entry.case.number for entry in wanted.cases if entry.split == "train"] == sorted(
        entry.case.number for entry in wanted.cases if entry.split == "train"
    )


def test_what_changes_examples_or_cohort_changes_the_run(tiny_cohort: TinyCohort) -> None:
    wanted = plan(tiny_cohort).request.run_id
    others = [
        plan(tiny_cohort, "1-11"),
        plan(tiny_cohort, settings={"horizon_s": 6}),
        plan(tiny_cohort, settings={"concentrations": {"Orchestra/PPF20_RATE": 10.0}}),
        plan(tiny_cohort, salt="other"),
        plan(tiny_cohort, shard_cases=3),
        plan(tiny_cohort, compression="none"),
        plan(tiny_cohort, data_set="named"),
        plan(tiny_cohort, success_threshold=0.5),
        plan(tiny_cohort, image_digest="sha256:00"),
    ]
    ids = [other.request.run_id for other in others]
    assert len({wanted, *ids}) == len(ids) + 1
    same = (plan(tiny_cohort, checkpoint_seconds=1.0), plan(tiny_cohort, partitions=2))
    assert {other.request.run_id for other in same} == {wanted}


def test_a_changed_recording_or_row_changes_the_run(tiny_cohort: TinyCohort, tmp_path: Path) -> None:
    table = tmp_path / "clinical.csv"
    table.write_bytes(tiny_cohort.clinical.read_bytes().replace(b"170,70", b"170,71", 1))
    changed = plan(TinyCohort(tiny_cohort.source, table))
    assert changed.request.run_id != plan(tiny_cohort).request.run_id
    table.write_bytes(tiny_cohort.clinical.read_bytes())
    moved = plan(TinyCohort(tiny_cohort.source, table))
    assert moved.request.run_id == plan(tiny_cohort).request.run_id


def test_cases_not_found_stay_in_the_plan(tiny_cohort: TinyCohort) -> None:
    made = plan(tiny_cohort, "11-14")
    by_number = {entry.case.number: entry.case for entry in made.cases}
    assert sorted(by_number) == [11, 12, 13, 14]
    assert (by_number[13].key, by_number[13].estimated_records, by_number[13].id) == (None, 0, "0013")
    result = VitaldbWorkload(SHORT_WINDOWS).process(by_number[13], open_source(str(tiny_cohort.source)))
    assert (result.outcome.value, result.reason, result.records) == ("failed", "not_found", 0)


def test_where_narrows_the_cohort(tiny_cohort: TinyCohort) -> None:
    made = plan(tiny_cohort, "1-12", "age >= 35 and sex = 'M'")
    # Age is 30 + number, odd numbers are F.
    assert sorted(entry.case.number for entry in made.cases) == [6, 8, 10, 12]
    with pytest.raises(BadRequestError) as caught:
        plan(tiny_cohort, "1-12", "age > 200")
    assert caught.value.code == "empty_cohort"


def test_the_sides_are_those_of_the_groups(tiny_cohort: TinyCohort) -> None:
    made = plan(tiny_cohort)
    for entry in made.cases:
        assert entry.split == split_of(entry.case.group, made.request.thresholds)
        assert entry.shard.startswith(entry.split)
    assert len({entry.case.group for entry in made.cases}) == 6


def test_thresholds_of_an_earlier_split_are_used_again(tiny_cohort: TinyCohort) -> None:
    earlier = Thresholds(salt="casemill", validation=0.0, test=0.5)
    made = plan(tiny_cohort, thresholds=earlier)
    assert made.request.thresholds == earlier
    assert {entry.split for entry in made.cases} == {"validation", "test"}


def test_another_salt_than_that_of_the_earlier_split(tiny_cohort: TinyCohort) -> None:
    """It would be passed over without a word."""
    earlier = Thresholds(salt="first", validation=0.7, test=0.85)
    assert plan(tiny_cohort, thresholds=earlier, salt="first").request.thresholds == earlier
    with pytest.raises(
        BadRequestError, match=r"--salt: the earlier split has a salt of its own, 'first' \[bad_option\]"
    ):
        plan(tiny_cohort, thresholds=earlier, salt="second")


@pytest.mark.parametrize(
    ("cases", "shard_cases", "expected"), [(900, None, 57), (32_000, None, 200), (16, None, 1), (900, 4, 4)]
)
def test_a_workload_of_tiny_cases_has_larger_shards(cases: int, shard_cases: int | None, expected: int) -> None:
    class Tiny(ToyWorkload):
        def cohort(self, source: Any, selection: dict[str, Any]) -> Cohort:
            return replace(super().cohort(source, selection), most_shard_cases=200)

    made = make_plan(Tiny({"cases": cases}), None, {}, PlanOptions(shard_cases=shard_cases))
    assert made.request.shard_cases == expected


@pytest.mark.parametrize(
    ("cases", "shard_cases", "expected"), [(10, None, 1), (16, None, 1), (17, None, 2), (900, None, 50), (10, 4, 4)]
)
def test_shard_sizes(cases: int, shard_cases: int | None, expected: int) -> None:
    made = toy_plan(cases, shard_cases=shard_cases)
    assert made.request.shard_cases == expected
    for side in SPLITS:
        own = [shard for shard in made.shards.shards if shard.split == side]
        assert [shard.shard for shard in own] == [shard_name(side, number) for number in range(len(own))]
        # All are full but the last.
        assert all(shard.cases == expected for shard in own[:-1])
        assert all(0 < shard.cases <= expected for shard in own)
    counted = Counter(entry.shard for entry in made.cases)
    assert counted == {shard.shard: shard.cases for shard in made.shards.shards}
    assert sum(counted.values()) == cases


@pytest.mark.parametrize(("wanted", "expected"), [(None, 12), (1, 1), (5, 5), (400, 12)])
def test_partitions_are_balanced(tiny_cohort: TinyCohort, wanted: int | None, expected: int) -> None:
    made = plan(tiny_cohort, partitions=wanted)
    assert made.shards.partitions == expected
    loads = [sum(shard.estimated_records for shard in made.shards_of(number)) for number in range(expected)]
    heaviest = max(shard.estimated_records for shard in made.shards.shards)
    assert min(loads) > 0
    # Heaviest first to the lightest: no two differ by more than one shard.
    assert max(loads) - min(loads) <= heaviest
    listed = [shard.shard for number in range(expected) for shard in made.shards_of(number)]
    assert sorted(listed) == sorted(shard.shard for shard in made.shards.shards)


def test_the_heaviest_shard_is_given_away_first() -> None:
    workload = ToyWorkload({"cases": 5, "estimates": [1, 1, 1, 1, 4]})
    options = PlanOptions(shard_cases=1, partitions=2, thresholds=Thresholds(salt="", validation=1.0, test=1.0))
    made = make_plan(workload, None, {}, options)
    loads = [sum(shard.estimated_records for shard in made.shards_of(number)) for number in (0, 1)]
    assert loads == [4, 4]


def test_a_plan_reads_back_as_written(tiny_cohort: TinyCohort) -> None:
    made = plan(tiny_cohort, "1-14", data_set="named")
    store = open_store("memory://")
    write_plan(store, made)
    assert read_plan(store, made.request.run_id) == made
    before = {item.key: store.get(item.key) for item in store.list()}
    write_plan(store, plan(tiny_cohort, "1-14", data_set="named", partitions=2))
    assert {item.key: store.get(item.key) for item in store.list()} == before


@pytest.mark.parametrize(
    ("part", "content", "what"),
    [
        ("cases", b"{}", "parquet "),
        ("cases", None, "missing"),
        ("shards", b"{}", "partitions: missing"),
        ("shards", b"[", "invalid JSON: "),
        ("shards", None, "missing"),
        ("request", b"{}", "run.json cannot be read: run_id: missing"),
    ],
)
def test_a_damaged_plan_is_named(part: str, content: bytes | None, what: str) -> None:
    made = toy_plan(4)
    store = open_store("memory://")
    write_plan(store, made)
    key = getattr(RunLayout(made.request.run_id), part)
    if content is None:
        store.delete(key)
    else:
        store.put(key, content)
    with pytest.raises(IntegrityError) as caught:
        read_plan(store, made.request.run_id)
    assert caught.value.code == "plan_damaged"
    assert caught.value.what.startswith(what)
    assert "\n" not in caught.value.what
    if part != "request":
        assert caught.value.where == key


def test_no_such_run() -> None:
    with pytest.raises(BadRequestError) as caught:
        read_plan(open_store("memory://"), "toy-000000000000")
    assert caught.value.code == "no_run"


@pytest.mark.parametrize(
    ("option", "value", "where"),
    [
        ("data_set", "../x", "--name"),
        ("data_set", "a/b", "--name"),
        ("data_set", "", "--name"),
        ("data_set", "a\n", "--name"),
        ("data_set", ".hidden", "--name"),
        ("success_threshold", 2.0, "--success-threshold"),
        ("success_threshold", float("nan"), "--success-threshold"),
        ("shard_cases", 0, "--shard-cases"),
        ("checkpoint_seconds", 0.0, "--checkpoint-seconds"),
    ],
)
def test_options_out_of_bounds(option: str, value: object, where: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        checked_options(**{option: value})
    assert (caught.value.code, caught.value.where) == ("bad_option", where)


def test_shards_sort_as_the_splits_stand() -> None:
    names = [shard_name(side, number) for side in SPLITS for number in (0, 2, 100_000)]
    for shuffled in itertools.islice(itertools.permutations(names), 0, 5000, 97):
        assert sorted(shuffled, key=shard_order) == names


def test_a_source_counts_what_it_hands_over(tiny_cohort: TinyCohort) -> None:
    source = StoreSource(open_store(tiny_cohort.source))
    key, size = source.list_objects()[0]
    whole = b"".join(source.read(key, 1000))
    assert len(whole) == size == source.bytes_read
    assert source.read_range(key, 10, 30) == whole[10:40]
    assert source.read_range(key, size - 5, 30) == whole[-5:]
    assert source.bytes_read == size + 35
    with pytest.raises(FileNotFoundError):
        source.read_range("none.csv", 0, 1)


def test_split_document_is_strict() -> None:
    with pytest.raises(ValueError, match="surprise"):
        SplitDocument.model_validate({"surprise": 1})


def stored_plan(cases: int = 23, partitions: int = 4) -> tuple[Store, Plan]:
    store = open_store("memory://")
    made = make_plan(ToyWorkload({"cases": cases}), None, {}, checked_options(shard_cases=3, partitions=partitions))
    write_plan(store, made)
    return store, made


def test_a_worker_takes_its_own_cases_only() -> None:
    store, made = stored_plan()
    parts = [read_partition(store, made.request, partition) for partition in range(4)]
    assert sorted(entry.case.number for part in parts for entry in part.cases) == list(range(1, 24))
    assert count_partitions(store, made.request) == 4
    for partition, part in enumerate(parts):
        assert part.request == made.request
        assert part.shards.partitions == 4
        assert part.shards.shards == part.shards_of(partition) == made.shards_of(partition)
        for shard in part.shards_of(partition):
            assert part.cases_of(shard.shard) == made.cases_of(shard.shard)


def test_the_stored_estimate_has_the_name_of_the_design() -> None:
    """So that the plan of a run that another version began is read, and that version reads ours."""
    store, made = stored_plan()
    layout = RunLayout(made.request.run_id)
    table = parquet.read_table(io.BytesIO(store.get(layout.cases)))
    assert table["estimated_windows"].to_pylist() == [entry.case.estimated_records for entry in made.cases]
    shards = json.loads(store.get(layout.shards))["shards"]
    assert [shard["estimated_windows"] for shard in shards] == [s.estimated_records for s in made.shards.shards]
    part = json.loads(store.get(layout.partition(0)))
    assert all(case["estimated_windows"] == 6 for case in part["cases"])


def test_what_a_worker_reads_does_not_grow_with_the_cohort() -> None:
    sizes = []
    for cases in (30, 300):
        store, made = stored_plan(cases, partitions=cases // 3)
        sizes.append(max(len(store.get(RunLayout(made.request.run_id).partition(number))) for number in range(5)))
    assert sizes[1] <= sizes[0] + 100  # longer numbers, that is all


def cases_of_another_partition(content: dict[str, Any]) -> None:
    content["cases"].pop()


def another_partition(content: dict[str, Any]) -> None:
    content["partition"] += 1


def another_plan(content: dict[str, Any]) -> None:
    content["plan_sha256"] = "0" * 64


def no_shards(content: dict[str, Any]) -> None:
    del content["shards"]


@pytest.mark.parametrize("damage", [cases_of_another_partition, another_partition, another_plan, no_shards])
def test_a_damaged_partition_is_not_worked(damage: Callable[[dict[str, Any]], None]) -> None:
    store, made = stored_plan()
    key = RunLayout(made.request.run_id).partition(0)
    content = json.loads(store.get(key))
    damage(content)
    store.put(key, json.dumps(content).encode())
    with pytest.raises(IntegrityError, match="plan_damaged") as caught:
        read_partition(store, made.request, 0)
    assert caught.value.where == key


def test_a_missing_partition_is_a_damaged_plan() -> None:
    store, made = stored_plan()
    with pytest.raises(IntegrityError, match=r"4\.json: missing \[plan_damaged\]"):
        read_partition(store, made.request, 4)


def test_a_partition_of_another_kind_is_told_by_its_field() -> None:
    store, made = stored_plan()
    store.put(RunLayout(made.request.run_id).partition(0), b"{}")
    with pytest.raises(IntegrityError) as caught:
        read_partition(store, made.request, 0)
    assert caught.value.what == "partition: missing"


def test_a_planner_that_ended_early_is_taken_up_with_its_partitions() -> None:
    store, made = stored_plan(partitions=2)
    layout = RunLayout(made.request.run_id)
    store.delete(layout.request)
    store.put(layout.partition(1), b"half a wor")
    write_plan(store, make_plan(ToyWorkload({"cases": 23}), None, {}, checked_options(shard_cases=3, partitions=7)))
    assert read_plan(store, made.request.run_id) == made
    assert [len(read_partition(store, made.request, number).shards.shards) for number in range(2)] == [
        len(made.shards_of(number)) for number in range(2)
    ]


def test_the_digest_of_a_plan_is_that_of_one_json_list() -> None:
    _, made = stored_plan()
    # A case's own side is told by the plan's, so that it is no part of its text. The estimate has the design's name:
    # the digest of a plan that another version stored is worked out again when the run is taken up.
    other = {"estimated_records": "estimated_windows"}
    cases = [
        {other.get(name, name): value for name, value in asdict(e.case).items() if name != "split"} for e in made.cases
    ]
    content = [[case, entry.split, entry.shard] for case, entry in zip(cases, made.cases, strict=True)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert plan_digest(made.cases) == made.request.plan_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert plan_digest([]) == hashlib.sha256(b"[]").hexdigest()
