"""The plan in the store, written once. Arrow is imported where the case table is: workers do without it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from core.errors import BadRequestError, IntegrityError
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import Json, RunRequest, ShardPlan
from core.run.partition import write_partitions
from core.run.plan import Plan, PlannedCase
from core.run.rivals import what_differs
from core.store import Store
from core.workload import STORED_ESTIMATE, Case
from core.wrong_values import why_unreadable

if TYPE_CHECKING:
    import pyarrow as pa

AFRESH = "Start the run afresh: remove its folder, or give another --name."
ROWS_AT_ONCE = 4096
"""Rows of the case table that are Python objects at the same time."""


def write_plan(store: Store, plan: Plan) -> None:
    """Write the plan and claim the data set's name; a plan that is already there is left alone.

    ``run.json`` comes last: a run without it was never planned.

    Raises
    ------
    BadRequestError
        ``name_taken``: the data set's name belongs to another run.
    IntegrityError
        ``plan_damaged``: the shards that are there are not those of this plan.
    """
    request = plan.request
    layout = RunLayout(request.run_id)
    claim_name(store, request)
    if store.head(layout.request) is not None:
        return
    store.put_if_absent(layout.cases, _cases_to_parquet(plan))
    if not store.put_if_absent(layout.shards, plan.shards.to_bytes()):
        plan = replace(plan, shards=_stored_shards(store, plan))
    write_partitions(store, plan)
    store.put_if_absent(layout.request, request.to_bytes())


def plan_parts(plan: Plan) -> tuple[tuple[str, bytes], ...]:
    """Key and content of the cases and of the shards, as :func:`write_plan` writes them."""
    layout = RunLayout(plan.request.run_id)
    return (layout.cases, _cases_to_parquet(plan)), (layout.shards, plan.shards.to_bytes())


def _stored_shards(store: Store, plan: Plan) -> ShardPlan:
    """The shards as they were planned first: the same, but perhaps in other partitions."""
    run_id = plan.request.run_id
    stored = read_shard_plan(store, run_id)
    if {shard.shard: shard.cases for shard in stored.shards} != {s.shard: s.cases for s in plan.shards.shards}:
        raise _damaged(RunLayout(run_id).root, "the stored shards are not those of these cases")
    return stored


def read_shard_plan(store: Store, run_id: str) -> ShardPlan:
    """``plan/shards.json``; ``plan_damaged`` where it is missing or cannot be read."""
    key = RunLayout(run_id).shards
    try:
        return ShardPlan.model_validate_json(store.get(key))
    except (FileNotFoundError, ValueError) as error:
        raise _damaged(key, why_unreadable(error)) from error


def claim_name(store: Store, request: RunRequest) -> None:
    """Make the data set's name this run's own; errors as :func:`write_plan`."""
    key = DataSetLayout.named(request.data_set).owner
    if store.put_if_absent(key, (request.run_id + "\n").encode()):
        return
    owner = store.get(key).decode().strip()
    if owner != request.run_id:
        raise BadRequestError(
            "name_taken",
            f"the data set {request.data_set!r} belongs to run {owner}, this run is {request.run_id}"
            + _difference(store, owner, request),
            where=store.uri,
            fix="Give another --name, or remove the old data set.",
        )


def _difference(store: Store, owner: str, request: RunRequest) -> str:
    try:
        names = what_differs(read_request(store, owner), request)
    except (BadRequestError, IntegrityError):
        return ""  # the error is that the name is taken, whoever its run was
    return f"; they differ in: {', '.join(names)}"


def read_request(store: Store, run_id: str) -> RunRequest:
    """``run.json`` of a run.

    Raises
    ------
    BadRequestError
        ``no_run``: there is no such run here.
    IntegrityError
        ``plan_damaged``: it cannot be read.
    """
    try:
        return RunRequest.model_validate_json(store.get(RunLayout(run_id).request))
    except FileNotFoundError:
        raise BadRequestError(
            "no_run", f"no run {run_id!r} here", where=store.uri, fix="See its folder runs/ for the names."
        ) from None
    except ValidationError as error:
        raise IntegrityError(
            "plan_damaged",
            f"run.json cannot be read: {why_unreadable(error)}",
            where=f"{store.uri}/{RunLayout(run_id).root}",
            fix=AFRESH,
        ) from error


def read_plan(store: Store, run_id: str) -> Plan:
    """The whole plan of a run; errors as :func:`read_request`, and ``plan_damaged`` where its parts are missing.

    A worker reads its own part of it: :mod:`core.run.partition`.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    request = read_request(store, run_id)
    layout = RunLayout(run_id)
    try:
        shards = read_shard_plan(store, run_id)
        # read_table would import pandas where it is installed.
        table = parquet.ParquetFile(pa.BufferReader(store.get(layout.cases))).read(use_threads=False)
        return Plan(request, tuple(_planned_cases(table, request.thresholds is None)), shards)
    except (FileNotFoundError, ValueError, KeyError, pa.ArrowException) as error:
        raise _damaged(layout.cases, why_unreadable(error)) from error


