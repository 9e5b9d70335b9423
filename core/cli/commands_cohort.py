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

START_SECONDS = 1.5
SECONDS_PER_BYTE = 1 / 35e6
SECONDS_PER_WINDOW = 0.0004
"""One worker's time for a compressed byte read and a window written, measured on a shared 2-core machine."""


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
    if out is not None and not dry_run:
        from core.run.plan_store import write_plan
        from core.store import open_store

        write_plan(open_store(out, create=True), made)
    summary = plan_summary(made)
    for remark in made.request.notes:
        note(f"note: {remark}")
    if json:
        print_json(summary)
        return EXIT_DONE
    _show(summary)
    if dry_run:
        note("nothing was written")
    return EXIT_DONE


def plan_summary(made: Plan) -> dict[str, Any]:
    """The plan in figures."""
    found = [entry for entry in made.cases if entry.case.key is not None]
    missing = [entry.case.id for entry in made.cases if entry.case.key is None]
    size = sum(entry.case.size for entry in found)
    shards = Counter(shard.split for shard in made.shards.shards)
    windows = sum(entry.case.estimated_windows for entry in found)
    splits = {}
    for side in ("train", "validation", "test"):
        own = [entry for entry in made.cases if entry.split == side]
        estimated = sum(entry.case.estimated_windows for entry in own)
        splits[side] = {
            "cases": len(own),
            "subjects": len({entry.case.group for entry in own}),
            "estimated_windows": estimated,
            "share": estimated / windows if windows else 0.0,
            "shards": shards[side],
        }
    return {
        "run_id": made.request.run_id,
        "data_set": made.request.data_set,
        "cases_found": len(found),
        "cases_missing": missing,
        "subjects": len({entry.case.group for entry in made.cases}),
        "bytes": size,
        "estimated_windows": windows,
        "splits": splits,
        "shards": len(made.shards.shards),
        "estimated_seconds": round(
            START_SECONDS + (size * SECONDS_PER_BYTE + windows * SECONDS_PER_WINDOW) / processors(), 1
        ),
        "notes": list(made.request.notes),
    }


def _show(summary: dict[str, Any]) -> None:
    missing = summary["cases_missing"]
    shown = f" ({', '.join(missing[:10])}{', …' if len(missing) > 10 else ''})" if missing else ""
    print_lines(
        [
            f"run       {summary['run_id']}",
            f"cases     {summary['cases_found']:,} found, {len(missing):,} missing{shown}",
            f"subjects  {summary['subjects']:,}",
            f"windows   about {summary['estimated_windows']:,}, from {summary['bytes'] / 1e6:,.1f} MB",
            f"shards    {summary['shards']:,}",
            f"time      about {summary['estimated_seconds']:,.0f} s on this machine's {processors()} processors",
        ]
    )
    print_table(
        "",
        ("split", "cases", "subjects", "windows (estimated)", "share", "shards"),
        [
            (side, row["cases"], row["subjects"], row["estimated_windows"], f"{row['share']:.1%}", row["shards"])
            for side, row in summary["splits"].items()
        ],
    )
