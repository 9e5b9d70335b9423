"""The documents of a run and of a data set, as they stand in the store (design, "What a run writes")."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from core.examples.members import Compression
from core.run.limits import DEFAULT_LARGEST_CASE_BYTES
from core.schema import Schema
from core.workload import SPLITS as SPLITS
from core.workload import STORED_ESTIMATE, Outcome
from core.workload import Split as Split

Json = dict[str, Any]


class Document(BaseModel):
    """Frozen, strict about unknown keys, and written in one spelling."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True, defer_build=True
    )

    def to_bytes(self) -> bytes:
        """Indented JSON, UTF-8, with a closing line end."""
        # In this order the text of a large manifest is not there twice.
        return self.model_dump_json(indent=1, by_alias=True).encode() + b"\n"


class Thresholds(Document):
    """A group with rank below ``validation`` trains; below ``test`` it validates; else it tests (rule 7)."""

    salt: str
    validation: float
    test: float


class RunRequest(Document):
    """``run.json``: the request as resolved. Its digest, with the plan's, is the run's id.

    ``thresholds`` is None where the workload divides its records itself. ``sample_of``: this is a rehearsal, over a
    sample of so many cases; its examples are like any others, and its documents say that they are not to be used.
    """

    run_id: str
    data_set: str
    workload: str
    configuration: Json
    selection: Json
    source: str | None
    shard_cases: int
    compression: Compression
    success_threshold: float
    checkpoint_seconds: float
    largest_case_bytes: int = DEFAULT_LARGEST_CASE_BYTES
    thresholds: Thresholds | None
    schema_: Schema = Field(alias="schema")
    code_version: str
    plan_sha256: str
    image_digest: str | None = None
    source_licence: str | None = None
    sample_of: int | None = None
    notes: tuple[str, ...] = ()


class PlannedShard(Document):
    """One entry of ``plan/shards.json``."""

    shard: str
    split: Split
    partition: int
    round: int = 1
    cases: int
    estimated_records: int = Field(alias=STORED_ESTIMATE)
    bytes: int


class ShardPlan(Document):
    """``plan/shards.json``."""

    partitions: int
    shards: tuple[PlannedShard, ...]


class RoundPlan(Document):
    """``rounds/<round>.json``: the partition of each array index, for a round that repeats holes.

    Without it, as in the first round of a job that was submitted by hand, the array index is the partition. An array of
    one child does not exist, so an index beyond the list is a child with nothing to do.
    """

    partitions: tuple[NonNegativeInt, ...]


class CaseEntry(Document):
    """One case of a shard: its outcome, and where its member stands in the shard object."""

    case_id: str
    case_number: int
    group: str
    group_number: int
    outcome: Outcome
    reason: str = ""
    detail: str = ""
    flags: tuple[str, ...] = ()
    records: int = 0
    offset: int = 0
    length: int = 0


class Place(Document):
    """What an attempt knows of its machine, so that its seconds have a price; None is unknown.

    ``capacity`` is ``spot`` or ``on-demand``. ``processors`` are the vCPUs that the job may use, ``host_processors``
    those of the whole instance: an attempt costs seconds × the instance's price × processors / host_processors.
    ``job`` and ``job_attempt`` are what AWS Batch calls it, so that its word on the end can be asked for.
    """

    instance_type: str | None = None
    zone: str | None = None
    capacity: str | None = None
    processors: float | None = Field(default=None, gt=0)
    host_processors: int | None = Field(default=None, gt=0)
    job: str | None = None
    job_attempt: int | None = Field(default=None, ge=1)


class Worker(Document):
    """Who made a shard: nothing here is content. ``case_seconds`` are those of the cases that this attempt worked;
    ``recalled`` counts those of them whose extract came from the case cache, so that their objects were not read."""

    partition: int
    attempt: int
    instance_type: str | None = None
    zone: str | None = None
    capacity: str | None = None
    seconds: float
    bytes_in: int
    recalled: int = 0
    case_seconds: dict[str, float] = {}


class CommitRecord(Document):
    """``shards/<shard>.json``: the only commit (rule 2)."""

    shard: str
    split: Split
    path: str
    content_sha256: str
    object_sha256: str
    bytes: int
    records: int
    cases: tuple[CaseEntry, ...]
    figures: dict[str, Json] = {}
    histograms: dict[str, list[int]] = {}
    made_by: Worker


