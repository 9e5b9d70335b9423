"""Rounds: which partitions are still open, and what to do about them (design, "On AWS")."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from core.errors import TransientError
from core.run.last_attempts import LastAttempts, endings_text, is_hopeless, read_last_attempts
from core.run.layout import RunLayout
from core.run.models import Document, PlannedShard, RoundPlan
from core.run.progress import read_shards
from core.store import Store

MOST_ROUNDS = 3
"""Rounds of one execution (design, "On AWS"); a later execution of the same run has its own."""

MOST_RIVALS = 20
"""How many rounds of others may appear while this one looks for its number."""

_JOB_NAME_CHARACTERS = 128
"""Longest name of a job (AWS Batch API, SubmitJob)."""

NO_MACHINE = (
    "the last of them found no machine: look at the account's limits for vCPUs, the subnets and the instance families"
)

Capacity = Literal["spot", "on-demand"]


class RoundDecision(Document):
    """What the state machine does next; ``round`` and what follows belong to the ``work_*`` actions.

    ``tries`` counts the rounds of this execution, this one included. ``array_size`` is the number of children, 1 for a
    plain job: an array has two or more. ``holes`` is how many partitions are open; those that would end as they did
    before (:func:`core.run.last_attempts.is_hopeless`) are not worked again. ``why`` is a sentence for ``give_up``.
    """

    action: Literal["work_array", "work_single", "verify", "give_up"]
    round: int = 0
    tries: int
    holes: int
    array_size: int = 0
    job_name: str = ""
    why: str = ""
    capacity: Capacity = "spot"


def committed_shards(store: Store, run_id: str) -> frozenset[str]:
    """The shards that have a commit record, by listing alone."""
    listed = store.list(RunLayout(run_id).commits)
    return frozenset(item.key.rpartition("/")[2].removesuffix(".json") for item in listed)


def holes(store: Store, run_id: str, shards: Iterable[PlannedShard]) -> tuple[int, ...]:
    """The partitions with a shard that is not committed, in order."""
    committed = committed_shards(store, run_id)
    return tuple(sorted({shard.partition for shard in shards if shard.shard not in committed}))


def next_round(
    store: Store,
    run_id: str,
    tries: int,
    blocked: bool = False,
    most_rounds: int = MOST_ROUNDS,
    execution: str | None = None,
) -> RoundDecision:
    """Decide, and where there is work to do, write the list of its partitions under the next free round number.

    Parameters
    ----------
    tries
        Rounds that this execution has started.
    blocked
        Whether the last of them found no machine: what follows is on-demand, and so is the last round.
    execution
        Whose round it will be, for :func:`jobs_begun`.

    Raises
    ------
    BadRequestError
        ``no_run``.
    IntegrityError
        ``plan_damaged``.
    """
    open_partitions = holes(store, run_id, read_shards(store, run_id).shards)
    if not open_partitions:
        return RoundDecision(action="verify", tries=tries, holes=0)
    # Before its first round an execution knows nothing of what was mended since the last one, nor after a round that
    # found no machine.
    last = read_last_attempts(store, run_id, open_partitions) if tries and not blocked else {}
    worth_it = tuple(partition for partition in open_partitions if not is_hopeless(last.get(partition, ())))
    if tries >= most_rounds or not worth_it:
        last = last or read_last_attempts(store, run_id, open_partitions)
        return RoundDecision(
            action="give_up",
            tries=tries,
            holes=len(open_partitions),
            why=_why_no_more(last, tries, bool(worth_it), blocked),
        )
    number = _write_round(store, run_id, RoundPlan(partitions=worth_it))
    if execution is not None:
        store.put(RunLayout(run_id).round_begun(execution, number), b"")
    return RoundDecision(
        action="work_array" if len(worth_it) > 1 else "work_single",
        round=number,
        tries=tries + 1,
        holes=len(open_partitions),
        array_size=len(worth_it),
        job_name=job_name(run_id, number),
        capacity="on-demand" if blocked or tries + 1 == most_rounds else "spot",
    )


def _why_no_more(last: LastAttempts, tries: int, rounds_used_up: bool, blocked: bool) -> str:
    open_text = "1 partition is" if len(last) == 1 else f"{len(last):,} partitions are"
    if blocked:
        return f"{open_text} open after {tries} rounds; {NO_MACHINE}"
    reason = f"after {tries} rounds" if rounds_used_up else "and another attempt would end the same way"
    return f"{open_text} open {reason}; the last attempts ended: {endings_text(last.values())}"


def job_name(run_id: str, number: int) -> str:
    """The name of a round's job: unique over the life of the run, in the characters that AWS Batch allows.

    >>> job_name("vitaldb-0123456789ab", 2)
    'casemill-vitaldb-0123456789ab-2'
    """
    ending = f"-{number}"
    name = re.sub(r"[^A-Za-z0-9_-]", "-", f"casemill-{run_id}")
    return name[: _JOB_NAME_CHARACTERS - len(ending)] + ending


def jobs_begun(store: Store, run_id: str, execution: str) -> tuple[str, ...]:
    """The names of the jobs of the rounds that an execution began."""
    numbers = sorted(int(item.key.rpartition("/")[2]) for item in store.list(RunLayout(run_id).begun(execution)))
    return tuple(job_name(run_id, number) for number in numbers)


def _write_round(store: Store, run_id: str, plan: RoundPlan) -> int:
    layout = RunLayout(run_id)
    names = (item.key.rpartition("/")[2].removesuffix(".json") for item in store.list(layout.rounds))
    number = max((int(name) for name in names if name.isdecimal()), default=0)
    for _ in range(MOST_RIVALS):
        number += 1
        if store.put_if_absent(layout.round_plan(number), plan.to_bytes()):
            return number
    raise TransientError(
        "rounds_busy", "others keep starting rounds of this run", where=layout.rounds, fix="Stop the other executions."
    )
