"""``casemill verify`` and ``casemill export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options
from core.cli.machine import processors
from core.cli.output import print_json, print_lines
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED, BadRequestError

if TYPE_CHECKING:
    from core.dataset import DataSet


def verify(
    data_set: Annotated[str, typer.Argument(help="The data set: OUT/datasets/NAME.")],
    ordered_hash: Annotated[
        bool,
        typer.Option(
            "--ordered-hash",
            help="Also give the hash of the records put in order: the same however they are cut into cases.",
        ),
    ] = False,
    json: options.JsonOutput = False,
) -> int:
    """Read every byte of a data set again and say whether it is what was published.

    Exit code 0: it is; 1: it is not; 64: there is no data set.

    Example: casemill verify out/datasets/first
    """
    from core.dataset import DataSet
    from core.run.publish import verify_published
    from core.store import open_store
    from core.workloads.registry import build_workload

    store = open_store(data_set)
    verification, manifest = verify_published(store, processors(), build_workload)
    in_order = _ordered_hash(DataSet(store, manifest)) if ordered_hash and verification.passed else None
    if json:
        print_json({**verification.model_dump(mode="json"), **({"ordered_hash": in_order} if ordered_hash else {})})
    else:
        marks = {True: "ok    ", False: "FAILED"}
        lines = []
        for check in verification.checks:
            lines.append(f"{marks[check.passed]} {check.name}: {check.detail}")
            lines += [f"         {problem}" for problem in check.problems[1:]]
        failed = sum(not check.passed for check in verification.checks)
        verdict = "verified" if verification.passed else f"NOT VERIFIED: {failed} checks failed"
        print_lines([*lines, f"{verdict}: {manifest.name}, {manifest.records:,} examples"])
        if in_order:
            print_lines([f"ordered hash: {in_order}"])
    return EXIT_DONE if verification.passed else EXIT_NOT_VERIFIED


def _ordered_hash(data_set: DataSet) -> str:
    from core.run.ordered_hash import ordered_hash

    return ordered_hash(data_set)


def export(
    data_set: Annotated[str, typer.Argument(help="The data set: OUT/datasets/NAME.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Join each split into one file by byte copy.")
    ] = False,
    json: options.JsonOutput = False,
) -> int:
    """Copy a data set's examples for tools that want one file a split.

    The bytes are those of the shards: a compressed data set gives GZIP files, whatever their names end in.

    Example: casemill export out/datasets/first --single-file --out files
    """
    from core.run.export import export_single_files
    from core.store import open_store

    if not single_file:
        raise BadRequestError("bad_option", "nothing to do", where="export", fix="Give --single-file.")
    exported = export_single_files(open_store(data_set), out)
    if json:
        print_json([item.model_dump(mode="json") for item in exported])
    else:
        print_lines(
            f"{item.path}: {item.records:,} examples, {item.bytes:,} bytes, compression {item.compression.value}"
            for item in exported
        )
    return EXIT_DONE