class ShardEntry(Document):
    """One shard of ``manifest.json``."""

    shard: str = Field(pattern=r"^(train|validation|test)-[0-9]{5,9}$")
    split: Split
    # A manifest is read from anywhere; its paths must not lead out of the data set.
    path: str = Field(pattern=r"^(train|validation|test)/(train|validation|test)-[0-9]{5,9}\.tfrecord(\.gz)?$")
    content_sha256: str
    object_sha256: str
    bytes: int
    records: int
    cases: tuple[CaseEntry, ...]


class SplitCounts(Document):
    """What one split holds."""

    shards: int
    cases: int
    groups: int
    records: int
    bytes: int


class Manifest(Document):
    """``manifest.json``: every shard and every planned case of a data set.

    ``needs_workload``: its verification is not whole without the workload, which judges the records or divides them.

    Format 2 came with ``croissant.json``; data sets of format 1 have none.
    """

    format: Literal["casemill-data-set/1", "casemill-data-set/2"] = "casemill-data-set/2"
    name: str
    run_id: str
    workload: str
    needs_workload: bool = False
    code_version: str
    compression: Compression
    root_hash: str
    schema_: Schema = Field(alias="schema")
    outcomes: dict[str, int]
    reasons: dict[str, int]
    planned_cases: int
    records: int
    success_rate: float
    success_threshold: float
    splits: dict[Split, SplitCounts]
    shards: tuple[ShardEntry, ...]


class SplitDocument(Document):
    """``split.json``: thresholds, the groups of each split, the proof that none stands in two, and every planned
    case with its shard. ``thresholds`` is None where the workload divides its records itself."""

    thresholds: Thresholds | None
    targets: dict[Split, float]
    shares: dict[Split, float]
    groups: dict[Split, tuple[str, ...]]
    disjoint: bool
    groups_on_two_sides: tuple[str, ...]
    cases: dict[str, str]


class Check(Document):
    """One line of a verification: what was asked, whether it holds, and the figures."""

    name: str
    passed: bool
    detail: str
    problems: tuple[str, ...] = ()


class Verification(Document):
    """``verification.json``; ``figures`` are what the workload reports of the records beside its gates."""

    data_set: str
    run_id: str
    passed: bool
    root_hash: str
    checks: tuple[Check, ...]
    figures: Json = {}


class Success(Document):
    """``_SUCCESS``: what verification vouches for; without it there is no data set."""

    run_id: str
    root_hash: str
    sha256: dict[str, str]


class Heartbeat(Document):
    """``progress/<partition>.json``: how far a partition is. Clock times are allowed here, and only here.

    The counts are of the whole partition, whoever worked its cases; those ``restored`` are the part that this attempt
    found finished, in commit records and segments. The next heartbeat is due within ``interval`` seconds.
    """

    partition: int
    attempt: int
    state: Literal["working", "finished", "stopped"]
    cases_planned: int
    cases_done: int
    cases_empty: int
    cases_failed: int
    cases_restored: int = 0
    records: int
    records_restored: int = 0
    bytes_in: int
    storage_repeats: int = 0
    seconds: float
    interval: float = 1.0
    peak_memory_bytes: int = 0
    updated: float
    place: Place | None = None

    @property
    def cases_finished(self) -> int:
        """Cases with an outcome."""
        return self.cases_done + self.cases_empty + self.cases_failed


class Attempt(Document):
    """``attempts/<partition>/<k>.json``: one line of life. ``cases`` of the partition, ``restored`` by others,
    ``recalled`` from the case cache. ``remark``: what somebody should know though nothing failed.

    ``reclaimed``: the machine was taken away; ``interrupted``: somebody ended the job, or the process; ``timed out``:
    AWS Batch ended it at its time limit (:mod:`core.run.told_ends`); ``crashed`` without a ``cause``: it was killed
    without a word.
    An attempt that an error ended has its ``cause``, the error's code or ``bug`` and its kind, and its ``exit_code``.
    """

    partition: int
    attempt: int
    started: float
    ended: float
    why: Literal["finished", "reclaimed", "interrupted", "timed out", "crashed", "transient"]
    detail: str = ""
    cases: int
    restored: int = 0
    records_restored: int = 0
    shards: int
    recalled: int = 0
    remark: str = ""
    cause: str = ""
    exit_code: int | None = None
    storage_repeats: int = 0
    place: Place | None = None
