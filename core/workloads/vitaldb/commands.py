"""``casemill inspect`` and ``casemill demo-data``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED, BadRequestError, ContentError
from core.workload_command import CommandOutput, Commands
from core.workloads.vitaldb.options import PROFILE_HELP


def inspect(
    output: CommandOutput,
    files: Annotated[
        list[str], typer.Argument(help="Recordings: .vital, .csv or .parquet; paths or s3://.", metavar="FILE")
    ],
    profile: Annotated[str, typer.Option(help=PROFILE_HELP, metavar="NAME")] = "auto",
    html: Annotated[
        str | None,
        typer.Option(
            help="Write the case viewer's page of the one recording to this file: signals, imputation, windows."
        ),
    ] = None,
    clinical: Annotated[
        str | None,
        typer.Option(help="With --html: the clinical table, whose weights doses are given by.", metavar="LOCATION"),
    ] = None,
) -> int:
    """Show what recordings hold: header, devices, tracks, units, features found, and what was lost in reading.

    Exit code 1 if any of them cannot be read; 64 if none of them is a recording by its name.

    Example: casemill inspect vital_files/0001.vital

    Example: casemill inspect vital_files/0001.vital --html case.html
    """
    if html is not None:
        return _view(output, files, profile, clinical, html)
    if clinical is not None:
        raise BadRequestError("bad_option", "means nothing without --html", where="--clinical", fix="Give --html.")
    from core.workloads.vitaldb.inspect import inspect_recording
    from core.workloads.vitaldb.profiles import resolve_profiles

    _check_names(files)
    profiles = resolve_profiles(profile)
    documents: list[dict[str, Any]] = []
    unreadable = 0
    for file in files:
        try:
            found = inspect_recording(file, profiles)
        except ContentError as error:
            unreadable += 1
            documents.append({"file": file, "error": {"code": error.code, "what": error.what}})
            output.left_out(file, error)
            continue
        documents.append(found)
        _show(output, found)
    output.document(documents)
    return EXIT_NOT_VERIFIED if unreadable else EXIT_DONE


def _check_names(files: list[str]) -> None:
    """Strangers among recordings are left out and told; strangers alone are a typing error."""
    from core.recording.read import RECORDING_SUFFIXES

    # A folder that is written as one is told as one.
    if not any(file.lower().endswith((*RECORDING_SUFFIXES, "/")) for file in files):
        what = f"no recording: the name ends in none of {', '.join(RECORDING_SUFFIXES)}"
        raise BadRequestError("no_recording", what, where=files[0], fix="Give recordings, not their folder.")


def _view(output: CommandOutput, files: list[str], profile: str, clinical: str | None, html: str) -> int:
    """The viewer's page of one case."""
    from core.workloads.vitaldb.inspect import trace_recording

    if len(files) != 1:
        raise BadRequestError("bad_option", "a page shows one case", where="--html", fix="Give one recording.")
    traces = trace_recording(files[0], profile, clinical)
    size = output.write_case_page(traces, files[0], html)
    output.document({"case": traces.case_id, "windows": len(traces.windows), "page": html, "bytes": size})
    output.lines([f"case {traces.case_id}, {len(traces.windows):,} windows: {html}"])
    return EXIT_DONE


def demo_data(
    output: CommandOutput,
    out: Annotated[Path, typer.Option(help="Folder to write to.", metavar="LOCATION")],
    cases: Annotated[int, typer.Option(min=1, max=9000, help="How many cases.", metavar="N")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.", metavar="N")] = 7,
    waveforms: Annotated[
        bool, typer.Option("--waveforms", help="With 500 Hz and 128 Hz waves, as real files.")
    ] = False,
    faults: Annotated[bool, typer.Option("--faults", help="Add one labelled case for each known fault.")] = False,
) -> int:
    """Write a made-up cohort: vital_files/NNNN.vital, clinical_data.csv and ground_truth.json.

    Example: casemill demo-data --cases 24 --seed 7 --out demo/cohort
    """
    from core.workloads.vitaldb.demo.cohort import write_demo_cohort

    try:
        with output.progress("cases") as advance:
            cohort = write_demo_cohort(out, cases, seed, waveforms, faults, advance)
    except OSError as error:
        raise BadRequestError(
            "bad_location", error.strerror or str(error), where=str(out), fix="Give another folder."
        ) from error
    recordings, clinical = str(out / "vital_files"), str(out / "clinical_data.csv")
    output.document(
        {
            "recordings": recordings,
            "clinical": clinical,
            "ground_truth": str(out / "ground_truth.json"),
            "cases": len(cohort.truth),
            "windows": cohort.windows,
        }
    )
    output.lines([f"{len(cohort.truth)} cases in {recordings}, table {clinical}"])
    return EXIT_DONE


def _show(output: CommandOutput, found: dict[str, Any]) -> None:
    output.lines(_head(found))
    output.table(
        "",
        ("track", "kind", "format", "unit", "Hz", "records"),
        [
            (item["name"], item["kind"], item["format"], item["unit"], item["rate_hz"], item["records"])
            for item in found["tracks"]
        ],
    )
    output.table("", ("feature", "unit", "sources found"), [
        (item["name"], item["unit"], ", ".join(item["sources"]) or "none") for item in found["features"]
    ])  # fmt: skip
    output.table("", ("loss report", ""), list(_flat(found["loss"])))


def _head(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['file']}: {found['format']}"
    if found["header"]:
        yield "header    " + ", ".join(
            f"{name} {value}" for name, value in found["header"].items() if value is not None
        )
    yield f"devices   {', '.join(found['devices']) or 'none'}"
    yield f"profile   {found['profile']}"


def _flat(loss: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in loss.items():
        if isinstance(value, dict):
            yield from ((f"{name}: {key}", count) for key, count in value.items())
        else:
            yield name, value


COMMANDS: Commands = {"inspect": inspect, "demo-data": demo_data}
"""What the registry asks for."""
