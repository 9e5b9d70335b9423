"""What is collected of the commit records, and how much of it is held."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from core.run.assemble import READERS, build_metadata, in_order, read_commits
from core.run.commit import read_commit
from core.workloads.vitaldb.features import FEATURE_NAMES
from core.workloads.vitaldb.patient import STATIC_NAMES
from core.workloads.vitaldb.quality import run_figures
from tests.toy_bench import Bench

NAMES = dict.fromkeys(FEATURE_NAMES, 0)


def figures(case: int) -> dict[str, Any]:
    return {
        "profile": "ab"[case % 2],
        "seconds": 10 * case,
        "observed_seconds": {**NAMES, "HR": 4 * case},
        "below_range_seconds": {**NAMES, "HR": case},
        "above_range_seconds": NAMES,
        "cleaned": {"rule": case},
        "static_imputed": ["age"] if case % 2 else [],
        "units": {"track": [f"unit {case % 2}"]},
    }


def with_figures(bench: Bench, size: int = 0) -> None:
    """Give every commit record figures, as the workload vitaldb would, and every third case only a loss report."""
    for shard in bench.shards():
        record = read_commit(bench.store, bench.layout, shard)
        assert record is not None
        own = {
            case.case_id: {"loss": {}} if case.case_number % 3 == 0 else figures(case.case_number) | {"pad": "x" * size}
            for case in record.cases
        }
        changed = record.model_copy(update={"figures": own, "histograms": {"HR": [1, 2, 3]}})
        bench.store.put(bench.layout.commit(shard), changed.to_bytes())


def test_figures_come_back_in_order_and_histograms_as_a_sum() -> None:
    bench = Bench()
    bench.work()
    with_figures(bench)
    commits = read_commits(bench.store, bench.plan)
    numbers = [case.case_number for record in commits for case in record.cases]
    wanted = [figures(number) if number % 3 else {"loss": {}} for number in numbers]
    assert [{name: found[name] for name in found if name != "pad"} for found in commits.figures] == wanted
    assert len(commits.figures) == len(wanted)
    assert {name: value for name, value in commits.figures[1].items() if name != "pad"} == wanted[1]
    assert commits.histograms["HR"].tolist() == [count * len(commits) for count in (1, 2, 3)]
    assert [record.shard for record in commits] == bench.shards()
    assert not any(record.figures or record.histograms for record in commits)


def test_entries_are_those_of_the_records() -> None:
    bench = Bench(failed=[2])
    bench.work()
    for record in read_commits(bench.store, bench.plan):
        stored = read_commit(bench.store, bench.layout, record.shard)
        assert stored is not None
        assert record.cases == stored.cases
        assert record.to_bytes() == stored.model_copy(update={"figures": {}, "histograms": {}}).to_bytes()


def test_figures_are_not_held_as_they_are_read() -> None:
    bench = Bench()
    bench.work()
    with_figures(bench, size=300_000)
    tracemalloc.start()
    try:
        commits = read_commits(bench.store, bench.plan)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(commits.figures) * 300_000 > 2_000_000
    assert held < 500_000


def test_the_metadata_are_those_of_a_list() -> None:
    # A case that failed before its signals were read has nothing to add.
    found = run_figures(iter([figures(1), figures(2), {"loss": {}}, figures(4)]), {"HR": np.arange(52)})
    assert found["cases_read"] == 3
    assert found["seconds"] == 70
    assert found["profiles"] == {"a": 2, "b": 1}
    assert found["features"]["HR"] == {
        "observed_share": 28 / 70, "clipped_below_share": 7 / 28, "clipped_above_share": 0.0, "cases_with_signal": 3,
    }  # fmt: skip
    assert found["features"]["BIS"]["cases_with_signal"] == 0
    assert found["cases_without_ventilator"] == 3
    assert found["static_imputed_cases"] == {**dict.fromkeys(STATIC_NAMES, 0), "age": 1}
    assert found["cleaned_samples"] == {"rule": 7}
    assert found["units_seen"] == {"track": ["unit 0", "unit 1"]}
    assert run_figures([], {})["features"]["HR"]["observed_share"] == 0.0


def test_build_metadata_takes_what_was_collected() -> None:
    bench = Bench()
    bench.work()
    assert build_metadata(bench.plan, bench.workload, read_commits(bench.store, bench.plan))["run_id"]


def test_results_come_in_order_and_few_wait() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        return number * number

    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, work, range(100))
        assert next(results) == 0
        assert len(begun) <= READERS
        assert list(results) == [number * number for number in range(1, 100)]
