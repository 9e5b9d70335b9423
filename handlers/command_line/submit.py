"""``casemill submit``: start a run in the cloud, or take one up."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import options as cohort_options
from core.cli.output import note, print_json, print_lines
from core.cli.status_view import print_line
from core.errors import EXIT_DONE, BadRequestError, CasemillError, TransientError
from handlers.command_line import options

if TYPE_CHECKING:
    from core.run.submission import AskedRun, Submission
    from core.store import Store
    from handlers.command_line.executions import Execution
    from handlers.command_line.stack import DeployedStack

NOT_OURS_TO_READ = ("storage_denied", "no_credentials", "bad_credentials", "storage_refused", "wrong_region")
"""Codes of a source or a table that the stack may read and the caller may not, or not with what is set here."""


@cohort_options.over_a_cohort_if_any
def submit(
    asked: cohort_options.Asked | None,
    run: Annotated[str | None, typer.Option(help="Take up this run instead: only what is missing is done.")] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.01, help="Dollars at which the run is stopped; the stack's if not given.")
    ] = None,
    array_width: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Children of the array; if not given, so many that each works minutes."),
    ] = None,
    stack: options.Stack = options.DEFAULT_STACK,
    aws_profile: options.AwsProfile = None,
    region: options.Region = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch it to its end; exit code 1 if it is not verified.")
    ] = False,
    json: cohort_options.JsonOutput = False,
) -> int:
    """Start a run in the cloud. Nothing is uploaded: what is read lies at s3:// locations.

    The same request is the same run: it is taken up where it was left, and never started twice at once.

    Example: casemill submit --source s3://bucket/vital_files --clinical s3://bucket/clinical_data.csv --cases 1-3000
    """
    _check_choice(asked, run, array_width)
    if asked is not None:
        refuse_local(asked)
    deployed = options.open_stack(stack, aws_profile, region)
    store = deployed.open_output()
    dollars = deployed.budget_usd if budget is None else budget
    submission = _taking_up(store, str(run), dollars) if asked is None else _asking(asked, array_width, dollars)
    execution, started = begin(deployed, store, submission)
    if wait:
        from handlers.command_line.watch import watch_to_the_end

        if json:
            print_line(submitted(deployed, submission, execution, started))
        else:
            print_lines(submitted_lines(deployed, submission, execution, started))
        return watch_to_the_end(deployed, submission.run_id, json)
    if json:
        print_json(submitted(deployed, submission, execution, started))
    else:
        print_lines(submitted_lines(deployed, submission, execution, started))
    return EXIT_DONE


def refuse_local(asked: cohort_options.Asked) -> None:
    """Refuse files of this machine, with the command that copies them.

    Raises
    ------
    BadRequestError
        ``not_in_a_bucket``.
    """
    for name, location in cohort_options.locations(asked).items():
        if not location.startswith("s3://"):
            verb = "sync" if name == "--source" else "cp"
            last = location.rstrip("/").rpartition("/")[2] or "cohort"
            raise BadRequestError(
                "not_in_a_bucket",
                f"{location!r} is on this machine, where no machine of the cloud can read it",
                where=name,
                fix=f"Copy it into a bucket that the stack may read: aws s3 {verb} {shlex.quote(location)} "
                f"s3://BUCKET/{shlex.quote(last)}",
            )


def begin(stack: DeployedStack, store: Store, submission: Submission) -> tuple[Execution, bool]:
    """Start the run's next execution, unless one runs; says so.

    Raises
    ------
    BadRequestError
        ``run_id_taken``; as :func:`check_cohort`, where the run is not there yet; and as
        :func:`handlers.command_line.account.asking`.
    """
    from core.run.take_up import take_up
    from handlers.command_line.executions import start

    # The Plan function would refuse it too, only later and by mail.
    taken_up = take_up(store, submission)
    if taken_up is None and submission.asked is not None:
        check_cohort(submission.asked)
    execution, started = start(stack, store, submission)
    if not started:
        note(f"note: execution {execution.name} of this run is running already; nothing was started")
    elif taken_up is not None:
        note("note: the run is there; only what is missing is done")
    return execution, started


def check_cohort(asked: AskedRun) -> None:
    """Refuse here what the plan would refuse in the cloud, above all a cohort without a case.

    Who submits need not be able to read the source; what cannot be read from here is left to the plan, and that is
    said.

    Raises
    ------
    BadRequestError
        As :func:`core.run.submission.plan_asked`.
    """
    from core.run.submission import plan_asked
    from core.workloads.registry import build_workload

    try:
        plan_asked(asked, build_workload)
    except CasemillError as error:
        if not isinstance(error, TransientError) and error.code not in NOT_OURS_TO_READ:
            raise
        note(f"note: {error.where or 'the source'} cannot be read from here ({error.code}); the plan will look at it")


def submitted(stack: DeployedStack, submission: Submission, execution: Execution, started: bool) -> dict[str, Any]:
    """What was submitted, for programs."""
    return {
        "run_id": submission.run_id,
        "execution": execution.name,
        "execution_arn": execution.arn,
        "started": started,
        "budget_usd": submission.budget_usd,
        "run_location": f"{stack.output}/runs/{submission.run_id}",
        "stack": stack.name,
        "region": stack.region,
        "stage": stack.stage,
    }


def submitted_lines(stack: DeployedStack, submission: Submission, execution: Execution, started: bool) -> list[str]:
    """What was submitted, for people, and what to do next."""
    from core.cost.money import dollars_text

    where = ("" if stack.name == options.DEFAULT_STACK else f" --stack {stack.name}") + f" --region {stack.region}"
    return [
        f"run        {submission.run_id}",
        f"execution  {execution.name} ({'started' if started else 'running already'}), stage {stack.stage}",
        # The budget of an execution that runs already is that of its own submission.
        *([f"budget     {dollars_text(submission.budget_usd)}"] if started else []),
        f"location   {stack.output}/runs/{submission.run_id}",
        f"watch it   casemill watch {submission.run_id}{where}",
    ]


def _check_choice(asked: cohort_options.Asked | None, run: str | None, array_width: int | None) -> None:
    if (asked is None) == (run is None):
        what = "nothing is asked for" if run is None else "a run that is there keeps its own source"
        raise BadRequestError(
            "bad_option", what, where="--source, --run", fix="Give one of the two, or a --workload that reads nothing."
        )
    if run is not None and array_width is not None:
        raise BadRequestError(
            "bad_option", "a run that is there keeps its own width", where="--array-width", fix="Leave it out."
        )


def _asking(asked: cohort_options.Asked, array_width: int | None, budget_usd: float) -> Submission:
    from core.run.submission import check_locations, submission_id
    from core.workloads.registry import build_workload

    # Without a width the plan chooses it (core/cost/array_width.py): it lists the source anyway, and a width from a
    # listing of here would give the same request another id as soon as the source grows.
    document: AskedRun = cohort_options.asked_run(asked).model_copy(update={"partitions": array_width})
    check_locations(document, build_workload(document.workload, document.settings))
    return new_submission(submission_id(document), document, budget_usd)


def _taking_up(store: Store, run_id: str, budget_usd: float) -> Submission:
    from core.run.layout import RunLayout

    submission = new_submission(run_id, None, budget_usd)
    if store.head(RunLayout(run_id).request) is None:
        raise BadRequestError(
            "no_run", f"no run {run_id!r} here", where=store.uri, fix="Submit it with --source and what else is asked."
        )
    return submission


def new_submission(run_id: str, asked: AskedRun | None, budget_usd: float) -> Submission:
    """The input of an execution.

    Raises
    ------
    BadRequestError
        ``bad_submission``: no name of a run, or no budget. ``submission_too_large``.
    """
    from core.run.submission import read_submission

    return read_submission(
        {"run_id": run_id, "asked": None if asked is None else asked.model_dump(mode="json"), "budget_usd": budget_usd}
    )
