"""Planning: cohort to splits, shards and partitions. Pure but for the source's listing and the workload's tables."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import heapreplace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.code_version import code_version
from core.errors import BadRequestError, BugError
from core.examples.members import Compression
from core.judging import SplittingWorkload
from core.run.layout import shard_name
from core.run.licence import MOST_CHARACTERS, STATED_PATTERN
from core.run.limits import DEFAULT_LARGEST_CASE_BYTES
from core.run.models import SPLITS, PlannedShard, RunRequest, ShardPlan, Split, Thresholds
from core.run.source import StoreSource
from core.run.split import choose_thresholds, split_of
from core.workload import STORED_ESTIMATE, Case, Cohort, Workload
from core.wrong_values import first_problem

Json = dict[str, Any]
DEFAULT_SALT = "casemill"
SHARDS_WANTED = 16
"""A cohort is cut into about this many shards until they are of the usual size: small ones use all processors."""


RUN_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""A run's id is part of keys, of job names (at most 128 characters) and of a variable of the container."""


class AskedOptions(BaseModel):
    """What a user tells the platform, not the workload; no effect on any example but the split."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    data_set: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    salt: str = Field(default=DEFAULT_SALT, max_length=200)
    thresholds: Thresholds | None = None
    shard_cases: int | None = Field(default=None, ge=1, le=10_000)
    partitions: int | None = Field(default=None, ge=1, le=10_000)
    compression: Compression = Compression.GZIP
    success_threshold: float = Field(default=0.95, ge=0.0, le=1.0)
    checkpoint_seconds: float = Field(default=60.0, gt=0.0)
    largest_case_bytes: int = Field(default=DEFAULT_LARGEST_CASE_BYTES, ge=1)
    source_licence: str | None = Field(default=None, pattern=STATED_PATTERN, max_length=MOST_CHARACTERS)


class PlanOptions(AskedOptions):
    """The same, and what is not the user's: ``run_id`` is given where the run had a name before it was planned (in the
    cloud); ``sample_of`` as in :class:`~core.run.models.RunRequest`."""

    run_id: str | None = Field(default=None, pattern=RUN_ID_PATTERN)
    image_digest: str | None = None
    sample_of: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class PlannedCase:
    """A case and the shard that it belongs to."""

    case: Case
    split: Split
    shard: str


@dataclass(frozen=True)
class Plan:
    """Everything that the workers need; ``cases`` in the order of the shards."""

    request: RunRequest
    cases: tuple[PlannedCase, ...]
    shards: ShardPlan

    def cases_of(self, shard: str) -> tuple[PlannedCase, ...]:
        """The shard's cases in their order."""
        return self._by_shard.get(shard, ())

    @cached_property
    def _by_partition(self) -> dict[int, tuple[PlannedShard, ...]]:
        members: dict[int, list[PlannedShard]] = {}
        for shard in self.shards.shards:
            members.setdefault(shard.partition, []).append(shard)
        return {partition: tuple(shards) for partition, shards in members.items()}

    @cached_property
    def _by_shard(self) -> dict[str, tuple[PlannedCase, ...]]:
        members: dict[str, list[PlannedCase]] = {}
        for planned in self.cases:
            members.setdefault(planned.shard, []).append(planned)
        return {shard: tuple(entries) for shard, entries in members.items()}

    def shards_of(self, partition: int) -> tuple[PlannedShard, ...]:
        """The partition's shards in their order."""
        return self._by_partition.get(partition, ())


def make_plan(workload: Workload, source: StoreSource | None, selection: Json, options: PlanOptions) -> Plan:
    """Plan a run. The same cohort, configuration and salt give the same plan, whatever the order it was asked in.

    Raises
    ------
    BadRequestError
        What the workload's cohort raises. ``bad_option``: an earlier split or a salt for a workload that divides its
        records itself, or an earlier split and another salt.
    """
    cohort = workload.cohort(source, selection)
    thresholds = _thresholds(workload, cohort.cases, options)
    shard_cases = options.shard_cases or _shard_cases(cohort)
    planned = _assign_shards(cohort.cases, thresholds, shard_cases)
    shards = _assign_partitions(planned, options.partitions)
    request = _request(workload, source, selection, options, cohort, thresholds, shard_cases, planned)
    return Plan(request, planned, shards)


def _thresholds(workload: Workload, cases: Sequence[Case], options: PlanOptions) -> Thresholds | None:
    """None where the workload divides its records itself."""
    divided = sum(case.split is not None for case in cases)
    if not divided:
        if options.thresholds and options.salt not in (DEFAULT_SALT, options.thresholds.salt):
            what = f"the earlier split has a salt of its own, {options.thresholds.salt!r}"
            raise BadRequestError("bad_option", what, where="--salt", fix="Leave out --salt or --split-from.")
        return options.thresholds or choose_thresholds(_weights(cases), options.salt)
    if divided != len(cases) or not isinstance(workload, SplittingWorkload):
        raise BugError("bad_split_rule", f"{workload.name} gives a side to {divided} of {len(cases)} cases, or no rule")
    for name, given in (("--split-from", options.thresholds), ("--salt", options.salt != DEFAULT_SALT)):
        if given:
            what = f"the workload {workload.name} divides its records by a rule of its own"
            raise BadRequestError("bad_option", what, where=name, fix="Leave it out.")
    return None


