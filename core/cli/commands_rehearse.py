"""``casemill rehearse``: try a sample of a run before the run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options
from core.cli.machine import processors
from core.cli.output import note, print_json, print_lines
from core.errors import EXIT_DONE, EXIT_NOT_VERIFIED

if TYPE_CHECKING:
    from core.run.plan import Plan
    from core.run.projection import Estimate
    from core.run.rehearsal_models import Projection, Rehearsal
    from core.store import Store


@options.over_a_cohort
def rehearse(
    asked: options.Asked,
    out: options.Out,
    workers: options.Workers = None,
    share: Annotated[float, typer.Option(min=0.001, max=1.0, help="Share of the cases; at least 20 are taken.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Draws the sample and the moment of the kill.")] = 0,
    array: Annotated[int, typer.Option(min=1, help="Machines to project an array job for.")] = 10,
    price_per_hour: Annotated[
        float | None, typer.Option(min=0.0, help="Dollars for one vCPU and hour; the cost is unknown without.")
    ] = None,
    time_limit: Annotated[float | None, typer.Option(min=0.0, help="Most seconds that the run may take here.")] = None,
    memory_limit_mb: Annotated[
        float | None, typer.Option(min=1.0, help="Most MB a worker may need; this machine's share if not given.")
    ] = None,
    grid_cache: options.GridCache = None,
    json: options.JsonOutput = False,
) -> int:
    """Run a sample of the cases, kill and resume it, verify it, and project the whole run: go or no-go.

    Exit code 0: go; 1: no-go. What is written stands in OUT/rehearsals and may be removed at any time.

    Example: casemill rehearse --source vital_files --clinical clinical_data.csv --out out --price-per-hour 0.04
    """
    from core.cost.time_model import model_version, shipped_models, time_model
    from core.run.memory import machine_memory_bytes
    from core.run.rehearsal import RehearsalRequest
    from core.run.rehearsal import rehearse as perform
    from core.run.rehearsal_models import RehearsalLimits, RehearsalScale
    from core.store import open_store
    from core.workloads.registry import build_workload, times_of

    # What a killed process group leaves behind is cleaned up; that this is remarked on helps nobody.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    plan, built = options.plan_of(asked)
    # Filled and not used: with the sample's grids at hand, the projection would be that of another run.
    cache = options.cache_of(grid_cache, built, recall=False)
    count = workers or processors()
    machine = machine_memory_bytes()
    memory = (
        machine // count if memory_limit_mb is None and machine else memory_limit_mb and round(memory_limit_mb * 1e6)
    )
    limits = RehearsalLimits(time_seconds=time_limit, memory_bytes=memory, success_rate=asked.success_threshold)
    scale = RehearsalScale(workers=count, array=array, price_per_hour=price_per_hour)
    times = times_of(built.name)
    model = time_model(shipped_models(times), built.name)
    request = RehearsalRequest(
        plan,
        built,
        build_workload,
        scale,
        limits,
        share,
        seed,
        cache,
        model.case_seconds if model else None,
        model_version(times),
    )
    store = open_store(out, create=True)
    result = perform(store, request, note)
    if json:
        print_json(result.model_dump(mode="json"))
    else:
        print_lines(rehearsal_lines(store.uri, result))
    return EXIT_DONE if result.go else EXIT_NOT_VERIFIED


def remind_of_rehearsal(store: Store, plan: Plan) -> None:
    """Say so when a large run was never rehearsed; it is never refused."""
    from core.run.rehearsal import NEEDED_ABOVE_CASES, find_passed

    if len(plan.cases) > NEEDED_ABOVE_CASES and find_passed(store, plan.request) is None:
        note(
            f"note: {len(plan.cases):,} cases, and no rehearsal of this configuration has passed in {store.uri}: "
            "casemill rehearse with the same options takes about a fifth of the time"
        )


def rehearsal_lines(output: str, rehearsal: Rehearsal) -> list[str]:
    """A rehearsal for people; the verdict comes last."""
    from core.run.progress import duration_text

    sample, measured, disturbance = rehearsal.sample, rehearsal.measured, rehearsal.disturbance
    passed = sum(check.passed for check in rehearsal.checks)
    killed = (
        f"killed, {disturbance.restored} of {sample.cases} cases were saved" if disturbance.killed else "not killed"
    )
    same = "the same root hash" if disturbance.identical else "ANOTHER ROOT HASH"
    lines = [
        f"sample     {sample.cases} of {sample.of:,} cases, "
        f"{sample.bytes / 1e6:,.1f} of {sample.of_bytes / 1e6:,.1f} MB",
        f"measured   {duration_text(measured.work_seconds)} of work, {duration_text(measured.verify_seconds)} of "
        f"verification, {measured.records:,} examples, {measured.peak_memory_bytes / 1e6:,.0f} MB in a worker",
        f"verified   {passed} of {len(rehearsal.checks)} checks hold",
        f"disturbed  {killed}; resumed: {same}",
        "projected for the whole run (with the bounds of 90 % of the resamples):",
        *_projection_lines(rehearsal.projection, rehearsal),
        *(f"note       {remark}" for remark in rehearsal.remarks),
        f"details    {output}/rehearsals/{rehearsal.rehearsal_id}/rehearsal.json",
    ]
    if rehearsal.go:
        return [*lines, "GO"]
    return [*lines, "NO-GO", *(f"  - {reason}" for reason in rehearsal.reasons)]


def _projection_lines(projection: Projection, rehearsal: Rehearsal) -> list[str]:
    from core.run.progress import duration_text

    def span(estimate: Estimate, factor: float, form: str, unit: str) -> str:
        low, high = format(estimate.low * factor, form), format(estimate.high * factor, form)
        return f"{format(estimate.value * factor, form)} {unit} ({low} to {high})"

    def duration(estimate: Estimate) -> str:
        return f"{duration_text(estimate.value)} ({duration_text(estimate.low)} to {duration_text(estimate.high)})"

    dollars = "unknown" if projection.dollars is None else span(projection.dollars, 1, ",.4f", "dollars")
    failures = ", ".join(f"{reason} about {count:,.0f}" for reason, count in projection.failures.items()) or "none seen"
    factor = projection.machine_factor
    slower = "  machine  not in the time model" if factor is None else f"  machine  {span(factor, 1, '.2f', 'times')}"
    return [
        slower + ("" if factor is None else " as long as in the time model; plan, estimate and run use it here"),
        f"  time     {duration(projection.seconds_local)} with {rehearsal.scale.workers} workers here",
        f"           {duration(projection.seconds_array)} as an array of {rehearsal.scale.array}",
        f"  memory   {projection.peak_memory_bytes / 1e6:,.0f} MB a worker",
        f"  output   {span(projection.output_bytes, 1e-6, ',.1f', 'MB')}, "
        f"{span(projection.records, 1, ',.0f', 'examples')}",
        f"  staging  {projection.staging_bytes / 1e6:,.1f} MB",
        f"  success  {span(projection.success_rate, 100, '.1f', '%')}; failures: {failures}",
        f"  cost     {dollars}, {span(projection.worker_hours, 1, ',.3f', 'vCPU hours')}",
    ]
