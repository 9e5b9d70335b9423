"""The one place where a workload is chosen by its name, which is that of its folder below ``core/workloads``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, cast

import core.workloads
from core.errors import BadRequestError

if TYPE_CHECKING:
    from types import ModuleType

    from core.workload import Workload
    from core.workload_command import Commands
    from core.workload_options import WorkloadOptions

DEFAULT_WORKLOAD = "vitaldb"


@cache
def workload_names() -> tuple[str, ...]:
    """Every known workload: one a folder."""
    return tuple(sorted(found.name for found in iter_modules(core.workloads.__path__) if found.ispkg))


def build_workload(name: str, configuration: dict[str, Any]) -> Workload:
    """The workload of that name with this configuration: ``build`` of its module ``workload``.

    Raises
    ------
    BadRequestError
        No such workload, or a configuration that it does not take.
    """
    _check_name(name)
    return cast("Workload", import_module(f"core.workloads.{name}.workload").build(configuration))


def options_of(name: str) -> type[WorkloadOptions] | None:
    """What the workload takes on the command line: ``Options`` of its module ``options``; None where it has none.

    Raises
    ------
    BadRequestError
        No such workload.
    """
    module = _module_if_any(name, "options")
    return cast("type[WorkloadOptions]", module.Options) if module else None


def commands_of(name: str) -> Commands:
    """The commands that the workload brings: ``COMMANDS`` of its module ``commands``; none where it has no such module.

    Raises
    ------
    BadRequestError
        No such workload.
    """
    module = _module_if_any(name, "commands")
    return cast("Commands", module.COMMANDS) if module else {}


def times_of(name: str) -> Path | None:
    """``times.toml`` of the workload: how long its work takes, as ``casemill fit`` prints it; None where nobody has
    measured it."""
    path = Path(core.workloads.__path__[0]) / name / "times.toml"
    return path if name in workload_names() and path.is_file() else None


def _module_if_any(name: str, part: str) -> ModuleType | None:
    _check_name(name)
    module = f"core.workloads.{name}.{part}"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None


def _check_name(name: str) -> None:
    if name not in workload_names():
        raise BadRequestError(
            "unknown_workload", f"no workload {name!r}", where="--workload", fix=f"Use {', '.join(workload_names())}."
        )
