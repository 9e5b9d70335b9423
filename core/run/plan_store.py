"""The plan in the store: written once, read by every worker."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as parquet

from core.errors import BadRequestError, IntegrityError
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import RunRequest, ShardPlan
from core.run.plan import Plan, PlannedCase
from core.store import Store
from core.workload import Case


def write_plan(store: Store, plan: Plan) -> None:
    """Write the plan and claim the data set's name; a plan that is already there is left alone.

    ``run.json`` comes last: a run without it was never planned.

    Raises
    ------
    BadRequestError
        ``name_taken``: the data set's name belongs to another run.
    """
    request = plan.request
    layout = RunLayout(request.run_id)
    claim_name(store, request)
    store.put_if_absent(layout.cases, _cases_to_parquet(plan))
    store.put_if_absent(layout.shards, plan.shards.to_bytes())
    store.put_if_absent(layout.request, request.to_bytes())


def claim_name(store: Store, request: RunRequest) -> None:
    """Make the data set's name this run's own; errors as :func:`write_plan`."""
    key = DataSetLayout.named(request.data_set).owner
    if store.put_if_absent(key, (request.run_id + "\n").encode()):
        return
    owner = store.get(key).decode().strip()
    if owner != request.run_id:
        raise BadRequestError(
            "name_taken",
            f"the data set {request.data_set!r} belongs to run {owner}, this run is {request.run_id}",
            where=store.uri,
            fix="Give another --name, or remove the old data set.",
        )


def read_request(store: Store, run_id: str) -> RunRequest:
    """``run.json`` of a run.

    Raises
    ------
    BadRequestError
        ``no_run``: there is no such run here.
    """
    try:
        return RunRequest.model_validate_json(store.get(RunLayout(run_id).request))
    except FileNotFoundError:
        raise BadRequestError(
            "no_run", f"no run {run_id!r} here", where=store.uri, fix="See its folder runs/ for the names."
        ) from None


@dataclass(frozen=True)
class StoredPlan:
    """A plan as it is stored; the cases become objects only where they are needed.

    A worker takes the cases of its own partition, so that its memory does not grow with the cohort.
    """

    request: RunRequest
    shards: ShardPlan
    table: pa.Table

    def whole(self) -> Plan:
        """The plan with every case."""
        return Plan(self.request, _planned_cases(self.table), self.shards)

    def part(self, partition: int) -> Plan:
        """The plan with the cases of one partition only.

        Raises
        ------
        IntegrityError
            ``plan_damaged``: the cases do not stand in the order of the shards.
        """
        cases: list[PlannedCase] = []
        first = 0
        for shard in self.shards.shards:
            if shard.partition == partition:
                found = _planned_cases(self.table.slice(first, shard.cases))
                if len(found) != shard.cases or any(entry.shard != shard.shard for entry in found):
                    raise _damaged(self.request.run_id, f"the cases of {shard.shard} are not where they should be")
                cases += found
            first += shard.cases
        return Plan(self.request, tuple(cases), self.shards)


def open_plan(store: Store, run_id: str) -> StoredPlan:
    """The plan of a run; errors as :func:`read_request`, and ``plan_damaged`` where its parts are missing."""
    request = read_request(store, run_id)
    layout = RunLayout(run_id)
    try:
        shards = ShardPlan.model_validate_json(store.get(layout.shards))
        # read_table would import pandas where it is installed, seconds that every worker would pay.
        table = parquet.ParquetFile(pa.BufferReader(store.get(layout.cases))).read(use_threads=False)
    except (FileNotFoundError, ValueError, pa.ArrowException) as error:
        raise _damaged(run_id, str(error)) from error
    return StoredPlan(request, shards, table)


def read_plan(store: Store, run_id: str) -> Plan:
    """The whole plan of a run; errors as :func:`open_plan`."""
    return open_plan(store, run_id).whole()


def _damaged(run_id: str, what: str) -> IntegrityError:
    return IntegrityError("plan_damaged", what, where=RunLayout(run_id).root, fix="Start the run afresh.")


def _cases_to_parquet(plan: Plan) -> bytes:
    rows = [
        {
            "id": entry.case.id,
            "number": entry.case.number,
            "group": entry.case.group,
            "group_number": entry.case.group_number,
            "split": entry.split,
            "shard": entry.shard,
            "uri": entry.case.key,
            "bytes": entry.case.size,
            "estimated_windows": entry.case.estimated_windows,
            "attributes": json.dumps(entry.case.attributes, sort_keys=True),
        }
        for entry in plan.cases
    ]
    target = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, _CASES), target, compression="zstd")
    return target.getvalue()


def _planned_cases(table: pa.Table) -> tuple[PlannedCase, ...]:
    return tuple(
        PlannedCase(
            case=Case(
                id=row["id"],
                number=row["number"],
                group=row["group"],
                group_number=row["group_number"],
                key=row["uri"],
                size=row["bytes"],
                estimated_windows=row["estimated_windows"],
                attributes=json.loads(row["attributes"]),
            ),
            split=row["split"],
            shard=row["shard"],
        )
        for row in table.to_pylist()
    )


_CASES = pa.schema(
    [
        ("id", pa.string()),
        ("number", pa.int64()),
        ("group", pa.string()),
        ("group_number", pa.int64()),
        ("split", pa.string()),
        ("shard", pa.string()),
        ("uri", pa.string()),
        ("bytes", pa.int64()),
        ("estimated_windows", pa.int64()),
        ("attributes", pa.string()),
    ]
)
