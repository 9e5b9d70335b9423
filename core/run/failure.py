"""The failure path: whatever ends an execution, there is one readable report of what is known."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from core.errors import BadRequestError, IntegrityError
from core.run.assemble import quarantine_lines
from core.run.commit import read_commit
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import CommitRecord, Document, Manifest, RunRequest, ShardPlan
from core.run.plan import RUN_ID_PATTERN
from core.run.plan_store import read_request
from core.run.progress import READERS, read_shards
from core.run.publish import read_success, withdraw
from core.run.report import MOST_SHOWN, Ending, Money, RunReport, attempt_ends, silent_attempts, write_report
from core.run.rounds import committed_shards
from core.store import Store

NO_RUN = "rejected"
"""Takes the reports of executions whose input names no run."""

OVER_BUDGET = "OverBudget"
INCOMPLETE = "Incomplete"
"""The errors that the state machine itself raises: the guard stopped the run; the rounds are used up."""

MOST_DETAIL = 500
_ENDINGS: dict[str, Ending] = {
    "BadRequestError": "bad request",
    "IntegrityError": "verification failed",
    OVER_BUDGET: "over budget",
    INCOMPLETE: "incomplete",
    "States.Timeout": "timed out",
    "TIMED_OUT": "timed out",
    "ABORTED": "stopped",
}
REFUSED = ("run_id_taken", "bad_submission", "submission_too_large")
"""Codes of a request that was refused by itself: it must not speak over the run whose id it has."""

_NOT_OF_THE_DATA = ("attempt_damaged", "findings_missing", "pins_damaged", "round_damaged")
"""Damage that says nothing against a data set that is published."""

_OURS = ("BadRequestError", "IntegrityError", "TransientError", "BugError", OVER_BUDGET, INCOMPLETE)
_REFUSED_JOB = ("Batch.ClientException", "Batch.AccessDeniedException")
"""A job that AWS Batch refused: the request holds ids and settings only, and without its words nobody knows which of
them is wrong (an old revision that was removed, a queue that is disabled, a right that is missing)."""

_CODE = re.compile(r"\[([a-z][a-z0-9_]+)\]")


class Failure(Document):
    """What ended an execution: the ending, a sentence, and the code of the error where it was one of ours."""

    ending: Ending
    detail: str
    code: str = ""


def failure_of(error: str, cause: str = "") -> Failure:
    """From the error's name and cause as Step Functions gives them, or an execution's status (``ABORTED``).

    The words of our own errors are shown, and AWS Batch's about a job that it refused. What others say may quote data,
    so of them only the name is.

    >>> failure_of("BadRequestError", '{"errorMessage": "--cases: nothing [empty_cohort]", "errorType": "x"}')
    Failure(ending='bad request', detail='--cases: nothing [empty_cohort]', code='empty_cohort')
    """
    ending = _ENDINGS.get(error, "crash")
    said = _said(cause)[:MOST_DETAIL]
    if error in _OURS and said:
        code = _CODE.search(said)
        return Failure(ending=ending, detail=said, code=code[1] if code else "")
    if error in _REFUSED_JOB and said:
        return Failure(ending=ending, detail=f"AWS Batch refused the job: {said}"[:MOST_DETAIL])
    speaks = ending in ("stopped", "timed out", "over budget", "incomplete")
    return Failure(ending=ending, detail="" if speaks else (error or "unknown"))


def run_id_of(given: object) -> str:
    """The run that an execution's input names, or ``NO_RUN``; for input that may be anything."""
    run_id = given.get("run_id") if isinstance(given, dict) else None
    return run_id if isinstance(run_id, str) and re.fullmatch(RUN_ID_PATTERN.strip("^$"), run_id) else NO_RUN


