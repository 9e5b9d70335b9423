"""``casemill quarantine``: the failed cases that wait in the queue, and sending them through again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options as cohort_options
from core.cli.output import note, print_json, print_lines, print_table
from core.cli.plugins import CarefulGroup
from core.errors import EXIT_DONE, BadRequestError
from handlers.command_line import options

if TYPE_CHECKING:
    from core.run.quarantine import QuarantineMessage
    from core.run.submission import AskedRun
    from core.store import Store

LIST_SECONDS = 120
REDRIVE_SECONDS = 900
"""Others do not see the messages for this long, unless they are given back before."""

quarantine = typer.Typer(
    cls=CarefulGroup,
    help="List quarantined cases, and send them through again.\n\nExample: casemill quarantine list",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@quarantine.command("list")
def list_(
    run: Annotated[str | None, typer.Option(help="Only the cases of this run.")] = None,
    stack: options.Stack = options.DEFAULT_STACK,
    aws_profile: options.AwsProfile = None,
    region: options.Region = None,
    json: cohort_options.JsonOutput = False,
) -> int:
    """List the cases that failed and wait in the queue. They stay in it.

    Example: casemill quarantine list --run vitaldb-0123456789ab
    """
    deployed = options.open_stack(stack, aws_profile, region)
    from handlers.command_line.held_messages import held

    with held(deployed.quarantine_queue, LIST_SECONDS) as messages:
        foreign = sum(message.content is None for message in messages)
        contents = [message.content for message in messages if message.content is not None]
    found = distinct([item for item in contents if run in (None, item.run_id)])
    if json:
        print_json([item.model_dump(mode="json") for item in found])
    elif found:
        rows = [(item.run_id, item.data_set, item.case_id, item.reason, ", ".join(item.flags)) for item in found]
        print_table(f"{len(found):,} cases", ("run", "data set", "case", "reason", "flags"), rows)
    else:
        print_lines(["no case waits in quarantine"])
    if foreign:
        note(f"note: {foreign} messages are no quarantined cases; they are left alone")
    return EXIT_DONE


@quarantine.command("redrive")
def redrive(
    run: options.Run,
    name: Annotated[str, typer.Option(help="Name of the new data set: a published one is not added to.")],
    budget: Annotated[
        float | None, typer.Option(min=0.01, help="Dollars at which the run is stopped; the stack's if not given.")
    ] = None,
    stack: options.Stack = options.DEFAULT_STACK,
    aws_profile: options.AwsProfile = None,
    region: options.Region = None,
    json: cohort_options.JsonOutput = False,
) -> int:
    """Submit a run over the quarantined cases of a run, else as that one was, and take them out of the queue.

    The split's thresholds go along, so that nobody changes sides. Mend the source first.

    Example: casemill quarantine redrive vitaldb-0123456789ab --name second-look
    """
    deployed = options.open_stack(stack, aws_profile, region)
    from core.run.plan_store import read_request
    from core.run.quarantine import redrive as request_again
    from core.run.submission import submission_id
    from core.workloads.registry import build_workload
    from handlers.command_line.held_messages import delete, held
    from handlers.command_line.submit import begin, new_submission, submitted, submitted_lines

    store = deployed.open_output()
    asked = needed_request(store, run)
    request = read_request(store, run)
    with held(deployed.quarantine_queue, REDRIVE_SECONDS) as messages:
        own = [message for message in messages if message.content is not None and message.content.run_id == run]
        workload = build_workload(request.workload, request.configuration)
        contents = [item.content for item in own if item.content is not None]
        again = request_again(contents, asked, request, workload, name)
        dollars = deployed.budget_usd if budget is None else budget
        submission = new_submission(submission_id(again), again, dollars)
        execution, started = begin(deployed, store, submission)
        delete(deployed.quarantine_queue, own)
        messages[:] = [message for message in messages if message not in own]
    cases = len(distinct([message.content for message in own if message.content is not None]))
    if json:
        print_json({**submitted(deployed, submission, execution, started), "cases": cases})
    else:
        print_lines([f"cases      {cases:,}", *submitted_lines(deployed, submission, execution, started)])
    return EXIT_DONE


def distinct(messages: list[QuarantineMessage]) -> list[QuarantineMessage]:
    """One message a case: a case may be sent twice. By run, then by number."""
    return sorted(
        {(item.run_id, item.case_id): item for item in messages}.values(),
        key=lambda item: (item.run_id, item.case_number, item.case_id),
    )


def needed_request(store: Store, run_id: str) -> AskedRun:
    """What was asked for.

    Raises
    ------
    BadRequestError
        ``no_run``.
    """
    from core.run.take_up import read_asked

    asked = read_asked(store, run_id)
    if asked is None:
        raise BadRequestError(
            "no_run",
            f"no run {run_id!r} of the cloud here",
            where=store.uri,
            fix="See casemill quarantine list.",
        )
    return asked
