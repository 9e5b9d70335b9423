"""``casemill run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import options
from core.cli.machine import processors
from core.cli.output import note, print_json, print_lines
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED

if TYPE_CHECKING:
    from core.cost.estimate import EstimateOutcome, RunEstimate
    from core.run.pipeline import RunResult
    from core.run.plan import Plan
    from core.store import Store

MOVE_AWAY = "Move the files named here out of the data set and start the same command again: shards are made afresh."


@options.over_a_cohort
def run(
    asked: options.Asked,
    out: options.Out,
    workers: options.Workers = None,
    grid_cache: options.GridCache = None,
    json: options.JsonOutput = False,
) -> int:
    """Make a verified data set from a cohort.

    Running the same command again takes up what an interrupted one left.

    Example: casemill run --source vital_files --clinical clinical_data.csv --cases 1-100 --out out --name first
    """
    from core.cli.commands_rehearse import remind_of_rehearsal
    from core.cli.commands_report import WHILE_STOPPED, leave_page
    from core.cli.live import show_progress
    from core.report.write import Viewing
    from core.run.pipeline import execute
    from core.run.stop import InterruptedRunError
    from core.store import open_store
    from core.workloads.registry import build_workload

    plan, built = options.plan_of(asked)
    check_places(out, grid_cache)
    cache = options.cache_of(grid_cache, built)
    store = open_store(out, create=True)
    for remark in plan.request.notes:
        note(f"note: {remark}")
    remind_of_rehearsal(store, plan)
    count = workers or processors()
    estimate = estimate_what_is_left(store, plan, count)
    try:
        with show_progress(plan.request.run_id) as on_progress:
            result = execute(store, plan, built, build_workload, count, on_progress, cache)
    except BaseException as error:
        # Of a run that was done already, the page with everything is there and holds.
        if not (isinstance(error, KeyboardInterrupt | InterruptedRunError) and is_published(store, plan)):
            leave_page(store, plan.request.run_id, Viewing(why_not=WHILE_STOPPED))
        raise
    for remark in result.remarks:
        note(f"note: {remark}")
    outcome = keep_outcome(store, estimate, result) if estimate.shards else None
    page = leave_page(store, plan.request.run_id)
    if json:
        print_json({**run_summary(store.uri, result, outcome), "report": page})
    else:
        print_lines([*run_lines(store.uri, result, outcome), *([f"report    {page}"] if page else [])])
    return EXIT_DONE if result.verification.passed else EXIT_NOT_VERIFIED


def is_published(store: Store, plan: Plan) -> bool:
    """Whether the run's data set stands as verified."""
    from core.run.layout import DataSetLayout
    from core.run.publish import read_success

    success = read_success(store, DataSetLayout.named(plan.request.data_set))
    return success is not None and success.run_id == plan.request.run_id


def check_places(out: str, grid_cache: str | None) -> None:
    """Look at where a run writes, before anything is made there.

    Raises
    ------
    BadRequestError
        ``bad_location``: what the workers could not share. ``bad_option``: a cache in the midst of data sets, which
        would not verify.
    """
    from core.errors import BadRequestError

    if out.startswith("memory://"):
        what = "a run has several processes, which share no memory"
        raise BadRequestError("bad_location", what, where="--out", fix="Give a folder or s3://.")
    if grid_cache is not None and f"{_absolute(grid_cache)}/".startswith(f"{_absolute(out)}/datasets/"):
        what = f"{grid_cache} is among the data sets of this run's output"
        raise BadRequestError("bad_option", what, where="--grid-cache", fix="Give a folder of its own.")


def _absolute(location: str) -> str:
    return location.rstrip("/") if "://" in location else str(Path(location).expanduser().resolve())


def estimate_what_is_left(store: Store, plan: Plan, workers: int) -> RunEstimate:
    """What this start should take: the shards that are not committed, on this machine."""
    from core.cli.time_figures import model_here
    from core.cost.estimate import estimate_run
    from core.run.layout import RunLayout

    listed = store.list(RunLayout(plan.request.run_id).commits)
    committed = {item.key.rpartition("/")[2].removesuffix(".json") for item in listed}
    left = [shard for shard in plan.shards.shards if shard.shard not in committed]
    return estimate_run(plan.request.workload, model_here(plan.request, store), left, workers)