def read_stored(store: Store, plan: Plan) -> Plan:
    """The plan as it is stored, which decides, whatever was planned now; errors as :func:`read_plan`.

    The partitions and the checkpoints are those of the first start. The same cases are not read a second time. A
    licence that is stated now is heard: it changes no example, and who forgot it must not work all cases again.
    """
    request = read_request(store, plan.request.run_id)
    stated = plan.request.source_licence or request.source_licence
    request = request.model_copy(update={"source_licence": stated})
    if request.plan_sha256 != plan.request.plan_sha256:
        return replace(read_plan(store, request.run_id), request=request)
    return Plan(request, plan.cases, read_shard_plan(store, request.run_id))


def _damaged(where: str, what: str) -> IntegrityError:
    return IntegrityError("plan_damaged", what, where=where, fix=AFRESH)


def _cases_to_parquet(plan: Plan) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns: dict[str, tuple[pa.DataType, Callable[[PlannedCase], object]]] = {
        "id": (pa.string(), lambda entry: entry.case.id),
        "number": (pa.int64(), lambda entry: entry.case.number),
        "group": (pa.string(), lambda entry: entry.case.group),
        "group_number": (pa.int64(), lambda entry: entry.case.group_number),
        "split": (pa.string(), lambda entry: entry.split),
        "shard": (pa.string(), lambda entry: entry.shard),
        "uri": (pa.string(), lambda entry: entry.case.key),
        "bytes": (pa.int64(), lambda entry: entry.case.size),
        STORED_ESTIMATE: (pa.int64(), lambda entry: entry.case.estimated_records),
        "attributes": (pa.string(), lambda entry: json.dumps(entry.case.attributes, sort_keys=True)),
    }
    # Column by column: a list of rows would hold the cohort a second time.
    arrays = [pa.array(map(value, plan.cases), kind) for kind, value in columns.values()]
    target = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, names=list(columns)), target, compression="zstd")
    return target.getvalue()


def _planned_cases(table: pa.Table, own_split: bool) -> Iterator[PlannedCase]:
    """``own_split``: the sides are the workload's own."""
    known: dict[str, str] = {}

    def shared(pairs: list[tuple[str, Any]]) -> Json:
        # Names and values repeat from case to case; one string for each is enough.
        return {
            known.setdefault(name, name): known.setdefault(value, value) if isinstance(value, str) else value
            for name, value in pairs
        }

    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        for row in batch.to_pylist():
            case = Case(
                id=row["id"],
                number=row["number"],
                group=row["group"],
                group_number=row["group_number"],
                key=row["uri"],
                size=row["bytes"],
                estimated_records=row[STORED_ESTIMATE],
                attributes=json.loads(row["attributes"], object_pairs_hook=shared),
                split=row["split"] if own_split else None,
            )
            yield PlannedCase(case, row["split"], known.setdefault(row["shard"], row["shard"]))
