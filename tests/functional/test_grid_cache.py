"""Runs with the grid cache: the same data set and the same commit records with a cold, a warm and no cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.errors import TransientError
from core.run.case_cache import CacheUse, open_cache
from core.run.commit import read_commit
from core.run.layout import RunLayout
from core.run.plan import checked_options, make_plan
from core.run.plan_store import write_plan
from core.run.publish import publish
from core.run.source import open_source
from core.run.worker import PartitionWorker
from core.store import open_store
from core.workloads.registry import build_workload
from core.workloads.vitaldb.demo.cohort import write_demo_cohort
from core.workloads.vitaldb.demo.truth import CaseTruth, read_truth
from tests.s3_server import s3_server
from tests.tiny_recordings import SHORT_WINDOWS, TinyCohort, write_cohort


@dataclass(frozen=True)
class Worked:
    """What one run left behind."""

    root_hash: str
    records: list[dict[str, Any]]
    recalled: int
    bytes_in: int
    remark: str

    @property
    def content(self) -> tuple[str, list[dict[str, Any]]]:
        return self.root_hash, self.records


class Bench:
    """A cohort, a cache, and runs of one partition in this process, each into a location of its own."""

    def __init__(self, source: str, clinical: str, folder: Path, cache: str, cases: str = "all") -> None:
        self.source, self.clinical, self.folder, self.cache, self.cases = source, clinical, folder, cache, cases
        self.runs = 0

    def run(self, settings: dict[str, Any] | None = None, cache: str | None = "", recall: bool = True) -> Worked:
        """``cache`` is the bench's own where it is empty, and None for none."""
        self.runs += 1
        store = open_store(self.folder / f"out-{self.runs}", create=True)
        workload, source = build_workload("vitaldb", settings or {}), open_source(self.source)
        selection = {"cases": self.cases, "clinical": self.clinical, "where": None}
        # One partition, so that it can be worked here.
        options = checked_options(data_set="d", shard_cases=7, success_threshold=0.0, partitions=1)
        plan = make_plan(workload, source, selection, options)
        write_plan(store, plan)
        use = None if cache is None else CacheUse(cache or self.cache, recall)
        report = PartitionWorker(store, plan, workload, source, 0, cache=open_cache(use)).run()
        assert report.why == "finished"
        # As they are stored: read together they come without their figures.
        layout = RunLayout(plan.request.run_id)
        records = [record for shard in plan.shards.shards if (record := read_commit(store, layout, shard.shard))]
        assert len(records) == len(plan.shards.shards)
        assert sum(record.made_by.recalled for record in records) == report.recalled
        return Worked(
            root_hash=publish(store, plan, workload).verification.root_hash,
            records=[record.model_dump(mode="json", exclude={"made_by"}) for record in records],
            recalled=report.recalled,
            bytes_in=sum(record.made_by.bytes_in for record in records),
            remark=report.remark,
        )


FEW_WINDOWS = {"step_s": 1200}


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, int]:
    """A few cases of every kind of end that the known faults make, missing ones too; and how many are there."""
    folder = tmp_path_factory.mktemp("faulty")
    write_demo_cohort(folder, 4, 3, waveforms=False, faults=True)
    kinds: dict[Any, list[CaseTruth]] = {}
    for truth in read_truth(folder / "ground_truth.json"):
        kinds.setdefault((truth.outcome, truth.reason, tuple(truth.flags)), []).append(truth)
    truths = [truth for kind in kinds.values() for truth in kind[:2]]
    cases = ",".join(truth.case_id for truth in truths)
    place = str(folder / "vital_files")
    bench = Bench(place, str(folder / "clinical_data.csv"), folder, str(folder / "cache"), cases)
    return bench, sum(truth.reason != "not_found" for truth in truths)


@pytest.fixture
def tiny(tmp_path: Path) -> Bench:
    """Six cases that a test may change."""
    cohort = write_cohort(tmp_path / "cohort", 6, suffix=".vital")
    return Bench(str(cohort.source), str(cohort.clinical), tmp_path, str(tmp_path / "cache"))


