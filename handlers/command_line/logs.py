"""``casemill logs``: what the containers and functions of a run said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options as cohort_options
from core.cli.output import note, out
from core.cli.status_view import print_line
from core.errors import EXIT_DONE, BadRequestError
from handlers.command_line import options

if TYPE_CHECKING:
    from core.store import Store
    from handlers.command_line.log_lines import LogLine
    from handlers.command_line.stack import DeployedStack

FOLLOW_SECONDS = 5.0
LATE_SECONDS = 60.0
"""Lines may come this late, so each look begins this long before the last line."""


def logs(
    run: options.Run,
    case: Annotated[str | None, typer.Option(help="Only the containers that worked this case's partition.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run's execution ends.")] = False,
    stack: options.Stack = options.DEFAULT_STACK,
    aws_profile: options.AwsProfile = None,
    region: options.Region = None,
    json: cohort_options.JsonOutput = False,
) -> int:
    """Print what the containers and functions of a run said, in the order of time.

    With --case: the case's shard, its partition, and all attempts at it. With --json each line is a document.

    Example: casemill logs vitaldb-0123456789ab --case 0017
    """
    from handlers.command_line.log_streams import partition_of_case

    deployed = options.open_stack(stack, aws_profile, region)
    store = deployed.open_output()
    since = _beginning(deployed, store, run)
    partition = None if case is None else partition_of_case(store, run, case)
    if partition is not None:
        note(f"case {case} is in partition {partition}")
    printed: set[LogLine] = set()
    said_anything = False
    while True:
        # Asked before the lines are read: what is said until the end is then among them.
        goes_on = follow and _is_running(deployed, run)
        for line in _lines(deployed, store, run, partition, since):
            if line not in printed:
                printed.add(line)
                _print(line, json)
        said_anything = said_anything or bool(printed)
        if not goes_on:
            break
        time.sleep(FOLLOW_SECONDS)
        since = max((line.time - LATE_SECONDS for line in printed), default=since)
        printed = {line for line in printed if line.time >= since}
        store = deployed.open_output(store)
    if not said_anything:
        note("note: no lines; logs are kept as long as the stack's setting log_retention_days says")
    return EXIT_DONE


def _beginning(stack: DeployedStack, store: Store, run_id: str) -> float:
    """When the run's first execution started, by the clock; 0 where Step Functions has forgotten it."""
    from core.run.layout import RunLayout
    from handlers.command_line.executions import executions_of

    found = executions_of(stack, run_id)
    if not found and store.head(RunLayout(run_id).request) is None:
        raise BadRequestError(
            "no_run", f"no run {run_id!r} here", where=store.uri, fix="casemill submit prints the run's id."
        )
    return min((execution.started for execution in found), default=0.0)


def _is_running(stack: DeployedStack, run_id: str) -> bool:
    from handlers.command_line.executions import running_of

    return bool(running_of(stack, run_id))


def _lines(stack: DeployedStack, store: Store, run_id: str, partition: int | None, since: float) -> Iterator[LogLine]:
    from handlers.command_line.log_lines import merged, read_lines, read_mentions
    from handlers.command_line.log_streams import find_streams

    streams = find_streams(stack, store, run_id, partition)
    sources = [read_lines(stack.job_log_group, {item.name: item.origin for item in streams}, since)]
    if partition is None:
        sources += [read_mentions(group, name, run_id, since) for name, group in stack.function_logs().items()]
    return merged(sources)


def _print(line: LogLine, as_json: bool) -> None:
    if as_json:
        print_line(line.document())
    else:
        out.print(line.text())
        out.file.flush()
