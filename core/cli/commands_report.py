"""``casemill report``: the run's page, written again at any time; and the same for ``casemill run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options
from core.cli.output import note, print_json, print_lines, say_error
from core.cli.run_location import open_run
from core.errors import EXIT_DONE

if TYPE_CHECKING:
    from core.report.write import Viewing
    from core.store import Store

DEFAULT_SAMPLE = 6
MOST_SAMPLE = 100

WHILE_STOPPED = "The run was not finished when this page was written. casemill report RUN adds the viewer."


def report(
    run: Annotated[
        str, typer.Argument(help="The run: OUT/runs/RUN_ID, or its data set, OUT/datasets/NAME; a folder or s3://.")
    ],
    out: Annotated[
        str | None, typer.Option(help="File to write to, or s3://; OUT/runs/RUN_ID/report.html if not given.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the source is now, for the case viewer; the run's own if not given.")
    ] = None,
    sample: Annotated[
        int,
        typer.Option(min=0, max=MOST_SAMPLE, help="Cases that the viewer shows beside the oddest ones."),
    ] = DEFAULT_SAMPLE,
    viewer: Annotated[
        bool, typer.Option("--viewer/--no-viewer", help="With the case viewer, for which cases are read again.")
    ] = True,
    json: options.JsonOutput = False,
) -> int:
    """Write the report of a run again: one HTML file that needs no network.

    Works for any run that was planned: finished, failed, stopped or still under way.

    Example: casemill report out/runs/vitaldb-0123456789ab --out report.html
    """
    from core.report.write import Viewing, make_page
    from core.run.layout import RunLayout
    from core.workloads.registry import build_workload

    store, run_id = open_run(run)
    viewing = Viewing(source, sample, "" if viewer else "This page was made without a case viewer (--no-viewer).")
    page = make_page(store, run_id, build_workload, viewing)
    key = RunLayout(run_id).report_page
    place = f"{store.uri}/{key}" if out is None else out
    if out is None:
        store.put(key, page)
    else:
        write_file(out, page)
    if json:
        print_json({"run_id": run_id, "report": place, "bytes": len(page)})
    else:
        print_lines([f"report    {place} · {len(page) / 1e6:.1f} MB"])
    return EXIT_DONE


def write_file(location: str, content: bytes) -> None:
    """Write a file that a user named.

    Raises
    ------
    BadRequestError
        ``bad_location``: its folder does not exist, or it is a folder itself.
    """
    from core.store import open_object

    store, key = open_object(location)
    store.put(key, content)


def leave_page(store: Store, run_id: str, viewing: Viewing | None = None) -> str | None:
    """Write the page of a run that has just ended, and give its place; where it cannot be written say why, because the
    run's own outcome must not change."""
    from core.report.write import Viewing, try_to_write_page
    from core.workloads.registry import build_workload

    told = try_to_write_page(store, run_id, build_workload, viewing or Viewing())
    if told.error is None:
        return f"{store.uri}/{told.key}"
    if told.error.code != "no_run":
        note("note: the run's report could not be written; the run itself is as it is said here")
        say_error(told.error.code, told.error.what, told.error.where, told.error.fix, document=False)
    return None