def test_every_outcome_is_the_same_cold_warm_and_without(faulty: tuple[Bench, int]) -> None:
    bench, present = faulty
    absent, cold, warm = bench.run(FEW_WINDOWS, cache=None), bench.run(FEW_WINDOWS), bench.run(FEW_WINDOWS)
    assert absent.content == cold.content == warm.content
    assert (absent.recalled, cold.recalled, warm.recalled) == (0, 0, present)
    assert absent.bytes_in == cold.bytes_in > 0
    assert warm.bytes_in == 0
    outcomes = {(case["outcome"], case["reason"]) for record in warm.records for case in record["cases"]}
    assert {("done", ""), ("empty", ""), ("failed", "unreadable"), ("failed", "no_signal")} <= outcomes
    assert {("failed", "unknown_unit"), ("failed", "not_found")} <= outcomes
    flags = {flag for record in warm.records for case in record["cases"] for flag in case["flags"]}
    assert flags == {"truncated", "static_imputed"}


def test_other_windows_need_no_recording(tiny: Bench) -> None:
    tiny.run()
    for settings in ({"window_s": 60}, {"step_s": 7}, {"horizon_s": 0}, {"window_s": 600}):
        warm = tiny.run(settings)
        assert (warm.recalled, warm.bytes_in) == (6, 0)
        assert warm.content == tiny.run(settings, cache=None).content


