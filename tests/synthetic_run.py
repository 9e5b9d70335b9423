"""A run of any size whose documents are written without working a case: figures as of real recordings, reclaims,
failures, costs. Only the cases that the viewer shows have recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from core.cost.account import account
from core.cost.occupied import occupied_times
from core.cost.prices import PriceBook
from core.report.viewing import sample_ids
from core.run.assemble import build_manifest
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import (
    Attempt,
    CaseEntry,
    Check,
    CommitRecord,
    Manifest,
    Place,
    PlannedShard,
    Success,
    Verification,
    Worker,
)
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.source import StoreSource
from core.run.verify import make_check
from core.store import open_store
from core.workload import Case, Cohort, Outcome, Source
from core.workloads.vitaldb.demo.cohort import write_demo_cohort
from core.workloads.vitaldb.features import FEATURES
from core.workloads.vitaldb.quality import HISTOGRAM_BINS
from core.workloads.vitaldb.workload import VitaldbWorkload

CHECKS = (
    "shard objects", "checksums", "records", "content hash", "values", "provenance", "root hash", "cases", "counts",
    "split", "shares", "success rate",
)  # fmt: skip
STARTED = 1_700_000_000.0
RECORDINGS = 4
ODD = ("0100", "1200", "2999")
"""Cases that were made odd, where the cohort is large enough."""


class SyntheticWorkload(VitaldbWorkload):
    """The real workload, with a cohort out of nothing; each subject has one or two cases."""

    def __init__(self, cases: int) -> None:
        super().__init__({})
        self.cases = cases

    def cohort(self, source: Source | None, selection: Mapping[str, Any]) -> Cohort:
        return Cohort(
            tuple(
                Case(
                    f"{number:04d}",
                    number,
                    f"{number * 17 // 18}",
                    number * 17 // 18,
                    f"{number:04d}.vital",
                    1 << 24,
                    300,
                )
                for number in range(1, self.cases + 1)
            )
        )


@dataclass(frozen=True)
class SyntheticRun:
    """Where it stands, and what its data set's manifest would say."""

    output: Path
    run_id: str
    manifest: Manifest

    @property
    def location(self) -> str:
        return f"{self.output}/runs/{self.run_id}"


def write_synthetic_run(folder: Path, cases: int = 3000, *, failed_share: float = 0.01) -> SyntheticRun:
    """Write it below ``folder``; where more than 5 % fail, its verification does too."""
    source, output = folder / "recordings", folder / "out"
    source.mkdir(parents=True)
    store = open_store(output, create=True)
    workload = SyntheticWorkload(cases)
    options = PlanOptions(shard_cases=50, partitions=8, data_set=f"synthetic-{cases}")
    plan = make_plan(workload, StoreSource(open_store(source)), {}, options)
    write_plan(store, plan)
    layout = RunLayout(plan.request.run_id)
    random = np.random.default_rng(7)
    commits = [_commit(plan, shard, random, failed_share) for shard in plan.shards.shards]
    for commit in commits:
        store.put(layout.commit(commit.shard), commit.to_bytes())
    manifest = build_manifest(plan, commits)
    attempts = list(_attempts(plan))
    for attempt in attempts:
        store.put(layout.attempt(attempt.partition, attempt.attempt), attempt.to_bytes())
    times = occupied_times([(attempt, attempt.place) for attempt in attempts], [], STARTED)
    cost = account(plan.request.run_id, times, PriceBook(), cases=cases)
    # Prices are looked up elsewhere; here a figure is enough.
    cost = cost.model_copy(update={"total_usd": Decimal("4.2099"), "usd_per_case": Decimal("0.0014")})
    store.put(layout.cost, cost.to_bytes())
    passed = manifest.success_rate >= manifest.success_threshold
    checks = tuple(_check(name, manifest, passed) for name in CHECKS)
    verification = Verification(
        data_set=manifest.name, run_id=manifest.run_id, passed=passed, root_hash=manifest.root_hash, checks=checks
    )
    store.put(layout.verification, verification.to_bytes())
    if passed:
        success = Success(run_id=manifest.run_id, root_hash=manifest.root_hash, sha256={})
        store.put(DataSetLayout.named(manifest.name).success, success.to_bytes())
    done = [case.case_id for shard in manifest.shards for case in shard.cases if case.outcome is Outcome.DONE]
    _write_recordings(folder / "demo", source, [*sample_ids(done), *ODD])
    return SyntheticRun(output, plan.request.run_id, manifest)


def _check(name: str, manifest: Manifest, passed: bool) -> Check:
    rate = f"{manifest.success_rate:.1%} of the cases succeeded, wanted {manifest.success_threshold:.1%}"
    return make_check(name, [rate] if name == "success rate" and not passed else [], f"{manifest.records:,} records")


