"""``python -m benchmarks``: measure, check that outputs agree, print the tables and store them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.files import BenchFolder
from benchmarks.machine import describe_machine
from benchmarks.page import PAGE, with_results
from benchmarks.parts import GROUPS, parts
from benchmarks.sizes import FULL, QUICK
from benchmarks.table import Part, Results, markdown

RESULTS, TABLE = "results.json", "results.md"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    only: Annotated[str, typer.Option(help="Parts, separated by commas; --list names them.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Small files and few rounds: does everything work?")] = False,
    out: Annotated[Path, typer.Option(help="Where files, results and profiles go.")] = Path("bench"),
    list_parts: Annotated[bool, typer.Option("--list", help="Name the parts and end.")] = False,
    write_page: Annotated[
        bool, typer.Option("--write-page", help="Measure nothing: put the stored result and its picture into docs.")
    ] = False,
) -> None:
    """Measure Casemill, the usual tools and the bare limits in turn."""
    if list_parts:
        typer.echo("\n".join(parts()))
        return
    if write_page:
        stored = Results.model_validate_json((out / RESULTS).read_bytes())
        PAGE.write_text(with_results(PAGE.read_text(encoding="utf-8"), stored), encoding="utf-8")
        # The chart's library takes a second to load.
        from benchmarks.picture import write_picture

        write_picture(stored)
        return
    for results in run(BenchFolder(out.resolve()), chosen(only), quick):
        # After every part, so that a run that is stopped leaves what it has measured.
        out.mkdir(parents=True, exist_ok=True)
        (out / RESULTS).write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (out / TABLE).write_text(markdown(results), encoding="utf-8")
    typer.echo((out / TABLE).read_text(encoding="utf-8"))


def chosen(only: str) -> list[str]:
    """The parts that were asked for, in their order; all without a wish."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    wanted = {part for name in names for part in GROUPS.get(name, (name,))}
    unknown = sorted(wanted - set(parts()))
    if unknown:
        raise typer.BadParameter(f"no part {', '.join(unknown)}", param_hint="--only")
    return [name for name in parts() if not names or name in wanted]


def run(folder: BenchFolder, names: list[str], quick: bool) -> Iterator[Results]:
    """Measure these parts; after each one, the results so far."""
    # The libraries of the naive script warn of much, and nothing of it concerns a benchmark.
    warnings.filterwarnings("ignore")
    machine = describe_machine()
    folder.forget_others()
    found: list[Part] = []
    for name in names:
        started = time.perf_counter()
        typer.echo(f"{name} ...", err=True)
        part = parts()[name](folder, QUICK if quick else FULL)
        found.append(part.model_copy(update={"seconds": round(time.perf_counter() - started, 1)}))
        yield Results(quick=quick, machine=machine, parts=tuple(found))


if __name__ == "__main__":
    app()
