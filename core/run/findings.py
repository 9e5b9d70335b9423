"""Verification in groups: what one function found of its shards, written down so that another can rely on it.

A finding holds for what was read. It is believed later only while everything that it depends on is the same: the run,
the code that verified, the shard's entry as its commit record gives it, and the object itself by its size and tag,
which change whenever it is written anew. Findings are a note to ourselves, not a signature: whoever may write the run's
documents may also write ``_SUCCESS``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import Field, NonNegativeInt, ValidationError

from core.code_version import code_version
from core.errors import BadRequestError, IntegrityError, TransientError
from core.run.commit import read_commit
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import CommitRecord, Document, Json, Manifest, RunRequest, ShardEntry, ShardPlan
from core.run.plan_store import read_request
from core.run.progress import READERS, read_shards
from core.run.verify_groups import groups_of
from core.run.verify_shard import MOST_PROBLEMS, SHARD_CHECKS, ShardFindings, verify_shard
from core.store import ObjectInfo, Store
from core.workload import Workload
from core.wrong_values import why_unreadable


class ShardFinding(Document):
    """What was found of one shard; ``size`` and ``e_tag`` are None where its object is missing.

    ``figures`` are the workload's, of its records; nothing where it does not audit.
    """

    shard: str
    entry_sha256: str
    size: int | None
    e_tag: str | None
    content_sha256: str
    records: int
    problems: dict[str, tuple[str, ...]]
    figures: Json = Field(default_factory=dict)


class GroupFindings(Document):
    """``verification/<group>.json``; ``sha256`` is of all the rest, so that damage shows."""

    run_id: str
    group: NonNegativeInt
    request_sha256: str
    code_version: str
    shards: tuple[ShardFinding, ...]
    sha256: str = ""

    @property
    def problems(self) -> int:
        """How many problems were found, in all shards."""
        return sum(len(found) for shard in self.shards for found in shard.problems.values())

    def digest(self) -> str:
        """What ``sha256`` should be."""
        return hashlib.sha256(self.model_dump_json(exclude={"sha256"}).encode()).hexdigest()


@dataclass(frozen=True)
class Believed:
    """The shards whose findings hold, and of the others why theirs do not."""

    findings: Mapping[str, ShardFindings]
    refused: Mapping[str, str]


def verify_group(
    store: Store, run_id: str, group: int, build_workload: Callable[[str, Json], Workload]
) -> GroupFindings:
    """Read every shard of the group back, write down what was found, in place of earlier findings.

    Raises
    ------
    BadRequestError
        ``no_run``; ``unknown_group``: the run has fewer.
    TransientError
        ``shards_missing``: a shard is not committed.
    IntegrityError
        ``plan_damaged``, ``commit_damaged``.
    """
    request, shards = read_request(store, run_id), read_shards(store, run_id)
    groups = groups_of(request, shards.shards)
    if not 0 <= group < len(groups):
        raise BadRequestError("unknown_group", f"there is no group {group} of {len(groups)}", where=f"run {run_id}")
    workload = build_workload(request.workload, request.configuration)
    found = GroupFindings(
        run_id=run_id,
        group=group,
        request_sha256=_request_digest(request),
        code_version=code_version(),
        shards=tuple(_verify(store, request, workload, shard) for shard in groups[group]),
    )
    found = found.model_copy(update={"sha256": found.digest()})
    store.put(RunLayout(run_id).group_findings(group), found.to_bytes())
    return found


def entry_of(record: CommitRecord) -> ShardEntry:
    """The shard's entry in the manifest.

    Raises
    ------
    IntegrityError
        ``commit_damaged``: it names no shard or leads out of the data set.
    """
    try:
        return ShardEntry(**record.model_dump(include=set(ShardEntry.model_fields)))
    except ValidationError as error:
        raise IntegrityError("commit_damaged", why_unreadable(error), where=record.shard) from error


def believable(
    store: Store, request: RunRequest, shards: ShardPlan, manifest: Manifest, objects: Mapping[str, ObjectInfo]
) -> Believed:
    """The findings that still hold; ``objects`` is a listing of the data set made after they were written."""
    layout, data_set = RunLayout(request.run_id), DataSetLayout.named(request.data_set)
    groups = groups_of(request, shards.shards)
    entries = {entry.shard: entry for entry in manifest.shards}
    digest = _request_digest(request)
    findings: dict[str, ShardFindings] = {}
    refused: dict[str, str] = {}
    with ThreadPoolExecutor(READERS) as pool:
        documents = pool.map(lambda group: _read(store, layout.group_findings(group)), range(len(groups)))
        for group, (names, document) in enumerate(zip(groups, documents, strict=True)):
            why = _why_not_group(document, group, names, request.run_id, digest)
            if why or document is None:
                refused |= dict.fromkeys(names, why)
                continue
            for item in document.shards:
                entry = entries.get(item.shard)
                why = (
                    "it has no entry" if entry is None else _why_not(item, entry, objects.get(data_set.key(entry.path)))
                )
                if why:
                    refused[item.shard] = why
                else:
                    findings[item.shard] = _as_found(item)
    return Believed(findings, refused)


def _verify(store: Store, request: RunRequest, workload: Workload, shard: str) -> ShardFinding:
    record = read_commit(store, RunLayout(request.run_id), shard)
    if record is None:
        raise TransientError(
            "shards_missing", f"{shard} is not committed", where=f"run {request.run_id}", fix="Start the run again."
        )
    entry = entry_of(record)
    if entry.shard != shard:
        raise IntegrityError("commit_damaged", f"the record of {shard} speaks of {entry.shard}", where=shard)
    key = DataSetLayout.named(request.data_set).key(entry.path)
    # The tag first: an object that is replaced between the two calls gives a finding that nobody will believe.
    info = store.head(key)
    try:
        data = store.get(key)
    except FileNotFoundError:
        info, data = None, None
    found = verify_shard(data, entry, request.schema_, request.compression, workload)
    return ShardFinding(
        shard=shard,
        entry_sha256=_entry_digest(entry),
        size=info.size if info else None,
        e_tag=info.e_tag if info else None,
        content_sha256=found.content_sha256,
        records=found.records,
        problems={check: tuple(problems[:MOST_PROBLEMS]) for check, problems in found.problems.items()},
        figures=found.figures,
    )


def _read(store: Store, key: str) -> GroupFindings | None:
    try:
        return GroupFindings.model_validate_json(store.get(key))
    except (FileNotFoundError, ValidationError):
        return None


def _why_not_group(
    found: GroupFindings | None, group: int, names: tuple[str, ...], run_id: str, request_sha256: str
) -> str:
    """Why the document is not believed; empty where it is."""
    if found is None:
        return "there are no findings that can be read"
    if found.sha256 != found.digest():
        return "the findings were changed after they were written"
    if (found.run_id, found.group, found.request_sha256) != (run_id, group, request_sha256):
        return "the findings are those of another run or group"
    if found.code_version != code_version():
        return f"the findings are those of other code, {found.code_version}"
    if tuple(item.shard for item in found.shards) != names:
        return "the findings are of other shards"
    return ""


def _why_not(found: ShardFinding, entry: ShardEntry, info: ObjectInfo | None) -> str:
    if found.entry_sha256 != _entry_digest(entry):
        return "its commit record is another one than when it was verified"
    if (found.size, found.e_tag) != ((info.size, info.e_tag) if info else (None, None)):
        return "its object changed after it was verified"
    if info is not None and info.e_tag is None:
        return "the storage does not tell whether its object changed"
    sound = (entry.bytes, entry.content_sha256, entry.records) == (found.size, found.content_sha256, found.records)
    if found.problems.keys() - set(SHARD_CHECKS) or not (found.problems or sound):
        return "the findings contradict themselves"
    return ""


def _as_found(item: ShardFinding) -> ShardFindings:
    return ShardFindings(
        shard=item.shard,
        content_sha256=item.content_sha256,
        records=item.records,
        bytes=item.size or 0,
        problems={check: list(problems) for check, problems in item.problems.items()},
        figures=item.figures,
    )


def _entry_digest(entry: ShardEntry) -> str:
    return hashlib.sha256(entry.model_dump_json().encode()).hexdigest()


def _request_digest(request: RunRequest) -> str:
    return hashlib.sha256(request.to_bytes()).hexdigest()
