"""``casemill run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.cli import options
from core.cli.machine import processors
from core.cli.output import note, print_json, print_lines
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED

if TYPE_CHECKING:
    from core.run.pipeline import RunResult


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
    from core.cli.live import show_progress
    from core.run.pipeline import execute
    from core.store import open_store
    from core.workloads.registry import build_workload

    cache = options.cache_of(grid_cache)
    plan, built = options.plan_of(asked)
    store = open_store(out, create=True)
    for remark in plan.request.notes:
        note(f"note: {remark}")
    remind_of_rehearsal(store, plan)
    with show_progress(plan.request.run_id) as on_progress:
        result = execute(store, plan, built, build_workload, workers or processors(), on_progress, cache)
    for remark in result.remarks:
        note(f"note: {remark}")
    if json:
        print_json(run_summary(store.uri, result))
    else:
        print_lines(run_lines(store.uri, result))
    return EXIT_DONE if result.verification.passed else EXIT_NOT_VERIFIED


def run_summary(output: str, result: RunResult) -> dict[str, Any]:
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
    }


def run_lines(output: str, result: RunResult) -> list[str]:
    """The result of a run for people: five lines, and one for each check that failed."""
    manifest, request, verification = result.manifest, result.plan.request, result.verification
    outcomes = ", ".join(f"{count} {name}" for name, count in manifest.outcomes.items())
    reasons = ", ".join(f"{reason} {count}" for reason, count in manifest.reasons.items())
    splits = " · ".join(
        f"{side} {counts.records:,} ({counts.groups} subjects)" for side, counts in manifest.splits.items()
    )
    failed = [f"  failed: {check.name}: {check.detail}" for check in verification.checks if not check.passed]
    if verification.passed:
        verdict = f"verified  all {len(verification.checks)} checks hold · root hash {manifest.root_hash}"
        place = f"data set  {output}/datasets/{request.data_set}"
    else:
        verdict = f"NOT VERIFIED: {len(failed)} of {len(verification.checks)} checks failed; no data set is published"
        place = f"details   {output}/runs/{request.run_id}/verification.json and quarantine.jsonl"
    return [
        f"cases     {manifest.planned_cases} planned: {outcomes}" + (f" ({reasons})" if reasons else ""),
        f"windows   {manifest.records:,}: {splits}",
        verdict,
        *failed,
        place,
        f"run       {output}/runs/{request.run_id} · {result.seconds:.1f} s"
        + (f" · {result.resumed_shards} shards were there already" if result.resumed_shards else "")
        + (f" · {result.recalled} cases from the grid cache" if result.recalled else ""),
    ]
