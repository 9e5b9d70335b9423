"""Reads the documents of a run; what is missing or damaged is told in the report instead of stopping it."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from core.cost.estimate import EstimateOutcome
from core.cost.report import CostReport
from core.errors import IntegrityError
from core.report.model import DocumentLine
from core.run.assemble import READERS, in_order
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import (
    Attempt,
    CaseEntry,
    CommitRecord,
    Document,
    Heartbeat,
    Json,
    RunRequest,
    ShardPlan,
    Split,
    Success,
    Verification,
    Worker,
)
from core.run.plan import Plan
from core.run.plan_store import read_plan, read_request
from core.run.report import RunReport
from core.store import Store
from core.wrong_values import why_unreadable

Kind = TypeVar("Kind", bound=Document)


@dataclass(frozen=True)
class ShardFacts:
    """What the report needs of a commit record, without its figures."""

    shard: str
    split: Split
    records: int
    bytes: int
    cases: tuple[CaseEntry, ...]
    made_by: Worker


class CaseFigures(Iterable[tuple[str, Json]]):
    """The quality figures by case id, to be gone through again and again; compressed shard by shard meanwhile."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []

    def add(self, figures: dict[str, Json]) -> None:
        """Append those of one shard's cases."""
        self._packed.append(zlib.compress(json.dumps(list(figures.items()), separators=(",", ":")).encode(), 1))

    def __iter__(self) -> Iterator[tuple[str, Json]]:
        for packed in self._packed:
            yield from json.loads(zlib.decompress(packed))


@dataclass
class RunDocuments:
    """A run as its store tells it. ``problems``: documents that are there and cannot be read."""

    request: RunRequest
    plan: Plan | None = None
    shards: list[ShardFacts] = field(default_factory=list)
    figures: CaseFigures = field(default_factory=CaseFigures)
    histograms: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    verification: Verification | None = None
    success: Success | None = None
    attempts: list[Attempt] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    cost: CostReport | None = None
    estimate: EstimateOutcome | None = None
    report: RunReport | None = None
    read: list[DocumentLine] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def planned(self) -> ShardPlan | None:
        """The planned shards."""
        return self.plan.shards if self.plan else None


def read_documents(store: Store, run_id: str) -> RunDocuments:
    """Everything that is there.

    Raises
    ------
    BadRequestError
        ``no_run``: there is no such run here.
    IntegrityError
        ``plan_damaged``: ``run.json`` itself cannot be read.
    TransientError, FatalError
        The storage itself.
    """
    layout = RunLayout(run_id)
    documents = RunDocuments(read_request(store, run_id))
    reader = _Reader(store, layout, documents)
    reader.note(layout.request)
    try:
        documents.plan = read_plan(store, run_id)
        reader.note(layout.cases)
        reader.note(layout.shards)
    except IntegrityError as error:
        documents.problems.append(str(error))
    documents.verification = reader.one(layout.verification, Verification)
    documents.success = reader.one(DataSetLayout.named(documents.request.data_set).success, Success)
    documents.cost = reader.one(layout.cost, CostReport)
    documents.estimate = reader.one(layout.estimate, EstimateOutcome)
    documents.report = reader.one(layout.report_document, RunReport)
    documents.attempts = reader.all(f"{layout.root}/attempts", Attempt)
    documents.heartbeats = reader.all(layout.progress, Heartbeat)
    reader.commits()
    return documents


@dataclass
class _Reader:
    store: Store
    layout: RunLayout
    documents: RunDocuments

    def note(self, key: str) -> bytes | None:
        """The document, noted as read; None where there is none."""
        try:
            data = self.store.get(key)
        except FileNotFoundError:
            return None
        name = key.removeprefix(f"{self.layout.root}/")
        self.documents.read.append(DocumentLine(name, len(data), hashlib.sha256(data).hexdigest()))
        return data

    def one(self, key: str, kind: type[Kind]) -> Kind | None:
        """A document that may be missing."""
        data = self.note(key)
        if data is None:
            return None
        try:
            return kind.model_validate_json(data)
        except ValidationError as error:
            self.documents.problems.append(f"{key} cannot be read: {why_unreadable(error)}")
            return None

    def all(self, folder: str, kind: type[Kind]) -> list[Kind]:
        """Every document of a folder, in the order of their names."""
        found: list[Kind] = []
        keys = sorted(item.key for item in self.store.list(folder))
        size = 0
        with ThreadPoolExecutor(READERS) as pool:
            for key, data in zip(keys, in_order(pool, self._get, keys), strict=True):
                try:
                    found.append(kind.model_validate_json(data))
                    size += len(data)
                except ValidationError:
                    self.documents.problems.append(f"{key} cannot be read")
        if found:
            self._group(folder, len(found), size)
        return found

    def commits(self) -> None:
        """The commit records in the order of the plan, one after the other: those of a large cohort fill gigabytes."""
        found = {item.key: item.size for item in self.store.list(self.layout.commits)}
        planned = self.documents.planned
        order = [self.layout.commit(item.shard) for item in planned.shards] if planned else sorted(found)
        keys = [key for key in order if key in found]
        with ThreadPoolExecutor(READERS) as pool:
            for key, record in zip(keys, in_order(pool, self._commit, keys), strict=True):
                if record is None:
                    self.documents.problems.append(f"{key} cannot be read")
                else:
                    self._add(record)
        if keys:
            self._group(self.layout.commits, len(keys), sum(found[key] for key in keys))

    def _get(self, key: str) -> bytes:
        return self.store.get(key)

    def _commit(self, key: str) -> CommitRecord | None:
        try:
            return CommitRecord.model_validate_json(self.store.get(key))
        except ValueError:
            return None

    def _add(self, record: CommitRecord) -> None:
        documents = self.documents
        documents.shards.append(
            ShardFacts(record.shard, record.split, record.records, record.bytes, record.cases, record.made_by)
        )
        documents.figures.add(record.figures)
        for name, counts in record.histograms.items():
            total = documents.histograms.setdefault(name, np.zeros(len(counts), np.int64))
            total += np.array(counts, np.int64)

    def _group(self, folder: str, count: int, size: int) -> None:
        name = folder.removeprefix(f"{self.layout.root}/")
        self.documents.read.append(DocumentLine(f"{name}/ ({count:,} documents)", size))
