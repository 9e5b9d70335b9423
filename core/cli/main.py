"""``casemill``: the command line over the core. Imports of each command wait until it is called.

Commands from elsewhere, those of the cloud, join through entry points (:mod:`core.cli.plugins`).
"""

from __future__ import annotations

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
    commands_recording,
    commands_rehearse,
    commands_report,
    commands_run,
    commands_status,
)
from core.cli.output import say_error
from core.cli.plugins import PluggableGroup
from core.errors import EXIT_BAD_REQUEST, EXIT_BUG, EXIT_INTERRUPTED, EXIT_RETRY, CasemillError

app = typer.Typer(
    name="casemill",
    cls=PluggableGroup,
    help="Turns a cohort of clinical cases into a verified, versioned training data set.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit codes: 0 done · 1 not verified · 64 bad request · 70 bug · 75 try again · 130 interrupted.",
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
app.command("inspect")(commands_recording.inspect)
app.command("demo-data")(commands_recording.demo_data)
app.command("fit")(commands_fit.fit)


@app.callback(invoke_without_command=True)
def _global_options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
    verbose: bool = typer.Option(False, "--verbose", help="Print the trace of an error too."),
) -> None:
    if verbose:
        os.environ["CASEMILL_VERBOSE"] = "1"
    if version:
        from core.code_version import code_version
        from core.recording.walks import walk_in_use

        typer.echo(f"{code_version()} (recordings: {walk_in_use()})")
        raise typer.Exit


def main() -> None:
    """Run the command line; every way out is one of the exit codes in :mod:`core.errors`."""
    sys.exit(_guarded())


def _guarded() -> int:
    from core.run.stop import InterruptedRunError, raise_on_sigterm

    try:
        with raise_on_sigterm():
            result = app(standalone_mode=False)
    except CasemillError as error:
        _trace()
        say_error(error.code, error.what, error.where, error.fix)
        return error.exit_code
    except InterruptedRunError as error:
        say_error("stopped", f"stopped ({error}); everything finished is saved", fix="Run the same command to go on.")
        return EXIT_RETRY if str(error) == "reclaimed" else EXIT_INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        say_error("stopped", "interrupted")
        return EXIT_INTERRUPTED
    except typer.Exit as leave:
        return leave.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone; the closing flush must not complain about it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except TyperException as error:
        say_error("bad_command", error.format_message(), fix="See casemill --help.")
        return EXIT_BAD_REQUEST
    except Exception as error:  # noqa: BLE001  the last resort: whatever it is, the exit code must say that it is a bug
        traceback.print_exc()
        say_error("bug", f"{type(error).__name__}: {error}", fix="This is a bug in Casemill; please report it.")
        return EXIT_BUG
    return result if isinstance(result, int) else 0


def _trace() -> None:
    if os.environ.get("CASEMILL_VERBOSE"):
        traceback.print_exc()
