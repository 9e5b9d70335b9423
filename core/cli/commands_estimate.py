"""``casemill estimate``: hours and dollars before a run."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options
from core.cli.machine import processors
from core.cli.output import note, print_json, print_lines
from core.errors import EXIT_DONE, BadRequestError

if TYPE_CHECKING:
    from core.cost.prices import PriceBook


class CapacityChoice(str, Enum):
    """What the machines are bought as."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


@options.over_a_cohort
def estimate(
    asked: options.Asked,
    out: Annotated[str | None, typer.Option(help="Where a rehearsal was made: it has measured this machine.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Workers, one to a vCPU: the width of the array; here, its processors.")
    ] = None,
    prices: Annotated[str | None, typer.Option(help="prices.json; the dollars are unknown without.")] = None,
    capacity: Annotated[CapacityChoice, typer.Option(help="What the machines are bought as.")] = CapacityChoice.SPOT,
    instance_type: Annotated[str | None, typer.Option(help="E.g. m6i.large; this machine if not given.")] = None,
    zone: Annotated[str | None, typer.Option(help="Zone of the spot price; all known ones if not given.")] = None,
    region: Annotated[str | None, typer.Option(help="Region of the prices; that of the zone if not given.")] = None,
    vcpus: Annotated[int, typer.Option(min=1, help="vCPUs that each worker's job is given.")] = 1,
    times: Annotated[str | None, typer.Option(help="Time figures of your own, from casemill fit.")] = None,
    json: options.JsonOutput = False,
) -> int:
    """Estimate hours and dollars before a run: low, likely and high, and what is unknown. Nothing is written.

    Example: casemill estimate --source vital_files --clinical clinical_data.csv --cases 1-3000
    """
    from core.cli.time_figures import model_elsewhere, model_here
    from core.cost.estimate import Machines, estimate_run, with_dollars
    from core.cost.text import estimate_lines
    from core.store import open_store

    book = _read_prices(prices) if prices else None
    store = open_store(out) if out else None
    plan, _ = options.plan_of(asked)
    model = (model_elsewhere if instance_type else model_here)(plan.request, store, times)
    count = workers or processors()
    found = estimate_run(plan.request.workload, model, plan.shards.shards, count)
    found = with_dollars(found, book, Machines(count, capacity.value, instance_type, zone, region, vcpus))
    missing = sum(entry.case.key is None for entry in plan.cases)
    for remark in plan.request.notes:
        note(f"note: {remark}")
    if json:
        print_json({**found.model_dump(mode="json"), "cases_missing": missing})
    else:
        print_lines([f"cases     {found.cases - missing:,} found, {missing:,} missing", *estimate_lines(found)])
    return EXIT_DONE


def _read_prices(location: str) -> PriceBook:
    from core.cost.prices import parse_prices
    from core.store import open_object

    try:
        store, key = open_object(location)
        return parse_prices(store.get(key), location)
    except FileNotFoundError as error:
        raise BadRequestError(
            "bad_prices", "no such file", where=location, fix="See docs/cost.md for the form."
        ) from error
