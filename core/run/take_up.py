"""Storing the plan of a submission once, and taking up the run that is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from core.errors import BadRequestError, IntegrityError
from core.run.layout import DataSetLayout, RunLayout
from core.run.models import Json, PlannedShard, RunRequest, ShardPlan
from core.run.plan import Plan, plan_digest
from core.run.plan_store import plan_parts, read_plan, write_plan
from core.run.publish import read_success
from core.run.submission import AskedRun, Submission, plan_asked
from core.store import Store
from core.wrong_values import why_unreadable

if TYPE_CHECKING:
    from core.workload import Workload


@dataclass(frozen=True)
class StoredRun:
    """A run whose plan is stored; ``published``: its data set is verified and stands under its name."""

    request: RunRequest
    shards: ShardPlan
    published: bool


def plan_submission(
    store: Store,
    submission: Submission,
    build_workload: Callable[[str, Json], Workload],
    image_digest: str | None = None,
    width_of: Callable[[str, Sequence[PlannedShard]], int] | None = None,
) -> StoredRun:
    """Take up the run that is there, or plan it and store it. Doing so again, or twice at once, changes nothing.

    ``width_of`` as :func:`core.run.submission.plan_asked`.

    Raises
    ------
    BadRequestError
        As :func:`take_up` and :func:`core.run.submission.plan_asked`; ``name_taken``.
    IntegrityError
        ``plan_damaged``: what is stored is not one whole plan.
    """
    found = take_up(store, submission)
    if found is not None:
        return found
    asked = submission.asked
    if asked is None:
        raise BadRequestError(
            "no_run", f"no run {submission.run_id!r} here", where=store.uri, fix="Say in the submission what is asked."
        )
    plan, _ = plan_asked(asked, build_workload, submission.run_id, image_digest, width_of)
    layout = RunLayout(submission.run_id)
    if not store.put_if_absent(layout.asked, asked.to_bytes()):
        _check_same(store, layout, asked)
    if store.head(layout.request) is None:
        _remove_other_parts(store, plan)
    write_plan(store, plan)
    return _stored_run(store, submission.run_id)


def _remove_other_parts(store: Store, plan: Plan) -> None:
    """Remove the parts of another plan, left by a planner that ended before its last word: by now the source may hold
    other cases. Parts of this very plan may be those of a planner that works at the same time, and stay."""
    for key, own in plan_parts(plan):
        try:
            found = store.get(key)
        except FileNotFoundError:
            continue
        if found != own:
            store.delete(key)


def take_up(store: Store, submission: Submission) -> StoredRun | None:
    """The run that is stored under the submission's id, or None where there is none yet.

    Raises
    ------
    BadRequestError
        ``run_id_taken``: the id belongs to a run that was asked for differently.
    IntegrityError
        ``plan_damaged``.
    """
    layout = RunLayout(submission.run_id)
    if submission.asked is not None:
        _check_same(store, layout, submission.asked)
    return None if store.head(layout.request) is None else _stored_run(store, submission.run_id)


def read_asked(store: Store, run_id: str) -> AskedRun | None:
    """What was asked for, or None where that is not known: a run of one machine has no such document.

    Raises
    ------
    IntegrityError
        ``plan_damaged``: it is there and cannot be read.
    """
    key = RunLayout(run_id).asked
    try:
        return AskedRun.model_validate_json(store.get(key))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise _damaged(key, why_unreadable(error)) from error


def _check_same(store: Store, layout: RunLayout, asked: AskedRun) -> None:
    stored = read_asked(store, layout.run_id)
    if stored == asked or (stored is None and store.head(layout.request) is None):
        return
    differing = [name for name in AskedRun.model_fields if stored and getattr(stored, name) != getattr(asked, name)]
    raise BadRequestError(
        "run_id_taken",
        f"the run {layout.run_id} was asked for differently" + (f": {', '.join(differing)}" if differing else ""),
        where=store.uri,
        fix="Leave out what is asked to take up that run, or submit under another run_id.",
    )


def _stored_run(store: Store, run_id: str) -> StoredRun:
    plan = read_plan(store, run_id)
    if plan_digest(plan.cases) != plan.request.plan_sha256:
        raise _damaged(RunLayout(run_id).root, "the stored cases are not those that were planned")
    if Counter(entry.shard for entry in plan.cases) != {shard.shard: shard.cases for shard in plan.shards.shards}:
        raise _damaged(RunLayout(run_id).root, "the stored shards are not those of the cases")
    success = read_success(store, DataSetLayout.named(plan.request.data_set))
    return StoredRun(plan.request, plan.shards, success is not None and success.run_id == run_id)


def _damaged(where: str, what: str) -> IntegrityError:
    return IntegrityError("plan_damaged", what, where=where, fix="Start the run afresh.")
