"""Reading a side from its documents: a published data set, a run that published one, or a run that has not yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from core.compare.drift import Histogram
from core.compare.side import CaseState, Effort, Feature, Side
from core.cost.report import CostReport
from core.errors import BadRequestError, CasemillError, IntegrityError
from core.run.assemble import Commits, build_metadata, read_commits
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import Attempt, CaseEntry, Json, Manifest, RunRequest, SplitDocument, Verification
from core.run.plan import Plan
from core.run.plan_store import read_plan, read_request
from core.run.publish import check_seal, read_documents, read_success
from core.run.verify import root_hash
from core.store import Store, open_store
from core.workload import Workload

WorkloadFactory = Callable[[str, Json], Workload]
READERS = 8


class StoredHistogram(BaseModel):
    """A histogram as ``preprocessing_metadata.json`` has it (:meth:`core.workload.Workload.metadata`)."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    minimum: float
    maximum: float
    unit: str = ""
    below: NonNegativeInt = 0
    bins: tuple[NonNegativeInt, ...] = Field(min_length=1, max_length=100_000)
    above: NonNegativeInt = 0


def read_side(location: str, build_workload: WorkloadFactory) -> Side:
    """A data set (``OUT/datasets/NAME``) or a run (``OUT/runs/RUN_ID``) by its documents; no shard is read.

    ``build_workload`` is asked only for a run that has published nothing.

    Raises
    ------
    BadRequestError
        ``not_comparable``: neither of the two. And as :func:`core.store.open_store`.
    IntegrityError
        ``no_manifest``, ``plan_damaged`` or ``commit_damaged``: a document cannot be read.
    """
    store = open_store(location)
    if store.head("manifest.json") is not None:
        return _of_data_set(store, location)
    if store.head("run.json") is not None:
        return _of_run(store, location, build_workload)
    raise BadRequestError(
        "not_comparable",
        "neither a data set nor a run: there is no manifest.json and no run.json",
        where=location,
        fix="Give OUT/datasets/NAME or OUT/runs/RUN_ID.",
    )


def _of_data_set(store: Store, location: str) -> Side:
    manifest, split = read_documents(store, DataSetLayout(""))
    output = _output_of(store.uri, "datasets")
    remarks: list[str] = []
    request, effort = None, Effort()
    if output is None or output.head(RunLayout(manifest.run_id).request) is None:
        remarks.append(f"its run {manifest.run_id} is not beside it: time, cost and source are unknown")
    else:
        request = _request(output, manifest.run_id, remarks)
        effort = _effort(output, RunLayout(manifest.run_id), remarks)
    return _published(store, location, "data set", manifest, split, request, effort, remarks)


def _of_run(store: Store, location: str, build_workload: WorkloadFactory) -> Side:
    output = _output_of(store.uri, "runs")
    if output is None:
        raise BadRequestError(
            "bad_run", "not a run's folder", where=location, fix="Give OUT/runs/RUN_ID, as the run wrote it."
        )
    run_id = store.uri.rpartition("/")[2]
    request = read_request(output, run_id)
    remarks: list[str] = []
    effort = _effort(output, RunLayout(run_id), remarks)
    data_set = DataSetLayout.named(request.data_set)
    success = read_success(output, data_set)
    if success is not None and success.run_id == run_id:
        folder = open_store(f"{output.uri}/{data_set.root}")
        manifest, split = read_documents(folder, DataSetLayout(""))
        return _published(folder, location, "run", manifest, split, request, effort, remarks)
    return _unpublished(output, location, read_plan(output, run_id), build_workload, effort, remarks)


def _output_of(uri: str, kind: str) -> Store | None:
    """The output location of ``OUT/<kind>/NAME``; None where the folder was moved out of one."""
    output, _, _ = uri.rpartition("/")
    output, slash, last = output.rpartition("/")
    return open_store(output or "/") if slash and last == kind else None


def _published(
    store: Store,
    location: str,
    kind: str,
    manifest: Manifest,
    split: SplitDocument,
    request: RunRequest | None,
    effort: Effort,
    remarks: list[str],
) -> Side:
    seal = check_seal(store, DataSetLayout(""), manifest)
    metadata = _metadata(store, remarks)
    configuration = metadata.get("configuration")
    return Side(
        location=location,
        kind="run" if kind == "run" else "data set",
        name=manifest.name,
        run_id=manifest.run_id,
        workload=manifest.workload,
        code_version=manifest.code_version,
        root_hash=manifest.root_hash,
        schema=manifest.schema_,
        configuration=configuration if isinstance(configuration, dict) else None,
        settings={
            "compression": manifest.compression.value,
            "success_threshold": manifest.success_threshold,
            "thresholds": split.thresholds.model_dump(mode="json") if split.thresholds else None,
            **_run_settings(request),
        },
        cases={case.case_id: _state(case, shard.split) for shard in manifest.shards for case in shard.cases},
        features=features_of(metadata, remarks),
        effort=effort,
        doubts=() if seal.passed else seal.problems,
        remarks=tuple(remarks),
    )


