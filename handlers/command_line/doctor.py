"""``casemill doctor``: whether this machine, or an AWS account, can do what will be asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options as cohort_options
from core.cli.findings_view import findings_document, show_findings
from core.cli.output import print_json
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED, BadRequestError
from handlers.command_line import options

if TYPE_CHECKING:
    from core.doctor.findings import Finding


def doctor(
    aws: Annotated[
        bool, typer.Option("--aws", help="Look at the AWS account and its stack, not at this machine.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="Source of a run to come: is there room for them, can they be read?")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that a run will write to.")] = Path("."),
    write: Annotated[
        bool, typer.Option("--write", help="With --aws: also create an object in the bucket, and remove it.")
    ] = False,
    stack: options.Stack = options.DEFAULT_STACK,
    aws_profile: options.AwsProfile = None,
    region: options.Region = None,
    json: cohort_options.JsonOutput = False,
) -> int:
    """Examine this machine, or with --aws an account and its stack, and say what to do about it.

    Exit code 0: no problem (there may be warnings); 1: a problem. Nothing is changed, unless --write asks for it.

    Example: casemill doctor
    """
    if not aws:
        stray = [
            name for name, given in (("--write", write), ("--aws-profile", aws_profile), ("--region", region)) if given
        ]
        if stray:
            raise BadRequestError("bad_option", "means nothing without --aws", where=stray[0], fix="Give --aws.")
        findings = examine_machine(source, out)
    else:
        options.need_sdk()
        from handlers.command_line.doctor_account import examine_account

        findings = examine_account(stack, aws_profile, region, source, write)
    from core.doctor.findings import healthy

    if json:
        print_json(findings_document(findings))
    else:
        show_findings(findings)
    return EXIT_DONE if healthy(findings) else EXIT_NOT_VERIFIED


doctor.help_panel = "Commands"  # type: ignore[attr-defined]  # without --aws it needs no cloud


def examine_machine(source: str | None, out: Path) -> list[Finding]:
    """Everything of this machine; the source may be anywhere."""
    import resource

    from core.cli.machine import processors
    from core.doctor import machine
    from core.doctor.findings import ok, problem
    from core.doctor.installation import examine_installation
    from core.errors import CasemillError
    from core.run.memory import machine_memory_bytes
    from core.store import open_store

    found = examine_installation()
    size = None
    if source is not None:
        try:
            listed = open_store(source).list()
            size = sum(item.size for item in listed)
            found.append(ok("source", f"{source}: {len(listed):,} files, {machine.size_text(size)}"))
        except CasemillError as error:
            found.append(
                problem("source", f"{error.where or source}: {error.what}", error.fix or "See docs/errors.md.")
            )
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return [
        *found,
        *machine.processors_and_memory(processors(), machine_memory_bytes()),
        machine.open_files(None if limit == resource.RLIM_INFINITY else limit),
        machine.scratch(),
        *machine.output(out, size),
    ]