def keep_outcome(store: Store, estimate: RunEstimate, result: RunResult) -> EstimateOutcome:
    """Write ``estimate.json``: what was estimated beside what it took; the last start that had work to do stays."""
    from core.cost.estimate import EstimateOutcome
    from core.run.layout import RunLayout

    run_id = result.plan.request.run_id
    outcome = EstimateOutcome(
        run_id=run_id,
        estimate=estimate,
        took_seconds=round(result.seconds, 3),
        whole_run=estimate.shards == len(result.plan.shards.shards),
    )
    store.put(RunLayout(run_id).estimate, outcome.to_bytes())
    return outcome


def run_summary(output: str, result: RunResult, outcome: EstimateOutcome | None = None) -> dict[str, Any]:
    """The result of a run for programs."""
    manifest, request = result.manifest, result.plan.request
    return {
        "run_id": request.run_id,
        "verified": result.verification.passed,
        "data_set": request.data_set,
        "location": f"{output}/datasets/{request.data_set}",
        "run_location": f"{output}/runs/{request.run_id}",
        "root_hash": manifest.root_hash,
        "planned_cases": manifest.planned_cases,
        "outcomes": manifest.outcomes,
        "reasons": manifest.reasons,
        "records": manifest.records,
        "splits": {side: counts.model_dump() for side, counts in manifest.splits.items()},
        "success_rate": manifest.success_rate,
        "checks": [check.model_dump(mode="json") for check in result.verification.checks],
        "seconds": round(result.seconds, 3),
        "resumed_shards": result.resumed_shards,
        "recalled_cases": result.recalled,
        "remarks": list(result.remarks),
        "estimated_seconds": _estimated(outcome),
    }


def _estimated(outcome: EstimateOutcome | None) -> dict[str, float] | None:
    """What this start was estimated to take; None where it had nothing to do or nobody has measured the workload."""
    seconds = outcome.estimate.seconds if outcome else None
    return {name: round(value, 3) for name, value in seconds.model_dump().items()} if seconds else None


def run_lines(output: str, result: RunResult, outcome: EstimateOutcome | None = None) -> list[str]:
    """The result of a run for people: five lines, and one for each check that failed."""
    from core.cost.text import outcome_line
    from core.run.verify_shard import OF_FILES

    manifest, request, verification = result.manifest, result.plan.request, result.verification
    outcomes = ", ".join(f"{count} {name}" for name, count in manifest.outcomes.items())
    reasons = ", ".join(f"{reason} {count}" for reason, count in manifest.reasons.items())
    splits = " · ".join(
        f"{side} {counts.records:,} ({counts.groups} groups)" for side, counts in manifest.splits.items()
    )
    failed = [f"  failed: {check.name}: {check.detail}" for check in verification.checks if not check.passed]
    missed = len(failed)
    if verification.passed:
        verdict = f"verified  all {len(verification.checks)} checks hold · root hash {manifest.root_hash}"
        place = f"data set  {output}/datasets/{request.data_set}"
    else:
        verdict = f"NOT VERIFIED: {missed} of {len(verification.checks)} checks failed; no data set is published"
        place = f"details   {output}/runs/{request.run_id}/verification.json and quarantine.jsonl"
        if any(check.name in OF_FILES and not check.passed for check in verification.checks):
            failed.append(f"  {MOVE_AWAY}")
    took = outcome_line(outcome) if outcome else f"{result.seconds:.1f} s"
    return [
        f"cases     {manifest.planned_cases} planned: {outcomes}" + (f" ({reasons})" if reasons else ""),
        f"examples  {manifest.records:,}: {splits}",
        verdict,
        *failed,
        place,
        f"run       {output}/runs/{request.run_id} · {took}"
        + (f" · {result.resumed_shards} shards were there already" if result.resumed_shards else "")
        + (f" · {result.recalled} cases from the grid cache" if result.recalled else ""),
    ]
