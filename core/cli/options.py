"""The options that ``run``, ``plan`` and ``rehearse`` share, and how they become a plan."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, get_args, get_type_hints

import typer

if TYPE_CHECKING:
    from core.run.case_cache import CacheUse
    from core.run.models import Thresholds
    from core.run.plan import Plan
    from core.run.submission import AskedRun
    from core.workload import Workload

Out = Annotated[str, typer.Option(help="Where to write: OUT/runs/RUN_ID and OUT/datasets/NAME.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; one per processor if not given.")]
Profile = Annotated[str, typer.Option(help="Device profile: auto, vitaldb, draeger, intellivue, or a .toml file.")]
GridCache = Annotated[
    str | None,
    typer.Option(help="Folder or s3:// location that keeps the cases' 1 Hz grids for later runs with other windows."),
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True)
class Asked:
    """What the user asked for, unchecked: the options that every command over a cohort takes."""

    source: Annotated[
        str, typer.Option(help="Folder or s3:// location of the recordings (NNNN.vital, .csv, .parquet).")
    ]
    clinical: Annotated[str | None, typer.Option(help="Clinical table, CSV or Parquet, one row a case.")] = None
    cases: Annotated[str, typer.Option(help="Which cases: 1-3000, 1,5,10, 1-10,17,0022 or all.")] = "all"
    where: Annotated[
        str | None, typer.Option(help='SQL condition over the clinical table, e.g. "age >= 18 and asa <= 3".')
    ] = None
    name: Annotated[str | None, typer.Option(help="Name of the data set; the run's id if not given.")] = None
    workload: Annotated[str, typer.Option(help="What is done to each case.")] = "vitaldb"
    profile: Profile = "auto"
    salt: Annotated[str, typer.Option(help="Salt of the split's hash.")] = "casemill"
    split_from: Annotated[
        str | None, typer.Option(help="split.json of an earlier data set: its salt and thresholds are used again.")
    ] = None
    window_s: Annotated[int, typer.Option(help="Window length in seconds.")] = 300
    step_s: Annotated[int, typer.Option(help="Seconds from one window to the next.")] = 30
    horizon_s: Annotated[int, typer.Option(help="Seconds from a window's last second to its target.")] = 30
    concentration: Annotated[
        list[str] | None,
        typer.Option(help="Syringe content by pump track, e.g. Orchestra/NEPI_RATE=40 (mg/mL or µg/mL). Repeatable."),
    ] = None
    shard_cases: Annotated[
        int | None, typer.Option(help="Most cases a shard; up to 50, fewer for small cohorts, if not given.")
    ] = None
    gzip: Annotated[bool, typer.Option("--gzip/--no-gzip", help="Compress the shards.")] = True
    success_threshold: Annotated[float, typer.Option(help="Share of the cases that must be done or empty.")] = 0.95
    checkpoint_seconds: Annotated[float, typer.Option(help="Finished cases are saved this often.")] = 60.0
    largest_case_bytes: Annotated[
        int, typer.Option(help="A recording above this many bytes fails as too_large, unread.")
    ] = 4 << 30
    source_licence: Annotated[
        str | None,
        typer.Option(
            help="Licence of the source for the data set card, where it is not known: CC-BY-4.0, a URL, words."
        ),
    ] = None


def over_a_cohort(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of :class:`Asked` in front of its own; it is called with ``asked`` first."""
    return _with_options(command, _shared(), lambda given: Asked(**given))


def over_a_cohort_if_any(command: Callable[..., int]) -> Callable[..., int]:
    """The same for a command that does without a cohort too: ``asked`` is None where no option of it was given.

    Raises
    ------
    BadRequestError
        ``bad_option``: there are options over a cohort, but no ``--source``.
    """
    optional = [
        parameter.replace(default=None, annotation=_or_none(parameter.annotation))
        if parameter.default is inspect.Parameter.empty
        else parameter
        for parameter in _shared()
    ]

    def asked(given: dict[str, Any]) -> Asked | None:
        from core.errors import BadRequestError

        if given["source"] is not None:
            return Asked(**given)
        stray = [parameter.name for parameter in optional if given[parameter.name] != parameter.default]
        if stray:
            name = "--" + stray[0].replace("_", "-")
            raise BadRequestError(
                "bad_option", "means nothing without --source", where=name, fix="Give --source, or leave it out."
            )
        return None

    return _with_options(command, optional, asked)


def _shared() -> list[inspect.Parameter]:
    hints = get_type_hints(Asked, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(Asked)
    ]


def _or_none(annotation: Any) -> Any:
    kind, option = get_args(annotation)
    return Annotated[Optional[kind], option]  # noqa: UP045  `kind | None` is no type to the checker


def _with_options(
    command: Callable[..., int], shared: list[inspect.Parameter], asked_of: Callable[[dict[str, Any]], Asked | None]
) -> Callable[..., int]:
    own_hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own_hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "asked"
    ]

    @wraps(command)
    def called(**given: Any) -> int:
        asked = asked_of({field.name: given.pop(field.name) for field in fields(Asked)})
        return command(asked, **given)

    parameters = [shared[0], *own[:1], *shared[1:], *own[1:]]
    called.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": int}
    return called


def plan_of(asked: Asked) -> tuple[Plan, Workload]:
    """Check everything and plan; nothing is written.

    Raises
    ------
    BadRequestError
        Anything that cannot be done as asked.
    """
    from core.run.submission import plan_asked
    from core.workloads.registry import build_workload

    return plan_asked(asked_run(asked), build_workload)


def asked_run(asked: Asked) -> AskedRun:
    """The options as the document that the cloud takes too: complete, so that no file of this machine is needed.

    Raises
    ------
    BadRequestError
        An unknown workload, a setting or an option out of its bounds, an earlier split that cannot be read.
    """
    from pydantic import ValidationError

    from core.examples.members import Compression
    from core.run.plan import bad_option
    from core.run.submission import AskedRun, AskedSelection
    from core.workloads.registry import build_workload

    settings = build_workload(asked.workload, _settings(asked)).configuration()
    clinical = None if asked.clinical is None else _absolute(asked.clinical)
    try:
        return AskedRun(
            source=asked.source,
            workload=asked.workload,
            settings=settings,
            selection=AskedSelection(cases=asked.cases, clinical=clinical, where=asked.where),
            data_set=asked.name,
            salt=asked.salt,
            thresholds=_thresholds(asked.split_from),
            shard_cases=asked.shard_cases,
            compression=Compression.GZIP if asked.gzip else Compression.NONE,
            success_threshold=asked.success_threshold,
            checkpoint_seconds=asked.checkpoint_seconds,
            largest_case_bytes=asked.largest_case_bytes,
            source_licence=asked.source_licence,
        )
    except ValidationError as error:
        raise bad_option(error) from error


def cache_of(location: str | None, *, recall: bool = True) -> CacheUse | None:
    """The cache of cases, made where it is a folder that does not exist yet.

    Raises
    ------
    BadRequestError
        A location that cannot be one.
    """
    from core.run.case_cache import CacheUse
    from core.store import open_store

    return None if location is None else CacheUse(open_store(location, create=True).uri, recall)


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