def report_failure(
    store: Store, run_id: str, execution: str, failure: Failure, money: Money | None = None
) -> RunReport:
    """Write ``report.txt`` and ``quarantine.jsonl`` of what is known, never ``_SUCCESS``.

    A data set of this run that was published before loses its ``_SUCCESS`` where stored data contradicts itself, and
    where shards are to be made again whose objects are gone; it keeps it where the execution was merely stopped, timed
    out or broke. Damaged documents are reported, not raised.

    Raises
    ------
    TransientError, FatalError
        The storage itself.
    """
    layout = RunLayout(run_id)
    known = _look(store, run_id)
    request = known.request
    published = False
    if request is not None:
        data_set = DataSetLayout.named(request.data_set)
        success = read_success(store, data_set)
        published = success is not None and success.run_id == run_id
        spoiled = failure.ending == "verification failed" and failure.code not in _NOT_OF_THE_DATA
        if published and (spoiled or (known.open_partitions and not _is_whole(store, data_set))):
            withdraw(store, data_set)
            published = False
        store.put(layout.quarantine, b"".join(known.quarantine))
    report = RunReport(
        run_id=run_id,
        execution=execution,
        ending=failure.ending,
        detail=failure.detail,
        code=failure.code,
        output=store.uri,
        report_key=layout.execution_report(execution),
        data_set=request.data_set if request else None,
        workload=request.workload if request else None,
        published=published,
        cases_planned=sum(shard.cases for shard in known.shards.shards) if known.shards else None,
        shards_planned=len(known.shards.shards) if known.shards else 0,
        shards_committed=known.committed,
        outcomes=dict(sorted(known.outcomes.items())),
        reasons=dict(sorted(known.reasons.items())),
        records=known.records,
        open_partitions=len(known.open_partitions),
        first_open_partitions=tuple(known.open_partitions[:MOST_SHOWN]),
        attempts=_attempts(store, run_id) if request else {},
        success_threshold=request.success_threshold if request else None,
        problems=tuple(known.problems[:MOST_SHOWN]),
        quarantined=tuple(known.quarantined[:MOST_SHOWN]),
        money=money or Money(),
    )
    refused = run_id == NO_RUN or failure.code in REFUSED
    write_report(store, report, of_the_run=not refused)
    return report


def _is_whole(store: Store, data_set: DataSetLayout) -> bool:
    """Whether every object of the manifest is there; what they hold was verified when ``_SUCCESS`` was written."""
    try:
        manifest = Manifest.model_validate_json(store.get(data_set.manifest))
    except (FileNotFoundError, ValueError):
        return False
    sizes = {item.key: item.size for item in store.list(data_set.root)}
    return all(sizes.get(data_set.key(shard.path)) == shard.bytes for shard in manifest.shards)


def _attempts(store: Store, run_id: str) -> dict[str, int]:
    ends, silent = attempt_ends(store, run_id), silent_attempts(store, run_id)
    return {**ends, "without a word": silent} if silent else ends


@dataclass
class _Known:
    """What could be read of a run."""

    request: RunRequest | None = None
    shards: ShardPlan | None = None
    committed: int = 0
    open_partitions: Sequence[int] = ()
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    records: int = 0
    quarantine: list[bytes] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _look(store: Store, run_id: str) -> _Known:
    known = _Known()
    try:
        known.request = read_request(store, run_id)
        known.shards = read_shards(store, run_id)
    except BadRequestError as error:
        if error.code != "no_run":
            raise
        return known
    except IntegrityError as error:
        known.problems.append(str(error))
        return known
    committed = committed_shards(store, run_id)
    planned = known.shards.shards
    known.committed = sum(shard.shard in committed for shard in planned)
    known.open_partitions = sorted({shard.partition for shard in planned if shard.shard not in committed})
    for record in _records(store, run_id, [shard.shard for shard in planned if shard.shard in committed], known):
        known.outcomes.update(case.outcome.value for case in record.cases)
        known.reasons.update(case.reason for case in record.cases if case.reason)
        known.records += record.records
        known.quarantine.append(quarantine_lines([record]))
        known.quarantined += [f"{case.case_id} {case.reason}" for case in record.cases if case.reason]
    return known


def _records(store: Store, run_id: str, shards: Sequence[str], known: _Known) -> Iterator[CommitRecord]:
    """The commit records in the order of the plan; what cannot be read becomes a problem."""
    layout = RunLayout(run_id)

    def read(shard: str) -> CommitRecord | IntegrityError | None:
        try:
            return read_commit(store, layout, shard)
        except IntegrityError as error:
            return error

    with ThreadPoolExecutor(READERS) as pool:
        for found in pool.map(read, shards):
            if isinstance(found, IntegrityError):
                known.problems.append(str(found))
            elif found is not None:
                yield found


def _said(cause: str) -> str:
    """The message in a cause: a function's error or answer is JSON, the state machine's own is text."""
    try:
        parsed = json.loads(cause)
    except ValueError:
        return " ".join(cause.split())
    # The guard's answer is the cause of a run that was stopped, and says why.
    message = (parsed.get("errorMessage") or parsed.get("why")) if isinstance(parsed, dict) else None
    return " ".join(message.split()) if isinstance(message, str) else ""
