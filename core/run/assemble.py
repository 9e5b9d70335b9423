"""From the plan and the commit records to the documents of the data set."""

from __future__ import annotations

import json
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import TransientError
from core.run.commit import read_commit
from core.run.layout import RunLayout
from core.run.models import SPLITS, CaseEntry, CommitRecord, Json, Manifest, PlannedShard, ShardEntry, SplitDocument
from core.run.plan import Plan
from core.run.split import TARGET_TWENTIETHS, groups_by_split
from core.run.verify import count_splits, record_shares, root_hash, success_rate
from core.store import Store
from core.workload import Workload

Given = TypeVar("Given")
Result = TypeVar("Result")

READERS = 8
"""Commit records read at the same time: what counts on S3 is the waiting."""


_CASE_FIELDS = set(CaseEntry.model_fields)
"""Shared by all entries: a set for each would take more than all else of them."""


class Commits(list[CommitRecord]):
    """Commit records in the order of the plan, without figures and histograms: those of a large cohort fill gigabytes.

    ``figures`` are packed, ``histograms`` (int64 [bins] by name) are summed over all shards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.figures = PackedFigures()
        self.histograms: dict[str, NDArray[np.int64]] = {}

    def add(self, record: CommitRecord, figures: ShardFigures) -> None:
        """Append a record with its figures."""
        cases = tuple(CaseEntry.model_construct(_CASE_FIELDS, **vars(case)) for case in record.cases)
        self.append(record.model_copy(update={"figures": {}, "histograms": {}, "cases": cases}))
        self.figures.add(figures)
        for name, counts in record.histograms.items():
            total = self.histograms.setdefault(name, np.zeros(len(counts), np.int64))
            total += np.array(counts, np.int64)


@dataclass(frozen=True)
class ShardFigures:
    """The figures of a shard's cases in their order, packed, and of how many."""

    data: bytes
    count: int

    @classmethod
    def of(cls, record: CommitRecord) -> ShardFigures:
        """Pack those of a commit record."""
        figures = [record.figures[case.case_id] for case in record.cases if case.case_id in record.figures]
        return cls(zlib.compress(json.dumps(figures, separators=(",", ":")).encode(), 1), len(figures))


class PackedFigures(Sequence[Json]):
    """The cases' quality figures, to be gone through from first to last; compressed shard by shard meanwhile."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._count = 0

    def add(self, packed: ShardFigures) -> None:
        """Append those of one shard."""
        self._packed.append(packed.data)
        self._count += packed.count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Json]:
        for packed in self._packed:
            yield from json.loads(zlib.decompress(packed))

    def __getitem__(self, index: Any) -> Any:
        """One or some of them; unpacks all."""
        return list(self)[index]


def read_commits(store: Store, plan: Plan, partly: bool = False) -> Commits:
    """Every shard's commit record, in the order of the plan; ``partly``: those that are there.

    Raises
    ------
    TransientError
        ``shards_missing``: some shards are not committed yet.
    """
    layout = RunLayout(plan.request.run_id)

    def read(shard: PlannedShard) -> tuple[CommitRecord, ShardFigures] | None:
        record = read_commit(store, layout, shard.shard)
        return None if record is None else (record, ShardFigures.of(record))

    commits, missing = Commits(), []
    with ThreadPoolExecutor(READERS) as pool:
        for shard, found in zip(plan.shards.shards, in_order(pool, read, plan.shards.shards), strict=True):
            if found is None:
                missing.append(shard.shard)
            else:
                commits.add(*found)
    if missing and not partly:
        raise TransientError(
            "shards_missing",
            f"{len(missing)} of {len(plan.shards.shards)} shards are not committed, the first is {missing[0]}",
            where=layout.root,
            fix="Run the same command again; committed shards are kept.",
        )
    return commits


def in_order(pool: Executor, function: Callable[[Given], Result], given: Iterable[Given]) -> Iterator[Result]:
    """As ``pool.map``, with few results that wait to be taken: of thousands, all would be held."""
    ahead: deque[Future[Result]] = deque()
    for item in given:
        ahead.append(pool.submit(function, item))
        if len(ahead) >= READERS:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def build_manifest(plan: Plan, commits: Sequence[CommitRecord], needs_workload: bool = False) -> Manifest:
    """``manifest.json`` as the commit records tell it."""
    request = plan.request
    shards = tuple(
        ShardEntry(**{name: getattr(record, name) for name in ShardEntry.model_fields}) for record in commits
    )
    cases = [case for shard in shards for case in shard.cases]
    return Manifest(
        name=request.data_set,
        run_id=request.run_id,
        workload=request.workload,
        needs_workload=needs_workload,
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
    thresholds = plan.request.thresholds
    groups = (
        groups_by_split((entry.case.group for entry in plan.cases), thresholds)
        if thresholds
        else {side: tuple(sorted({e.case.group for e in plan.cases if e.split == side})) for side in SPLITS}
    )
    sides = Counter(group for found in groups.values() for group in found)
    twice = tuple(sorted(group for group, count in sides.items() if count > 1))
    return SplitDocument(
        thresholds=thresholds,
        targets={split: TARGET_TWENTIETHS[split] / 20 for split in SPLITS},
        shares=record_shares(manifest),
        groups=groups,
        disjoint=not twice,
        groups_on_two_sides=twice,
        cases={entry.case.id: entry.shard for entry in plan.cases},
    )


def build_metadata(plan: Plan, workload: Workload, commits: Commits, audit: Json | None = None) -> Json:
    """``preprocessing_metadata.json``: the workload's part, what made it, and what its audit reports."""
    request = plan.request
    return {
        "workload": request.workload,
        "code_version": request.code_version,
        "run_id": request.run_id,
        "configuration": request.configuration,
        "notes": list(request.notes),
        **workload.metadata(commits.figures, commits.histograms),
        **({"audit": audit} if audit else {}),
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
