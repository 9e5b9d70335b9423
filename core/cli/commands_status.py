"""``casemill status``: how far a run is, once or until it is finished."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options
from core.cli.output import print_json, print_lines
from core.cli.run_location import open_run
from core.cli.status_view import Stage, Status, show_status, status_document, status_lines
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED

if TYPE_CHECKING:
    from core.run.models import RunRequest
    from core.run.progress import ProgressReader

REFRESH_SECONDS = 2.0


def status(
    run: Annotated[str, typer.Argument(help="The run: OUT/runs/RUN_ID, or its data set, OUT/datasets/NAME.")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every 2 seconds until the run is finished.")
    ] = False,
    json: options.JsonOutput = False,
) -> int:
    """Show how far a run is.

    With --watch, exit code 0: published; 1: not verified; 130: left with Ctrl-C. The run itself is not touched.

    Example: casemill status out/datasets/first --watch
    """
    from core.run.plan_store import read_request
    from core.run.progress import ProgressReader, read_shards

    store, run_id = open_run(run)
    request = read_request(store, run_id)
    reader = ProgressReader(store, run_id, read_shards(store, run_id))
    if not watch:
        seen = look(reader, request)
        if json:
            print_json(status_document(seen))
        else:
            print_lines(status_lines(seen))
        return EXIT_DONE
    with show_status(json) as show:
        while True:
            seen = look(reader, request)
            show(seen)
            if seen.ended:
                return EXIT_DONE if seen.stage == "published" else EXIT_NOT_VERIFIED
            time.sleep(REFRESH_SECONDS)


def look(reader: ProgressReader, request: RunRequest) -> Status:
    """The run as it is now."""
    from core.run.layout import DataSetLayout
    from core.run.publish import read_success

    progress = reader.read()
    success = read_success(reader.store, DataSetLayout.named(request.data_set)) if progress.worked else None
    stage: Stage
    if success is not None and success.run_id == request.run_id:
        stage = "published"
    elif progress.worked:
        stage = "not verified" if _failed_verification(reader) else "verifying"
    else:
        stage = "working" if progress.attempts else "not started"
    return Status(progress, stage, request.data_set, success.root_hash if success else None)


def _failed_verification(reader: ProgressReader) -> bool:
    from pydantic import ValidationError

    from core.run.layout import RunLayout
    from core.run.models import Verification

    try:
        found = Verification.model_validate_json(reader.store.get(RunLayout(reader.run_id).verification))
    except (FileNotFoundError, ValidationError):
        return False
    return not found.passed
