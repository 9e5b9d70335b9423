"""From the plan and the commit records to the documents of the data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import TransientError
from core.run.commit import read_commit
from core.run.layout import RunLayout
from core.run.models import SPLITS, CommitRecord, Json, Manifest, ShardEntry, SplitDocument
from core.run.plan import Plan
from core.run.split import TARGET_TWENTIETHS, groups_by_split
from core.run.verify import count_splits, record_shares, root_hash, success_rate
from core.store import Store
from core.workload import Workload


def read_commits(store: Store, plan: Plan) -> list[CommitRecord]:
    """Every shard's commit record, in the order of the plan.

    Raises
    ------
    TransientError
        ``shards_missing``: some shards are not committed yet.
    """
    layout = RunLayout(plan.request.run_id)
    found = [(shard.shard, read_commit(store, layout, shard.shard)) for shard in plan.shards.shards]
    missing = [shard for shard, record in found if record is None]
    if missing:
        raise TransientError(
            "shards_missing",
            f"{len(missing)} of {len(found)} shards are not committed, the first is {missing[0]}",
            where=layout.root,
            fix="Run the same command again; committed shards are kept.",
        )
    return [record for _, record in found if record is not None]


def build_manifest(plan: Plan, commits: Sequence[CommitRecord]) -> Manifest:
    """``manifest.json`` as the commit records tell it."""
    request = plan.request
    shards = tuple(ShardEntry(**record.model_dump(include=set(ShardEntry.model_fields))) for record in commits)
    cases = [case for shard in shards for case in shard.cases]
    return Manifest(
        name=request.data_set,
        run_id=request.run_id,
        workload=request.workload,
        code_version=request.code_version,
        compression=request.compression,
        root_hash=root_hash(request.schema_, ((shard.shard, shard.content_sha256) for shard in shards)),
        schema_=request.schema_,
        outcomes=dict(sorted(Counter(case.outcome.value for case in cases).items())),
        reasons=dict(sorted(Counter(case.reason for case in cases if case.reason).items())),
        planned_cases=len(plan.cases),
        records=sum(shard.records for shard in shards),
        success_rate=success_rate(cases),
        success_threshold=request.success_threshold,
        splits=count_splits(shards),
        shards=shards,
    )


def build_split_document(plan: Plan, manifest: Manifest) -> SplitDocument:
    """``split.json`` as the plan tells it, with the shares that came out."""
    groups = groups_by_split((entry.case.group for entry in plan.cases), plan.request.thresholds)
    sides = Counter(group for found in groups.values() for group in found)
    twice = tuple(sorted(group for group, count in sides.items() if count > 1))
    return SplitDocument(
        thresholds=plan.request.thresholds,
        targets={split: TARGET_TWENTIETHS[split] / 20 for split in SPLITS},
        shares=record_shares(manifest),
        groups=groups,
        disjoint=not twice,
        groups_on_two_sides=twice,
        cases={entry.case.id: entry.shard for entry in plan.cases},
    )


def build_metadata(plan: Plan, workload: Workload, commits: Sequence[CommitRecord]) -> Json:
    """``preprocessing_metadata.json``: the workload's part, and what made it."""
    figures = [
        record.figures[case.case_id] for record in commits for case in record.cases if case.case_id in record.figures
    ]
    # A case that failed before its signals were read has no figures to add up.
    counted = [figure for figure in figures if "seconds" in figure]
    totals: dict[str, NDArray[np.int64]] = {}
    for record in commits:
        for name, counts in record.histograms.items():
            total = totals.setdefault(name, np.zeros(len(counts), np.int64))
            total += np.array(counts, np.int64)
    request = plan.request
    return {
        "workload": request.workload,
        "code_version": request.code_version,
        "run_id": request.run_id,
        "configuration": request.configuration,
        "notes": list(request.notes),
        **workload.metadata(counted, totals),
    }


def quarantine_lines(commits: Sequence[CommitRecord]) -> bytes:
    """``quarantine.jsonl``: the failed cases with their reasons, one a line."""
    lines = [
        case.model_dump_json(include={"case_id", "outcome", "reason", "detail", "flags"}) + "\n"
        for record in commits
        for case in record.cases
        if case.reason
    ]
    return "".join(lines).encode()
