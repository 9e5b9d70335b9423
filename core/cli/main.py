"""``casemill``: the command line over the core. Imports of each command wait until it is called.

Those of the workloads come from the workloads (:mod:`core.cli.workload_commands`). Commands from elsewhere, as of the
cloud, join through entry points (:mod:`core.cli.plugins`).
"""

from __future__ import annotations

import errno
import os
import sys
import traceback

import typer
from typer.exceptions import TyperException

from core.cli import (
    commands_cohort,
    commands_compare,
    commands_data_set,
    commands_estimate,
    commands_fit,
    commands_rehearse,
    commands_report,
    commands_run,
    commands_status,
)
from core.cli.bad_command import explained
from core.cli.output import say_error
from core.cli.plugins import VERBOSE, PluggableGroup
from core.cli.streams import give_up, refusal_of
from core.cli.workload_commands import add_workload_commands
from core.errors import (
    EXIT_BAD_REQUEST,
    EXIT_BUG,
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_OUTPUT_GONE,
    EXIT_RETRY,
    CasemillError,
)

app = typer.Typer(
    name="casemill",
    cls=PluggableGroup,
    help="Turns a cohort of clinical cases into a verified, versioned training data set.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Exit codes: 0 done · 1 not verified · 64 bad request · 70 bug · 75 try again · 130 interrupted · "
    "141 nobody reads the output. See docs/errors.md.",
)
app.command("run")(commands_run.run)
app.command("rehearse")(commands_rehearse.rehearse)
app.command("plan")(commands_cohort.plan)
app.command("estimate")(commands_estimate.estimate)
app.command("status")(commands_status.status)
app.command("report")(commands_report.report)
app.command("verify")(commands_data_set.verify)
app.command("compare")(commands_compare.compare)
app.command("export")(commands_data_set.export)
app.command("fit")(commands_fit.fit)
add_workload_commands(app, [command.name for command in app.registered_commands if command.name])

_FULL = (errno.ENOSPC, errno.EDQUOT)


@app.callback(invoke_without_command=True)
def _global_options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
    verbose: bool = typer.Option(
        False, "--verbose", help="Print the trace of an error on stderr too; may stand anywhere in a command."
    ),
) -> None:
    if version:
        from core.code_version import code_version
        from core.recording.native import LIBRARY

        typer.echo(f"{code_version()} (recordings: {LIBRARY.in_use()})")
        raise typer.Exit


def main() -> None:
    """Run the command line; every way out is one of the exit codes in :mod:`core.errors`."""
    sys.exit(_guarded())


def _guarded() -> int:
    try:
        code = _called()
        sys.stdout.flush()  # what is still held back meets the same ends as what was written before
    except BrokenPipeError:
        # Whoever read our output has gone. What the command had to say is unknown to them, so it is no success.
        give_up(sys.stdout)
        return EXIT_OUTPUT_GONE
    except OSError as error:
        return _not_written(error.strerror or str(error))
    return code


def _called() -> int:
    from core.run.stop import InterruptedRunError, raise_on_sigterm

    try:
        with raise_on_sigterm():
            result = app(standalone_mode=False, prog_name="casemill")
    except CasemillError as error:
        _trace()
        say_error(error.code, error.what, error.where, error.fix)
        return error.exit_code
    except InterruptedRunError as error:
        say_error("stopped", f"stopped ({error}); everything finished is saved", fix="Run the same command to go on.")
        return EXIT_RETRY if str(error) == "reclaimed" else EXIT_INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except typer.Exit as leave:
        return leave.exit_code
    except SystemExit as leave:
        # Of the help, which is not printed by us: rich leaves like this when its reader has gone; 0 is completion's.
        if leave.code:
            raise BrokenPipeError from leave
        return EXIT_DONE
    except TyperException as error:
        if not error.format_message():
            return EXIT_BAD_REQUEST  # nothing was asked for: the help has been printed
        told = explained(error)
        say_error(told.code, told.what, told.where, told.fix)
        return told.exit_code
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and (error.errno in _FULL or refusal_of(sys.stdout)):
            raise
        traceback.print_exc()
        say_error("bug", f"{type(error).__name__}: {error}", fix="This is a bug in Casemill; please report it.")
        return EXIT_BUG
    # Typer turns Ctrl-C outside of a run into this number, without a word.
    return _interrupted() if result == EXIT_INTERRUPTED else result if isinstance(result, int) else EXIT_DONE


def _not_written(why: str) -> int:
    give_up(sys.stdout)
    say_error("disk_full", f"it cannot be written: {why}", "standard output", "Free some space, or write elsewhere.")
    return EXIT_RETRY


def _interrupted() -> int:
    say_error("stopped", "interrupted", fix="Run the same command again.")
    return EXIT_INTERRUPTED


def _trace() -> None:
    if os.environ.get(VERBOSE):
        traceback.print_exc()
