"""The options that ``run``, ``plan``, ``rehearse``, ``estimate`` and ``submit`` share, and how they become a plan.

The platform's own stand in :class:`Asked`. Those of the workloads come from the workloads
(:mod:`core.cli.workload_options`); a command has them all, and refuses what the chosen workload does not know.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from core.cli.declare import declared
from core.cli.workload_options import chosen_options, parameters_of_workloads, settings_of, source_option
from core.workloads.registry import DEFAULT_WORKLOAD

if TYPE_CHECKING:
    from core.run.case_cache import CacheUse
    from core.run.models import Thresholds
    from core.run.plan import Plan
    from core.run.submission import AskedRun
    from core.workload import Workload

Out = Annotated[str, typer.Option(help="Where to write: OUT/runs/RUN_ID and OUT/datasets/NAME.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; one per processor if not given.")]
GridCache = Annotated[
    str | None,
    typer.Option(
        help="Folder or s3:// location that keeps what is taken from the cases for later runs (docs/grid-cache.md)."
    ),
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True)
class Asked:
    """What the user asked for, unchecked: the options that every command over a cohort takes.

    ``of_workload``: the options of workloads that were given, by name.
    """

    source: Annotated[str | None, source_option()] = None
    name: Annotated[str | None, typer.Option(help="Name of the data set; the run's id if not given.")] = None
    workload: Annotated[str, typer.Option(help="What is done to each case.")] = DEFAULT_WORKLOAD
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any setting of the workload, as NAME=VALUE; the value is JSON or text. Repeatable."
        ),
    ] = None
    salt: Annotated[str, typer.Option(help="Salt of the split's hash.")] = "casemill"
    split_from: Annotated[
        str | None, typer.Option(help="split.json of an earlier data set: its salt and thresholds are used again.")
    ] = None
    shard_cases: Annotated[
        int | None,
        typer.Option(help="Most cases a shard; 50, more of tiny ones, fewer of small cohorts, if not given."),
    ] = None
    gzip: Annotated[bool, typer.Option("--gzip/--no-gzip", help="Compress the shards.")] = True
    success_threshold: Annotated[float, typer.Option(help="Share of the cases that must be done or empty.")] = 0.95
    checkpoint_seconds: Annotated[float, typer.Option(help="Finished cases are saved this often.")] = 60.0
    largest_case_bytes: Annotated[
        int, typer.Option(help="A case whose object has more bytes fails as too_large, unread.")
    ] = 4 << 30
    source_licence: Annotated[
        str | None,
        typer.Option(
            help="Licence of the source for the data set card, where it is not known: CC-BY-4.0, a URL, words."
        ),
    ] = None
    of_workload: Mapping[str, Any] = field(default_factory=dict)


OWN_FIELDS = tuple(item for item in fields(Asked) if item.name != "of_workload")


def over_a_cohort(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of :class:`Asked` and of every workload; it is called with ``asked`` first."""
    return _with_options(command, lambda asked: asked)


def over_a_cohort_if_any(command: Callable[..., int]) -> Callable[..., int]:
    """The same for a command that does without a cohort too: ``asked`` is None where no option of it was given."""
    return _with_options(command, lambda asked: None if asked == Asked() else asked)


def _with_options(command: Callable[..., int], view: Callable[[Asked], Asked | None]) -> Callable[..., int]:
    own_hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own_hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "asked"
    ]
    shared = _shared()
    # A command's own option has the right of way: the workload's setting can be given with --set.
    taken = {parameter.name for parameter in (*own, *shared)}
    of_workloads = [parameter for parameter in parameters_of_workloads() if parameter.name not in taken]

    @wraps(command)
    def called(**given: Any) -> int:
        of_workload = {parameter.name: given.pop(parameter.name) for parameter in of_workloads}
        asked = Asked(
            **{item.name: given.pop(item.name) for item in OWN_FIELDS},
            of_workload={name: value for name, value in of_workload.items() if value is not None},
        )
        return command(view(asked), **given)

    parameters = [shared[0], *own[:1], *shared[1:], *own[1:], *of_workloads]
    return declared(called, parameters)


def _shared() -> list[inspect.Parameter]:
    hints = get_type_hints(Asked, include_extras=True)
    return [
        inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if item.default is MISSING else item.default,
            annotation=hints[item.name],
        )
        for item in OWN_FIELDS
    ]


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
        An unknown workload, an option of another one, a setting or an option out of its bounds, an earlier split that
        cannot be read.
    """
    from pydantic import ValidationError

    from core.examples.members import Compression
    from core.run.plan import bad_option
    from core.run.submission import AskedRun
    from core.workloads.registry import build_workload

    options = chosen_options(asked.workload, asked.of_workload, asked.source)
    settings = build_workload(asked.workload, settings_of(options, asked.setting or ())).configuration()
    try:
        return AskedRun(
            source=asked.source,
            workload=asked.workload,
            settings=settings,
            selection=options.selection() if options else {},
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


def locations(asked: Asked) -> dict[str, str]:
    """The locations that are asked for as they were written, by option.

    Raises
    ------
    BadRequestError
        As :func:`asked_run`.
    """
    from core.workload import SelectingWorkload
    from core.workloads.registry import build_workload

    options = chosen_options(asked.workload, asked.of_workload, asked.source)
    named = {} if asked.source is None else {"--source": asked.source}
    workload = build_workload(asked.workload, settings_of(options, asked.setting or ()))
    if options is not None and isinstance(workload, SelectingWorkload):
        for name, place in workload.locations(options.selection()).items():
            named["--" + name.replace("_", "-")] = asked.of_workload.get(name, place)
    return named


def cache_of(location: str | None, workload: Workload, *, recall: bool = True) -> CacheUse | None:
    """The cache of cases, made where it is a folder that does not exist yet.

    Raises
    ------
    BadRequestError
        A location that cannot be one; ``bad_option``: the workload has nothing to keep.
    """
    from core.errors import BadRequestError
    from core.run.case_cache import CacheUse
    from core.store import open_store
    from core.workload import ExtractingWorkload

    if location is None:
        return None
    if not isinstance(workload, ExtractingWorkload):
        what = f"the workload {workload.name} takes nothing from its cases that could be kept"
        raise BadRequestError("bad_option", what, where="--grid-cache", fix="Leave it out.")
    return CacheUse(open_store(location, create=True).uri, recall)


def _thresholds(location: str | None) -> Thresholds | None:
    from pydantic import ValidationError

    from core.errors import BadRequestError
    from core.run.models import SplitDocument
    from core.store import open_object

    if location is None:
        return None
    try:
        store, key = open_object(location)
        found = SplitDocument.model_validate_json(store.get(key)).thresholds
    except (FileNotFoundError, ValidationError) as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else "not a data set's split.json"
        raise BadRequestError("bad_split", what, where=location, fix="Give datasets/NAME/split.json.") from error
    if found is None:
        what = "its workload divided the records by a rule of its own"
        raise BadRequestError("bad_split", what, where=location, fix="Give that of a data set that was split by group.")
    return found
