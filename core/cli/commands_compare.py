"""``casemill compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli import options
from core.cli.output import note, print_json, print_lines, print_table
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED, BadRequestError


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="OUT/datasets/NAME or OUT/runs/RUN_ID; a folder or s3://.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same for the other one.")],
    html: Annotated[Path | None, typer.Option(help="Write the comparison as a page to this file too.")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit code 1 where the data differ.")] = False,
    json: options.JsonOutput = False,
) -> int:
    """Compare two data sets or runs: cohort, outcomes, splits, distributions, schema, configuration, time and cost.

    Documents are read, no shard: `casemill verify` says whether those are what the documents say. Exit code 0, whatever
    differs; with --exit-code, 1 where the data differ (cases, outcomes, sides, schema or root hash).

    Example: casemill compare out/datasets/first out/datasets/second --html comparison.html
    """
    from core.compare.comparison import compare as comparison_of
    from core.compare.read import read_side
    from core.compare.text import (
        change_lines,
        cohort_lines,
        feature_table,
        figure_lines,
        head_lines,
        split_table,
        warnings,
    )
    from core.workloads.registry import build_workload

    comparison = comparison_of(read_side(first, build_workload), read_side(second, build_workload))
    for warning in warnings(comparison):
        note(f"warning: {warning}")
    if html is not None:
        from core.compare.page import comparison_page

        _write(html, comparison_page(comparison))
    if json:
        print_json(comparison.model_dump(mode="json"))
    else:
        print_lines([*head_lines(comparison), "", *cohort_lines(comparison), ""])
        tables = [split_table(comparison), *([feature_table(comparison)] if comparison.features else [])]
        for table in tables:
            print_table(table.title, table.columns, table.rows)
            print_lines([""])
        print_lines([*figure_lines(comparison), *change_lines(comparison)])
        if html is not None:
            print_lines([f"page: {html}"])
    return EXIT_NOT_VERIFIED if exit_code and not comparison.same_data else EXIT_DONE


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadRequestError(
            "bad_location", error.strerror or str(error), where=str(path), fix="Give --html a file that can be written."
        ) from error
