"""The options that ``run`` and ``plan`` share, and how they become a plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from core.run.models import Thresholds
    from core.run.plan import Plan
    from core.workload import Workload

Source = Annotated[str, typer.Option(help="Folder or s3:// location of the recordings (NNNN.vital, .csv, .parquet).")]
Clinical = Annotated[str | None, typer.Option(help="Clinical table, CSV or Parquet, one row a case.")]
Cases = Annotated[str, typer.Option(help="Which cases: 1-3000, 1,5,10, 1-10,17,0022 or all.")]
Where = Annotated[
    str | None, typer.Option(help='SQL condition over the clinical table, e.g. "age >= 18 and asa <= 3".')
]
Out = Annotated[str, typer.Option(help="Where to write: OUT/runs/RUN_ID and OUT/datasets/NAME.")]
Name = Annotated[str | None, typer.Option(help="Name of the data set; the run's id if not given.")]
WorkloadName = Annotated[str, typer.Option("--workload", help="What is done to each case.")]
Profile = Annotated[str, typer.Option(help="Device profile: auto, vitaldb, draeger, intellivue, or a .toml file.")]
Salt = Annotated[str, typer.Option(help="Salt of the split's hash.")]
SplitFrom = Annotated[
    str | None, typer.Option(help="split.json of an earlier data set: its salt and thresholds are used again.")
]
WindowS = Annotated[int, typer.Option("--window-s", help="Window length in seconds.")]
StepS = Annotated[int, typer.Option("--step-s", help="Seconds from one window to the next.")]
HorizonS = Annotated[int, typer.Option("--horizon-s", help="Seconds from a window's last second to its target.")]
Concentration = Annotated[
    list[str] | None,
    typer.Option(help="Syringe content by pump track, e.g. Orchestra/NEPI_RATE=40 (mg/mL or µg/mL). Repeatable."),
]
ShardCases = Annotated[
    int | None, typer.Option(help="Most cases a shard; up to 50, fewer for small cohorts, if not given.")
]
Compressed = Annotated[bool, typer.Option("--gzip/--no-gzip", help="Compress the shards.")]
SuccessThreshold = Annotated[float, typer.Option(help="Share of the cases that must be done or empty.")]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True)
class Asked:
    """What the user asked for, unchecked."""

    source: str
    clinical: str | None
    cases: str
    where: str | None
    name: str | None
    workload: str
    profile: str
    salt: str
    split_from: str | None
    window_s: int
    step_s: int
    horizon_s: int
    concentration: list[str] | None
    shard_cases: int | None
    compressed: bool
    success_threshold: float


def plan_of(asked: Asked) -> tuple[Plan, Workload]:
    """Check everything and plan; nothing is written.

    Raises
    ------
    BadRequestError
        Anything that cannot be done as asked.
    """
    from core.examples.members import Compression
    from core.run.plan import checked_options, make_plan
    from core.run.source import open_source
    from core.workloads.registry import build_workload

    workload = build_workload(asked.workload, _settings(asked))
    options = checked_options(
        data_set=asked.name,
        salt=asked.salt,
        thresholds=_thresholds(asked.split_from),
        shard_cases=asked.shard_cases,
        compression=Compression.GZIP if asked.compressed else Compression.NONE,
        success_threshold=asked.success_threshold,
    )
    clinical = None if asked.clinical is None else _absolute(asked.clinical)
    selection = {"cases": asked.cases, "clinical": clinical, "where": asked.where}
    return make_plan(workload, open_source(asked.source), selection, options), workload


def _settings(asked: Asked) -> dict[str, Any]:
    return {
        "window_s": asked.window_s,
        "step_s": asked.step_s,
        "horizon_s": asked.horizon_s,
        "profiles": asked.profile,
        "concentrations": dict(_concentration(text) for text in asked.concentration or ()),
    }


def _concentration(text: str) -> tuple[str, float]:
    from core.errors import BadRequestError

    track, _, content = text.partition("=")
    try:
        return track.strip(), float(content)
    except ValueError:
        raise BadRequestError(
            "bad_setting", f"{text!r} is not TRACK=NUMBER", where="--concentration", fix="E.g. Orchestra/NEPI_RATE=40."
        ) from None


def _thresholds(location: str | None) -> Thresholds | None:
    from pydantic import ValidationError

    from core.errors import BadRequestError
    from core.run.models import SplitDocument
    from core.store import open_object

    if location is None:
        return None
    try:
        store, key = open_object(location)
        return SplitDocument.model_validate_json(store.get(key)).thresholds
    except (FileNotFoundError, ValidationError) as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else "not a data set's split.json"
        raise BadRequestError("bad_split", what, where=location, fix="Give datasets/NAME/split.json.") from error


def _absolute(location: str) -> str:
    """A path that still means the same file when the run is taken up from another folder."""
    return location if "://" in location else str(Path(location).expanduser().absolute())
