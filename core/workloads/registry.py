"""The one place where a workload is chosen by its name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from core.errors import BadRequestError
from core.workload import Workload

_WORKLOADS = {"vitaldb": "core.workloads.vitaldb.workload:VitaldbWorkload"}


def workload_names() -> tuple[str, ...]:
    """Every known workload."""
    return tuple(sorted(_WORKLOADS))


def build_workload(name: str, configuration: dict[str, Any]) -> Workload:
    """The workload of that name with this configuration.

    Raises
    ------
    BadRequestError
        No such workload, or a configuration that it does not take.
    """
    if name not in _WORKLOADS:
        raise BadRequestError(
            "unknown_workload", f"no workload {name!r}", where="--workload", fix=f"Use {', '.join(workload_names())}."
        )
    module, _, attribute = _WORKLOADS[name].partition(":")
    factory = cast(Callable[[dict[str, Any]], Workload], getattr(import_module(module), attribute))
    return factory(configuration)