def _commit(plan: Plan, shard: PlannedShard, random: np.random.Generator, failed_share: float) -> CommitRecord:
    entries, figures = [], {}
    totals = {feature.name: np.zeros(HISTOGRAM_BINS + 2, np.int64) for feature in FEATURES}
    for planned in plan.cases_of(shard.shard):
        case = planned.case
        failed = case.id not in ODD and random.random() < failed_share
        empty = case.id not in ODD and not failed and random.random() < 0.002
        outcome = Outcome.FAILED if failed else Outcome.EMPTY if empty else Outcome.DONE
        seconds = 200 if empty else int(random.integers(3600, 20_000))
        windows = (seconds - 330) // 30 + 1 if outcome is Outcome.DONE else 0
        reason = str(random.choice(["not_found", "no_signal", "unreadable"])) if failed else ""
        entries.append(
            CaseEntry(
                case_id=case.id, case_number=case.number, group=case.group, group_number=case.group_number,
                outcome=outcome, reason=reason, detail="made up" if failed else "", records=windows,
            )
        )  # fmt: skip
        if not failed:
            figures[case.id] = _figures(case.id, seconds, windows, random)
        for feature in FEATURES:
            middle = HISTOGRAM_BINS // 2 + int(random.integers(-6, 6))
            totals[feature.name] += np.bincount(
                np.clip(random.normal(middle, 6, 60).astype(int), 0, HISTOGRAM_BINS + 1), minlength=HISTOGRAM_BINS + 2
            )
    number = int(shard.shard.rpartition("-")[2])
    digest = hashlib.sha256(shard.shard.encode()).hexdigest()
    return CommitRecord(
        shard=shard.shard,
        split=shard.split,
        path=f"{shard.split}/{shard.shard}.tfrecord.gz",
        content_sha256=digest,
        object_sha256=digest,
        bytes=9_000_000 + number,
        records=sum(entry.records for entry in entries),
        cases=tuple(entries),
        figures=figures,
        histograms={name: counts.tolist() for name, counts in totals.items()},
        made_by=Worker(
            partition=shard.partition, attempt=1, seconds=40.0, bytes_in=50 * (1 << 24),
            case_seconds={entry.case_id: round(0.5 + len(entry.case_id) / 100, 3) for entry in entries},
        ),
    )  # fmt: skip


def _figures(case_id: str, seconds: int, windows: int, random: np.random.Generator) -> dict[str, Any]:
    odd = case_id in ODD
    share = {feature.name: float(random.uniform(0.9, 1.0)) for feature in FEATURES}
    if odd:
        share["HR"] = 0.05
    observed = {name: int(seconds * part) for name, part in share.items()}
    nothing = {feature.name: 0 for feature in FEATURES}
    clipped = {**nothing, "BP_SYS": observed["BP_SYS"] // (2 if odd else 200)}
    return {
        "profile": "vitaldb",
        "windows": windows,
        "seconds": seconds,
        "observed_seconds": observed,
        "below_range_seconds": nothing,
        "above_range_seconds": clipped,
        "cleaned": {"Solar8000/HR: out of bounds": int(seconds * 0.01)},
        "samples": {"Solar8000/HR": seconds // 2, "BIS/BIS": seconds},
        "units": {},
        "static_imputed": [],
        "loss": {"largest_gap_s": 5.0, "records_kept": seconds},
    }


def _attempts(plan: Plan) -> list[Attempt]:
    """Eight workers; two lose their machine, and one of them crashes after that."""
    found = []
    for partition in range(plan.shards.partitions):
        why = {2: ["reclaimed", "finished"], 5: ["reclaimed", "crashed", "finished"]}.get(partition, ["finished"])
        start = STARTED + 11.0 * partition
        for number, end in enumerate(why, start=1):
            length = 1500.0 if end == "finished" else 600.0
            found.append(
                Attempt.model_validate(
                    {
                        "partition": partition, "attempt": number, "started": start, "ended": start + length,
                        "why": end,
                        "detail": "spot notice" if end == "reclaimed" else "", "cases": 375, "shards": 8,
                        "place": Place(instance_type="m6i.large", zone="eu-west-1a", capacity="spot", processors=2,
                                       host_processors=2).model_dump(),
                    }
                )
            )  # fmt: skip
            start += length + 60.0
    return found


def _write_recordings(demo: Path, source: Path, case_ids: Sequence[str]) -> None:
    write_demo_cohort(demo, RECORDINGS, 7, False, False, lambda done, total: None)
    made = sorted((demo / "vital_files").iterdir())
    for place, case_id in enumerate(case_ids):
        (source / f"{case_id}.vital").write_bytes(made[place % len(made)].read_bytes())