def with_partitions(plan: Plan, wanted: int) -> Plan:
    """The same plan, its shards given to ``wanted`` workers; never more than there are shards. No example changes."""
    return replace(plan, shards=_assign_partitions(plan.cases, wanted))


def _weights(cases: Iterable[Case]) -> dict[str, int]:
    weights: Counter[str] = Counter()
    for case in cases:
        weights[case.group] += case.estimated_records
    return dict(weights)


def _shard_cases(cohort: Cohort) -> int:
    return min(cohort.most_shard_cases, -(-len(cohort.cases) // SHARDS_WANTED))


def _assign_shards(cases: Sequence[Case], thresholds: Thresholds | None, shard_cases: int) -> tuple[PlannedCase, ...]:
    sides: dict[Split, list[Case]] = {split: [] for split in SPLITS}
    for case in cases:
        side = case.split if thresholds is None else split_of(case.group, thresholds)
        assert side is not None  # _thresholds saw to it
        sides[side].append(case)
    return tuple(
        PlannedCase(case, split, shard_name(split, position // shard_cases))
        for split in SPLITS
        for position, case in enumerate(sides[split])
    )


def _assign_partitions(planned: Sequence[PlannedCase], wanted: int | None) -> ShardPlan:
    """Heaviest shard first to the lightest partition, by estimated records, then bytes."""
    members: dict[str, list[PlannedCase]] = {}
    for entry in planned:
        members.setdefault(entry.shard, []).append(entry)
    partitions = min(wanted or len(members), len(members))
    loads = [(0, 0, partition) for partition in range(partitions)]  # a heap: the lightest first
    chosen: dict[str, int] = {}
    weights = {shard: _weight(entries) for shard, entries in members.items()}
    for shard in sorted(members, key=lambda name: (-weights[name][0], -weights[name][1], name)):
        records, size, partition = loads[0]
        chosen[shard] = partition
        heapreplace(loads, (records + weights[shard][0], size + weights[shard][1], partition))
    return ShardPlan(
        partitions=partitions,
        shards=tuple(
            PlannedShard(
                shard=shard,
                split=entries[0].split,
                partition=chosen[shard],
                cases=len(entries),
                estimated_records=weights[shard][0],
                bytes=weights[shard][1],
            )
            for shard, entries in members.items()
        ),
    )


def _weight(entries: Sequence[PlannedCase]) -> tuple[int, int]:
    return sum(entry.case.estimated_records for entry in entries), sum(entry.case.size for entry in entries)


def _request(
    workload: Workload,
    source: StoreSource | None,
    selection: Json,
    options: PlanOptions,
    cohort: Cohort,
    thresholds: Thresholds | None,
    shard_cases: int,
    planned: Sequence[PlannedCase],
) -> RunRequest:
    content: Json = {
        "data_set": options.data_set,
        "workload": workload.name,
        "configuration": workload.configuration(),
        "source": source.uri if source else None,
        "shard_cases": shard_cases,
        "compression": options.compression.value,
        "success_threshold": options.success_threshold,
        "largest_case_bytes": options.largest_case_bytes,
        "thresholds": thresholds.model_dump(mode="json") if thresholds else None,
        "schema": workload.schema.model_dump(mode="json"),
        "code_version": code_version(),
        "plan_sha256": plan_digest(planned),
        "image_digest": options.image_digest,
    }
    run_id = options.run_id or f"{workload.name}-{_digest(content)[:12]}"
    return RunRequest.model_validate(
        {
            **content,
            "run_id": run_id,
            "data_set": options.data_set or run_id,
            "selection": selection,
            "checkpoint_seconds": options.checkpoint_seconds,
            "source_licence": options.source_licence,
            "sample_of": options.sample_of,
            "notes": cohort.notes,
        }
    )


_TOLD_APART = ("split", "estimated_records")
"""Fields of a case that its text does not have by their own names: the side stands beside it."""


def plan_digest(planned: Iterable[PlannedCase]) -> str:
    """``plan_sha256`` of ``run.json``: SHA-256 of a JSON list of every case as planned, with its split and shard.

    Fed case by case: the text of a large cohort is larger than the cohort.
    """
    digest = hashlib.sha256(b"[")
    for position, entry in enumerate(planned):
        # The fields of a case are plain JSON, so that they need no copying.
        case = {name: value for name, value in vars(entry.case).items() if name not in _TOLD_APART}
        case[STORED_ESTIMATE] = entry.case.estimated_records
        digest.update(b"," * bool(position) + _canonical([case, entry.split, entry.shard]))
    digest.update(b"]")
    return digest.hexdigest()


def _digest(content: Any) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def checked_options(**settings: Any) -> PlanOptions:
    """Options as a user gives them.

    Raises
    ------
    BadRequestError
        One of them is out of its bounds.
    """
    try:
        return PlanOptions(**settings)
    except ValidationError as error:
        raise bad_option(error) from error


def bad_option(error: ValidationError) -> BadRequestError:
    """The first complaint about options, in the words of the command line."""
    first = error.errors()[0]
    name = "--" + str(first["loc"][0]).replace("data_set", "name").replace("_", "-")
    return BadRequestError(
        "bad_option", first_problem([{**first, "loc": first["loc"][1:]}]), where=name, fix="See casemill run --help."
    )