def test_the_recordings_may_be_unreadable_by_then(tiny: Bench) -> None:
    """The same name, size, time and inode, and not a byte of the content."""
    expected = tiny.run({"window_s": 120})
    tiny.run(SHORT_WINDOWS)
    for path in Path(tiny.source).iterdir():
        before = path.stat()
        with path.open("r+b") as file:
            file.write(bytes(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    warm = tiny.run({"window_s": 120})
    assert (warm.content, warm.recalled, warm.bytes_in) == (expected.content, 6, 0)


def test_whoever_changes_the_weights_changes_the_doses(tiny: Bench) -> None:
    tiny.run(SHORT_WINDOWS)
    table = Path(tiny.clinical)
    table.write_bytes(table.read_bytes().replace(b",170,70,", b",170,90,", 2))
    changed = tiny.run(SHORT_WINDOWS)
    assert changed.recalled == 4
    assert changed.content == tiny.run(SHORT_WINDOWS, cache=None).content


def test_whoever_changes_the_age_only_does_not(tiny: Bench) -> None:
    tiny.run(SHORT_WINDOWS)
    table = Path(tiny.clinical)
    table.write_bytes(table.read_bytes().replace(b",31,F,", b",,F,").replace(b",31,M,", b",,M,"))
    changed = tiny.run(SHORT_WINDOWS)
    assert changed.recalled == 6
    assert changed.content == tiny.run(SHORT_WINDOWS, cache=None).content
    imputed = [figures["static_imputed"] for record in changed.records for figures in record["figures"].values()]
    assert ["age", "bmi"] in imputed


def damage(path: Path, how: str, other: Path) -> None:
    data = path.read_bytes()
    changed = {
        "flipped": data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
        "cut": data[: len(data) // 2],
        "empty": b"",
        "foreign": b"GIF89a" + bytes(1000),
        "another case's": other.read_bytes(),
    }
    path.write_bytes(changed[how])


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "foreign", "another case's"])
def test_damaged_entries_are_worked_out_afresh(tiny: Bench, how: str) -> None:
    cold = tiny.run(SHORT_WINDOWS)
    kept = entries(Path(tiny.cache))
    before = [path.read_bytes() for path in kept]
    assert len(kept) == 6
    for path, other in zip(kept[:3], kept[3:], strict=True):
        damage(path, how, other)
    again = tiny.run(SHORT_WINDOWS)
    assert (again.content, again.recalled) == (cold.content, 3)
    assert [path.read_bytes() for path in kept] == before
    assert tiny.run(SHORT_WINDOWS).recalled == 6


def test_a_changed_recording_is_read(tiny: Bench) -> None:
    tiny.run(SHORT_WINDOWS)
    recordings = sorted(Path(tiny.source).iterdir())
    shutil.copyfile(recordings[4], recordings[1])
    changed = tiny.run(SHORT_WINDOWS)
    assert (changed.recalled, changed.bytes_in) == (5, recordings[1].stat().st_size)
    assert changed.content == tiny.run(SHORT_WINDOWS, cache=None).content


def test_other_profile_or_concentration_reads_the_recordings(tiny: Bench) -> None:
    tiny.run(SHORT_WINDOWS)
    for more in ({"profiles": "vitaldb"}, {"concentrations": {"Orchestra/PPF20_RATE": 10.0}}):
        other = tiny.run({**SHORT_WINDOWS, **more})
        assert other.recalled == 0
        assert other.content == tiny.run({**SHORT_WINDOWS, **more}, cache=None).content
        assert tiny.run({**SHORT_WINDOWS, **more}).recalled == 6
    assert len(entries(Path(tiny.cache))) == 18


def test_names_of_entries_say_nothing(tiny: Bench) -> None:
    tiny.run(SHORT_WINDOWS)
    for path in entries(Path(tiny.cache)):
        assert path.parent.name == path.name[:2]
        assert len(bytes.fromhex(path.name)) == 32


def test_a_cache_that_fails_fails_nothing(tiny: Bench, tmp_path: Path) -> None:
    expected = tiny.run(SHORT_WINDOWS, cache=None)
    (tmp_path / "file").write_text("")
    failed = tiny.run(SHORT_WINDOWS, cache=str(tmp_path / "file"))
    assert (failed.content, failed.recalled) == (expected.content, 0)
    assert "bad_location" in failed.remark
    # Where an entry should go, a folder stands: it can be neither read nor written.
    tiny.run(SHORT_WINDOWS)
    first = entries(Path(tiny.cache))[0]
    first.unlink()
    (first / "in the way").mkdir(parents=True)
    blocked = tiny.run(SHORT_WINDOWS)
    assert blocked.content == expected.content


def test_the_command_line_and_its_workers(command: Callable[..., Any], tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "cohort", 3)
    arguments = ["run", *cohort.options(), "--workers", 1, "--grid-cache", tmp_path / "new" / "cache"]
    cold = command(*arguments, "--out", tmp_path / "one", "--json")
    assert (cold.code, cold.json["recalled_cases"], cold.json["remarks"]) == (0, 0, [])
    warm = command(*arguments, "--out", tmp_path / "two")
    assert warm.code == 0
    assert "3 cases from the grid cache" in warm.out
    assert cold.json["root_hash"] in warm.out
    # The cache is no part of the run's name, so that a start without it takes up what one with it has left.
    assert command("plan", *cohort.options(), "--dry-run", "--json").json["run_id"] == cold.json["run_id"]
    (tmp_path / "file").write_text("")
    refused = command(*arguments[:-1], tmp_path / "file", "--out", tmp_path / "three")
    assert refused.code == 64
    assert "[bad_location]" in refused.err
    assert not (tmp_path / "three").exists()


def test_a_rehearsal_fills_it_and_measures_without_it(
    command: Callable[..., Any], tiny: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[CacheUse] = []

    def execute(*arguments: Any) -> None:
        asked.append(arguments[-1])
        raise TransientError("machine", "enough seen")

    monkeypatch.setattr("core.run.rehearsal.execute", execute)
    cohort = TinyCohort(Path(tiny.source), Path(tiny.clinical))
    answer = command("rehearse", *cohort.options(), "--out", tmp_path / "rehearsed", "--grid-cache", tiny.cache)
    assert answer.code == 75, answer.err
    assert asked == [CacheUse(tiny.cache, recall=False)]
    for _ in range(2):
        filled = tiny.run(SHORT_WINDOWS, recall=asked[0].recall)
        assert (filled.recalled, len(entries(Path(tiny.cache)))) == (0, 6)
    assert tiny.run(SHORT_WINDOWS).recalled == 6


def test_on_a_bucket_nothing_is_downloaded_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = write_cohort(tmp_path / "cohort", 9, suffix=".vital")
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        bucket, client = server.new_bucket(), server.client()
        for path in cohort.source.iterdir():
            client.put_object(Bucket=bucket, Key=f"recordings/{path.name}", Body=path.read_bytes())
        place = f"s3://{bucket}"
        bench = Bench(f"{place}/recordings", str(cohort.clinical), tmp_path, f"{place}/cache")
        absent, cold, warm = (bench.run(SHORT_WINDOWS, cache=cache) for cache in (None, "", ""))
        assert absent.content == cold.content == warm.content
        assert (cold.recalled, warm.recalled, warm.bytes_in, warm.remark) == (0, 9, 0, "")
        kept = client.list_objects_v2(Bucket=bucket, Prefix="cache/")["Contents"]
        assert len(kept) == 9
        client.put_object(Bucket=bucket, Key=kept[3]["Key"], Body=b"rubbish")
        again = bench.run(SHORT_WINDOWS)
        assert (again.content, again.recalled) == (absent.content, 8)
        assert again.bytes_in in {path.stat().st_size for path in cohort.source.iterdir()}
        newer = (cohort.source / "0001.vital").read_bytes()
        client.put_object(Bucket=bucket, Key="recordings/0005.vital", Body=newer)
        changed = bench.run(SHORT_WINDOWS)
        assert (changed.recalled, changed.bytes_in) == (8, len(newer))
        assert changed.content == bench.run(SHORT_WINDOWS, cache=None).content
