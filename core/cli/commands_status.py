"""``casemill status``: how far a run is, once or until it is finished."""

from __future__ import annotations

import json as json_format
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.cli import options
from core.cli.output import print_json, print_lines
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED, BadRequestError

if TYPE_CHECKING:
    from core.run.models import RunRequest
    from core.run.progress import Progress, ProgressReader

REFRESH_SECONDS = 2.0

Stage = Literal["not started", "working", "verifying", "published", "not verified"]


@dataclass(frozen=True)
class Status:
    """One look at a run."""

    progress: Progress
    stage: Stage
    data_set: str
    root_hash: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will change by itself."""
        return self.stage in ("published", "not verified")


def status(
    run: Annotated[str, typer.Argument(help="The run: OUT/runs/RUN_ID.")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every 2 seconds until the run is finished.")
    ] = False,
    json: options.JsonOutput = False,
) -> int:
    """Show how far a run is.

    With --watch, exit code 0: published; 1: not verified; 130: left with Ctrl-C. The run itself is not touched.
    """
    from core.cli.live import show_status
    from core.run.plan_store import read_request
    from core.run.progress import ProgressReader, read_shards
    from core.store import open_store

    output, runs, run_id = run.rstrip("/").rpartition("runs/")
    if not runs or not run_id or "/" in run_id or (output and not output.endswith("/")):
        raise BadRequestError("bad_run", "not a run's folder", where=run, fix="Give OUT/runs/RUN_ID.")
    store = open_store(output.rstrip("/") or ("/" if output else "."))
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


def status_document(seen: Status) -> dict[str, Any]:
    """The status for programs."""
    progress = seen.progress
    return {
        **progress.model_dump(mode="json"),
        "cases_left": progress.cases_left,
        "share": progress.share,
        "cases_per_second": progress.rate,
        "windows_per_second": progress.record_rate,
        "left_seconds": progress.left_seconds,
        "reclaims": progress.reclaims,
        "stale": list(progress.stale),
        "stage": seen.stage,
        "data_set": seen.data_set,
        "verified": seen.stage == "published",
        "root_hash": seen.root_hash,
    }


def print_status_line(seen: Status) -> None:
    """The status as one line of JSON."""
    sys.stdout.write(json_format.dumps(status_document(seen), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def status_lines(seen: Status) -> list[str]:
    """The status for people."""
    from core.run.progress import clock_text, duration_text, rates_text

    progress = seen.progress
    ends = ", ".join(f"{count} {why}" for why, count in progress.ends.items())
    lines = [
        f"run       {progress.run_id}: {seen.stage}",
        f"cases     {progress.cases_finished:,} of {progress.cases_planned:,} ({progress.share:.1%}): "
        f"{progress.cases_done:,} done, {progress.cases_empty:,} empty, {progress.cases_failed:,} failed; "
        f"{progress.cases_left:,} left",
        f"shards    {progress.shards_committed:,} of {progress.shards_planned:,} committed",
        f"windows   {progress.records:,}",
        f"rate      {rates_text(progress)}; time left {duration_text(progress.left_seconds)}",
        f"attempts  {progress.attempts:,}" + (f" ({ends})" if ends else "") + f"; {progress.reclaims} reclaims",
        f"updated   {clock_text(progress.updated)}",
        f"data set  {seen.data_set}: {'verified and published' if seen.stage == 'published' else 'not published'}",
    ]
    if progress.stale:
        shown = ", ".join(map(str, progress.stale[:10])) + (", …" if len(progress.stale) > 10 else "")
        lines.insert(1, f"STALE     {len(progress.stale)} workers are silent for too long, of partition {shown}")
    return lines


def headline(seen: Status) -> str:
    """The status in one line."""
    from core.run.progress import duration_text, rates_text

    progress = seen.progress
    parts = [
        f"{progress.share:.1%}",
        f"{progress.cases_finished:,} of {progress.cases_planned:,} cases",
        rates_text(progress),
        f"{duration_text(progress.left_seconds)} left".replace("unknown left", "time left unknown"),
        f"{progress.cases_failed:,} failed",
        f"{progress.reclaims} reclaims",
    ]
    if progress.stale:
        parts.append(f"{len(progress.stale)} STALE")
    return " · ".join([*parts, seen.stage])
