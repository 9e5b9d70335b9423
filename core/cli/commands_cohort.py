"""``casemill plan``: what a run would do, before it does it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import options
from core.cli.machine import processors
from core.cli.output import note, print_json, print_lines, print_table
from core.errors import EXIT_DONE, BadRequestError

if TYPE_CHECKING:
    from core.run.plan import Plan
    from core.run.projection import Estimate
    from core.store import Store


@options.over_a_cohort
def plan(
    asked: options.Asked,
    out: Annotated[str | None, typer.Option(help="Where the run will be written; not needed with --dry-run.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan; write nothing.")] = False,
    json: options.JsonOutput = False,
) -> int:
    """Select the cohort, split it, and show what a run would do.

    Example: casemill plan --dry-run --source vital_files --clinical clinical_data.csv --where "age >= 18"
    """
    if out is None and not dry_run:
        raise BadRequestError("bad_option", "nowhere to write the plan", where="--out", fix="Give --out or --dry-run.")
    made, _ = options.plan_of(asked)
    store = None
    if out is not None and not dry_run:
        from core.run.plan_store import write_plan
        from core.store import open_store

        store = open_store(out, create=True)
        write_plan(store, made)
    seconds = _seconds_here(made, store)
    summary = plan_summary(made, seconds)
    for remark in made.request.notes:
        note(f"note: {remark}")
    if json:
        print_json(summary)
        return EXIT_DONE
    _show(summary, seconds)
    if dry_run:
        note("nothing was written")
    return EXIT_DONE


def _seconds_here(made: Plan, store: Store | None) -> Estimate | None:
    """How long this machine will take with all of its processors."""
    from core.cli.time_figures import model_here

    model = model_here(made.request, store)
    return model.run_seconds(made.shards.shards, processors()) if model else None


def plan_summary(made: Plan, seconds: Estimate | None) -> dict[str, Any]:
    """The plan in figures; ``seconds`` is ``None`` where nobody has measured the workload."""
    found = [entry for entry in made.cases if entry.case.key is not None]
    missing = [entry.case.id for entry in made.cases if entry.case.key is None]
    size = sum(entry.case.size for entry in found)
    shards = Counter(shard.split for shard in made.shards.shards)
    records = sum(entry.case.estimated_records for entry in found)
    splits = {}
    for side in ("train", "validation", "test"):
        own = [entry for entry in made.cases if entry.split == side]
        estimated = sum(entry.case.estimated_records for entry in own)
        splits[side] = {
            "cases": len(own),
            "groups": len({entry.case.group for entry in own}),
            "estimated_records": estimated,
            "share": estimated / records if records else 0.0,
            "shards": shards[side],
        }
    return {
        "run_id": made.request.run_id,
        "data_set": made.request.data_set,
        "cases_found": len(found),
        "cases_missing": missing,
        "groups": len({entry.case.group for entry in made.cases}),
        "bytes": size,
        "estimated_records": records,
        "splits": splits,
        "shards": len(made.shards.shards),
        "estimated_seconds": round(seconds.value, 1) if seconds else None,
        "estimated_seconds_range": [round(seconds.low, 1), round(seconds.high, 1)] if seconds else None,
        "notes": list(made.request.notes),
    }


def _show(summary: dict[str, Any], seconds: Estimate | None) -> None:
    from core.cost.text import span_text

    missing = summary["cases_missing"]
    shown = f" ({', '.join(missing[:10])}{', …' if len(missing) > 10 else ''})" if missing else ""
    print_lines(
        [
            f"run       {summary['run_id']}",
            f"cases     {summary['cases_found']:,} found, {len(missing):,} missing{shown}",
            f"groups    {summary['groups']:,}",
            f"examples  about {summary['estimated_records']:,}, from {summary['bytes'] / 1e6:,.1f} MB",
            f"shards    {summary['shards']:,}",
            f"time      {span_text(seconds) if seconds else 'unknown'} on this machine's {processors()} processors",
        ]
    )
    print_table(
        "",
        ("split", "cases", "groups", "examples (estimated)", "share", "shards"),
        [
            (side, row["cases"], row["groups"], row["estimated_records"], f"{row['share']:.1%}", row["shards"])
            for side, row in summary["splits"].items()
        ],
    )
