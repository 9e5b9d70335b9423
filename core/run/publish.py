"""Verification of a run, and publication of its data set; ``_SUCCESS`` comes last and from here only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from core.errors import BadRequestError, IntegrityError
from core.run.assemble import build_manifest, build_split_document, quarantine_lines, read_commits
from core.run.audit import Audit, judge_records, needs_workload
from core.run.documents import data_set_documents, sealed_documents
from core.run.findings import believable
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import Check, Json, Manifest, ShardEntry, SplitDocument, Success, Verification
from core.run.plan import Plan
from core.run.verify import make_check, verify_data_set
from core.run.verify_shard import ShardFindings, verify_shard
from core.store import Store
from core.workload import Workload
from core.wrong_values import why_unreadable

WHERE_DATA_SETS_ARE = "A data set is the folder datasets/NAME of a finished run: give OUT/datasets/NAME."
MANIFEST_MARK = b'"casemill-data-set/'
"""In every manifest, so that one that is damaged can be told from a file that merely has its name."""


@dataclass(frozen=True)
class Publication:
    """What a run came to."""

    verification: Verification
    manifest: Manifest


Trust = Literal["nothing", "findings", "findings only"]
"""Whether shards are read back here; or those whose findings (:mod:`core.run.findings`) do not hold; or none, and then
every shard must have findings that do."""


def publish(store: Store, plan: Plan, workload: Workload, workers: int = 1, trust: Trust = "nothing") -> Publication:
    """Verify every shard of a finished run; where all checks hold, write the documents and then ``_SUCCESS``.

    ``verification.json`` and ``quarantine.jsonl`` are written either way. Where a check fails, an earlier ``_SUCCESS``
    is taken back.

    Raises
    ------
    TransientError
        Shards are missing: the run is not finished.
    IntegrityError
        What was just written does not read back as it should. ``findings_missing``: with ``findings only``, some shards
        have none that hold.
    """
    commits = read_commits(store, plan)
    manifest = build_manifest(plan, commits, needs_workload(workload))
    split = build_split_document(plan, manifest)
    run, data_set = RunLayout(plan.request.run_id), DataSetLayout.named(plan.request.data_set)
    findings = _findings(store, plan, data_set, manifest, workload, workers, trust)
    audit = judge_records(workload, (item.figures for item in findings))
    strangers = _sweep(store, data_set, manifest)
    verification = verify_data_set(manifest, split, findings, split.cases, strangers, audit=audit)
    store.put(run.verification, verification.to_bytes())
    store.put(run.quarantine, quarantine_lines(commits))
    if verification.passed:
        _seal(store, data_set, manifest, data_set_documents(plan, workload, manifest, split, commits, audit.figures))
    else:
        withdraw(store, data_set)
    return Publication(verification, manifest)


def withdraw(store: Store, data_set: DataSetLayout) -> bool:
    """Take back the ``_SUCCESS`` of a data set that was published once and has been spoiled since: nobody may go on
    taking it for verified. Whether there was one."""
    if store.head(data_set.success) is None:
        return False
    store.delete(data_set.success)
    return True


def _findings(
    store: Store,
    plan: Plan,
    data_set: DataSetLayout,
    manifest: Manifest,
    workload: Workload,
    workers: int,
    trust: Trust,
) -> list[ShardFindings]:
    if trust == "nothing":
        return verify_shards(store, data_set, manifest, workers, workload)
    objects = {item.key: item for item in store.list(data_set.root)}
    believed = believable(store, plan.request, plan.shards, manifest, objects)
    rest = [shard for shard in manifest.shards if shard.shard not in believed.findings]
    if rest and trust == "findings only":
        why = believed.refused.get(rest[0].shard, "nobody verified it")
        raise IntegrityError(
            "findings_missing",
            f"{len(rest)} of {len(manifest.shards)} shards have no findings that hold; {rest[0].shard}: {why}",
            where=f"run {plan.request.run_id}",
            fix="Start the run again; it verifies every shard anew.",
        )
    left = manifest.model_copy(update={"shards": tuple(rest)})
    read = verify_shards(store, data_set, left, workers, workload)
    found = {**believed.findings, **{item.shard: item for item in read}}
    return [found[shard.shard] for shard in manifest.shards]


def verify_published(
    store: Store, workers: int = 1, build_workload: Callable[[str, Json], Workload] | None = None
) -> tuple[Verification, Manifest]:
    """Verify a data set by what stands in its folder alone; ``store`` is opened there.

    Where the verification needs the workload and ``build_workload`` does not know it, a check says so and fails.

    Raises
    ------
    BadRequestError
        ``not_a_data_set``: there is nothing to verify here.
    IntegrityError
        ``no_manifest``: the data set has no manifest that can be read, so that nothing can be checked.
    """
    data_set = DataSetLayout("")
    manifest, split = read_documents(store, data_set)
    workload, trouble = _workload_of(store, data_set, manifest, split, build_workload)
    findings = verify_shards(store, data_set, manifest, workers, workload)
    strangers = _strangers(store, data_set, manifest)
    seal = check_seal(store, data_set, manifest)
    audit = judge_records(workload, (item.figures for item in findings)) if workload else Audit(tuple(trouble))
    return verify_data_set(manifest, split, findings, split.cases, strangers, [seal], audit), manifest


def _workload_of(
    store: Store,
    data_set: DataSetLayout,
    manifest: Manifest,
    split: SplitDocument,
    build_workload: Callable[[str, Json], Workload] | None,
) -> tuple[Workload | None, list[Check]]:
    """The workload that the verification needs, or the check that it cannot be had; neither where none is needed."""
    if not (manifest.needs_workload or split.thresholds is None):
        return None, []
    try:
        if build_workload is None:
            raise BadRequestError("unknown_workload", "no workload is known here")
        configuration = json.loads(store.get(data_set.key("preprocessing_metadata.json")))["configuration"]
        workload = build_workload(manifest.workload, configuration)
    except (BadRequestError, FileNotFoundError, LookupError, TypeError, ValueError) as error:
        what = error.what if isinstance(error, BadRequestError) else "preprocessing_metadata.json does not tell it"
        problem = f"the records cannot be judged without the workload {manifest.workload!r}: {what}"
        return None, [make_check("workload", [problem], "")]
    if needs_workload(workload):
        return workload, []
    return None, [make_check("workload", [f"{manifest.workload!r} judges no records, the manifest says it does"], "")]


def verify_shards(
    store: Store, data_set: DataSetLayout, manifest: Manifest, workers: int = 1, workload: Workload | None = None
) -> list[ShardFindings]:
    """Every shard of the manifest, read back. Threads suffice: hashing and inflating let go of the interpreter."""

    def check(entry: ShardEntry) -> ShardFindings:
        try:
            data = store.get(data_set.key(entry.path))
        except FileNotFoundError:
            data = None
        return verify_shard(data, entry, manifest.schema_, manifest.compression, workload)

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        return list(pool.map(check, manifest.shards))


def read_success(store: Store, data_set: DataSetLayout) -> Success | None:
    """``_SUCCESS``, or None where there is none that can be read."""
    try:
        return Success.model_validate_json(store.get(data_set.success))
    except (FileNotFoundError, ValidationError):
        return None


def read_documents(store: Store, data_set: DataSetLayout) -> tuple[Manifest, SplitDocument]:
    """The manifest and the split of a data set.

    Raises
    ------
    BadRequestError
        ``not_a_data_set``: nothing says that there ever was one.
    IntegrityError
        ``no_manifest``: there is one, and a document of it is missing or cannot be read.
    """
    try:
        manifest = Manifest.model_validate_json(store.get(data_set.manifest))
        split = SplitDocument.model_validate_json(store.get(data_set.split))
    except (FileNotFoundError, ValidationError) as error:
        if not _is_data_set(store, data_set):
            raise BadRequestError(
                "not_a_data_set", "this is no data set", where=store.uri, fix=WHERE_DATA_SETS_ARE
            ) from None
        what = f"manifest.json or split.json: {why_unreadable(error)}"
        raise IntegrityError("no_manifest", what, where=store.uri, fix=WHERE_DATA_SETS_ARE) from error
    return manifest, split


def _is_data_set(store: Store, data_set: DataSetLayout) -> bool:
    """Whether anything here is a data set's own, though it may be damaged: what was lost must not look like a typing
    error of who asks."""
    if store.head(data_set.owner) is not None or read_success(store, data_set) is not None:
        return True
    try:
        return MANIFEST_MARK in store.get(data_set.manifest)
    except FileNotFoundError:
        return False


def _seal(store: Store, data_set: DataSetLayout, manifest: Manifest, documents: Mapping[str, bytes]) -> None:
    if any(_stored(store, data_set.key(name)) != content for name, content in documents.items()):
        # Whoever is stopped between the documents leaves no _SUCCESS that vouches for some of them only.
        withdraw(store, data_set)
    for name, content in documents.items():
        store.put(data_set.key(name), content)
    for name, content in documents.items():
        if store.get(data_set.key(name)) != content:
            raise IntegrityError("not_read_back", "does not read back as written", where=data_set.key(name))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in documents.items()}
    success = Success(run_id=manifest.run_id, root_hash=manifest.root_hash, sha256=digests)
    store.put(data_set.success, success.to_bytes())


def _stored(store: Store, key: str) -> bytes | None:
    try:
        return store.get(key)
    except FileNotFoundError:
        return None


def check_seal(store: Store, data_set: DataSetLayout, manifest: Manifest) -> Check:
    """Whether ``_SUCCESS`` vouches for the documents as they are; no shard is read."""
    success = read_success(store, data_set)
    if success is None:
        return make_check("seal", ["there is no readable _SUCCESS: nobody vouches for this data set"], "")
    problems = list(_broken_seals(store, data_set, sealed_documents(manifest.format), success.sha256))
    if success.root_hash != manifest.root_hash:
        problems.append("_SUCCESS vouches for another root hash than the manifest's")
    return make_check("seal", problems, f"_SUCCESS vouches for {len(success.sha256)} documents, unchanged since")


def _broken_seals(
    store: Store, data_set: DataSetLayout, names: Sequence[str], digests: Mapping[str, str]
) -> Iterator[str]:
    for name in names:
        if name not in digests:
            yield f"_SUCCESS does not vouch for {name}"
            continue
        try:
            content = store.get(data_set.key(name))
        except FileNotFoundError:
            yield f"{name} is missing"
            continue
        if hashlib.sha256(content).hexdigest() != digests[name]:
            yield f"{name} was changed after verification"


def _sweep(store: Store, data_set: DataSetLayout, manifest: Manifest) -> Sequence[str]:
    """Remove what killed processes left of shards and documents, which other tools would take for shards; the
    strangers that are left. What a rival is writing just now is none: a duplicate, or the same documents."""
    known = _known_keys(data_set, manifest)
    others = []
    for key, finished in store.unfinished(data_set.root).items():
        if finished in known:
            store.remove_unfinished(key)
        else:
            others.append(key)
    return [*_listed_strangers(store, data_set, known), *others]


def _strangers(store: Store, data_set: DataSetLayout, manifest: Manifest) -> Sequence[str]:
    found = _listed_strangers(store, data_set, _known_keys(data_set, manifest))
    return [*found, *store.unfinished(data_set.root)]


def _listed_strangers(store: Store, data_set: DataSetLayout, known: Collection[str]) -> Sequence[str]:
    return [item.key for item in store.list(data_set.root) if item.key not in known]


def _known_keys(data_set: DataSetLayout, manifest: Manifest) -> set[str]:
    names = (*(shard.path for shard in manifest.shards), *sealed_documents(manifest.format), "_SUCCESS", "run_id")
    return {data_set.key(name) for name in names}