def _unpublished(
    output: Store, location: str, plan: Plan, build_workload: WorkloadFactory, effort: Effort, remarks: list[str]
) -> Side:
    request = plan.request
    commits = read_commits(output, plan, partly=True)
    found = {case.case_id: _state(case, record.split) for record in commits for case in record.cases}
    cases = {
        entry.case.id: found.get(entry.case.id) or CaseState(entry.case.group, entry.split, "open", "", 0)
        for entry in plan.cases
    }
    whole = len(commits) == len(plan.shards.shards)
    hashes = ((record.shard, record.content_sha256) for record in commits)
    return Side(
        location=location,
        kind="run",
        name=request.data_set,
        run_id=request.run_id,
        workload=request.workload,
        code_version=request.code_version,
        root_hash=root_hash(request.schema_, hashes) if whole else None,
        schema=request.schema_,
        configuration=request.configuration,
        settings={
            "compression": request.compression.value,
            "success_threshold": request.success_threshold,
            "thresholds": request.thresholds.model_dump(mode="json") if request.thresholds else None,
            **_run_settings(request),
        },
        cases=cases,
        features=features_of(_metadata_of_commits(plan, commits, build_workload, remarks), remarks),
        effort=effort,
        doubts=_doubts(output, plan, len(commits)),
        remarks=tuple(remarks),
    )


def _state(case: CaseEntry, split: str) -> CaseState:
    return CaseState(case.group, split, case.outcome.value, case.reason, case.records)  # type: ignore[arg-type]


def _run_settings(request: RunRequest | None) -> Json:
    if request is None:
        return {}
    names = {"shard_cases", "source", "selection", "largest_case_bytes", "image_digest", "source_licence"}
    return request.model_dump(mode="json", include=names)


def _doubts(output: Store, plan: Plan, committed: int) -> tuple[str, ...]:
    shards = len(plan.shards.shards)
    if committed < shards:
        return (f"unfinished: {committed} of {shards} shards are committed",)
    try:
        verification = Verification.model_validate_json(output.get(RunLayout(plan.request.run_id).verification))
    except FileNotFoundError:
        return ("finished, and nobody has verified it yet",)
    except ValidationError:
        return ("its verification.json cannot be read",)
    failed = [f"{check.name}: {check.detail}" for check in verification.checks if not check.passed]
    return tuple(failed) or ("its data set was withdrawn, or the name went to another run",)


def _request(output: Store, run_id: str, remarks: list[str]) -> RunRequest | None:
    try:
        return read_request(output, run_id)
    except IntegrityError:
        remarks.append(f"run.json of {run_id} cannot be read: the source is unknown")
        return None


def _effort(output: Store, layout: RunLayout, remarks: list[str]) -> Effort:
    keys = [item.key for item in output.list(f"{layout.root}/attempts")]
    with ThreadPoolExecutor(READERS) as pool:
        documents = list(pool.map(output.get, keys))
    try:
        attempts = [Attempt.model_validate_json(document) for document in documents]
    except ValidationError:
        remarks.append("an attempt's record cannot be read: the time is unknown")
        attempts = []
    cost = _cost(output, layout, remarks)
    priced = {"cost_usd": cost.total_usd, "cost_complete": cost.complete} if cost else {}
    if not attempts:
        return Effort.model_validate(priced)
    return Effort(
        attempts=len(attempts),
        reclaimed=sum(attempt.why == "reclaimed" for attempt in attempts),
        worker_seconds=sum(attempt.ended - attempt.started for attempt in attempts),
        elapsed_seconds=max(attempt.ended for attempt in attempts) - min(attempt.started for attempt in attempts),
        **priced,
    )


def _cost(output: Store, layout: RunLayout, remarks: list[str]) -> CostReport | None:
    try:
        return CostReport.model_validate_json(output.get(layout.cost))
    except FileNotFoundError:
        return None
    except ValidationError:
        remarks.append("cost.json cannot be read: the cost is unknown")
        return None


def _metadata(store: Store, remarks: list[str]) -> Json:
    try:
        content = json.loads(store.get("preprocessing_metadata.json"))
    except FileNotFoundError:
        remarks.append("preprocessing_metadata.json is missing: configuration and distributions are unknown")
        return {}
    except ValueError:
        content = None
    if not isinstance(content, dict):
        remarks.append("preprocessing_metadata.json cannot be read: configuration and distributions are unknown")
        return {}
    return content


def _metadata_of_commits(plan: Plan, commits: Commits, build_workload: WorkloadFactory, remarks: list[str]) -> Json:
    request = plan.request
    try:
        return build_metadata(plan, build_workload(request.workload, request.configuration), commits)
    except CasemillError as error:
        remarks.append(f"the distributions are unknown: {error.what}")
        return {}


def features_of(metadata: Mapping[str, object], remarks: list[str]) -> dict[str, Feature]:
    """The features that the metadata's ``quality`` tells of, in its order; what cannot be read is remarked."""
    quality = metadata.get("quality")
    parts = quality if isinstance(quality, dict) else {}
    stored, figures = (part if isinstance(part, dict) else {} for part in map(parts.get, ("histograms", "features")))
    found: dict[str, Feature] = {}
    for name in dict.fromkeys([*stored, *figures]):
        histogram = None
        if name in stored:
            try:
                histogram = _histogram(StoredHistogram.model_validate(stored[name]))
            except ValidationError:
                remarks.append(f"the histogram of {name} cannot be read")
        found[str(name)] = Feature(histogram, _numbers(figures.get(name)))
    return found


def _histogram(stored: StoredHistogram) -> Histogram:
    counts = np.array([stored.below, *stored.bins, stored.above], np.int64)
    return Histogram(stored.minimum, stored.maximum, stored.unit, counts)


def _numbers(figures: object) -> dict[str, float]:
    pairs = figures.items() if isinstance(figures, dict) else ()
    return {str(name): value for name, value in pairs if isinstance(value, int | float)}
