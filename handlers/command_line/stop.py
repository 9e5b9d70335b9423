"""``casemill stop``: end a run's execution; what is committed stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.cli import options as cohort_options
from core.cli.output import print_json, print_lines
from core.errors import EXIT_DONE
from handlers.command_line import options

if TYPE_CHECKING:
    from core.store import Store

CAUSE = "casemill stop"


def stop(
    run: options.Run,
    stack: options.Stack = options.DEFAULT_STACK,
    aws_profile: options.AwsProfile = None,
    region: options.Region = None,
    json: cohort_options.JsonOutput = False,
) -> int:
    """Stop a run in the cloud: its execution and its job end, and what is committed stays.

    Workers save what they have finished before they end. Where nothing runs, nothing is done.

    Example: casemill stop vitaldb-0123456789ab
    """
    from handlers.command_line.executions import needed_execution, running_of
    from handlers.command_line.executions import stop as stop_execution

    deployed = options.open_stack(stack, aws_profile, region)
    needed_execution(deployed, run)
    running = running_of(deployed, run)
    for execution in running:
        stop_execution(execution, CAUSE)
    left = what_stays(deployed.open_output(), run)
    if json:
        print_json({"run_id": run, "stopped": [execution.name for execution in running], **left})
        return EXIT_DONE
    what = ", ".join(execution.name for execution in running)
    print_lines(
        [
            f"stopped   {what}" if running else f"nothing of run {run} is running",
            f"stays     {left['shards_committed']:,} of {left['shards_planned']:,} shards are committed, and the saved "
            "segments of the others"
            if left["shards_planned"]
            else "stays     nothing: the run was not planned yet",
            f"go on     casemill submit --run {run}: only what is missing is done"
            if left["shards_planned"]
            else "go on     submit it again as before",
        ]
    )
    return EXIT_DONE


def what_stays(store: Store, run_id: str) -> dict[str, Any]:
    """Shards that are planned and committed; zeros where the run was not planned yet."""
    from core.run.layout import RunLayout
    from core.run.progress import read_shards
    from core.run.rounds import committed_shards

    if store.head(RunLayout(run_id).request) is None:
        return {"shards_planned": 0, "shards_committed": 0}
    planned = {shard.shard for shard in read_shards(store, run_id).shards}
    return {"shards_planned": len(planned), "shards_committed": len(planned & committed_shards(store, run_id))}
