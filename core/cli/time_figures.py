"""The time model as the commands use it: the shipped figures, and what a rehearsal measured of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cost.time_model import TimeModel
    from core.run.models import RunRequest
    from core.store import Store


def model_here(request: RunRequest, store: Store | None, times: str | None = None) -> TimeModel | None:
    """The model of the run's workload on this machine; None where there are no figures of it.

    Raises
    ------
    BadRequestError
        ``bad_times``: ``times`` names no file of figures.
    """
    return _model(request, store, times, other_machine=False)


def model_elsewhere(request: RunRequest, store: Store | None, times: str | None = None) -> TimeModel | None:
    """The same for machines that nobody has measured; errors as :func:`model_here`."""
    return _model(request, store, times, other_machine=True)


def _model(request: RunRequest, store: Store | None, times: str | None, other_machine: bool) -> TimeModel | None:
    from core.cost.time_model import model_version, read_models, shipped_models, time_model
    from core.run.rehearsal import find_passed
    from core.workloads.registry import times_of

    rehearsal = find_passed(store, request) if store is not None else None
    times_file = times_of(request.workload)
    relative = rehearsal is not None and rehearsal.model_version == model_version(times_file)
    measured = rehearsal.projection.machine_factor if rehearsal and relative else None
    models = read_models(times) if times else shipped_models(times_file)
    return time_model(models, request.workload, measured, other_machine)
