"""``casemill fit``: the time model's figures, made anew from finished runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.output import note
from core.errors import EXIT_DONE, BadRequestError, IntegrityError

if TYPE_CHECKING:
    from core.cost.fit import Observation, RunObservation
    from core.run.models import Attempt
    from core.store import Store


def fit(
    runs: Annotated[
        list[str], typer.Argument(help="Finished runs of one workload: OUT/runs/RUN_ID or OUT/datasets/NAME.")
    ],
    machine: Annotated[str, typer.Option(help="The machine that they ran on, in words, for the record.")],
    date: Annotated[str, typer.Option(help="When, for the record: 2026-01-31.")],
    made_by: Annotated[str, typer.Option(help="How the runs were made, for the record.")] = "casemill run",
    layouts: Annotated[
        list[str] | None,
        typer.Option(help="ground_truth.json of the demo cohort of each run, in their order: names the layouts."),
    ] = None,
) -> int:
    """Make the time model's figures anew from runs that were not interrupted, and print them as TOML.

    Example: casemill fit out/runs/* --machine "c7i.large" --date 2026-01-31 > times.toml
    """
    import sys

    from core.cost.fit import Provenance, fit_error
    from core.cost.fit import fit as fit_coefficients
    from core.cost.models_text import models_text
    from core.cost.time_model import TimeModels

    _check_date(date)
    if layouts and len(layouts) != len(runs):
        raise BadRequestError("bad_option", "not one for each run", where="--layouts", fix="Give as many as runs.")
    seen = [_observe(run, layouts[place] if layouts else None) for place, run in enumerate(runs)]
    names = {name for name, _, _ in seen}
    if len(names) > 1:
        raise BadRequestError("bad_option", f"runs of {', '.join(sorted(names))}", where="RUN", fix="Give one kind.")
    observations = [item for _, found, _ in seen for item in found]
    provenance = Provenance(machine, date, f"{made_by}; casemill fit of {len(runs)} runs")
    coefficients = fit_coefficients(observations, [item for _, _, item in seen if item], provenance)
    for run, (_, found, _) in zip(runs, seen, strict=True):
        note(f"{run}: took {fit_error(coefficients, found):.2f} times as long as the fit says")
    (workload,) = names
    sys.stdout.write(models_text(TimeModels(workloads={workload: coefficients})))
    return EXIT_DONE


def _check_date(text: str) -> None:
    from datetime import date

    try:
        date.fromisoformat(text)
    except ValueError:
        raise BadRequestError("bad_option", f"{text!r} is no date", where="--date", fix="Write 2026-01-31.") from None


def _observe(run: str, truth: str | None) -> tuple[str, list[Observation], RunObservation | None]:
    """A run's workload, its cases, and what it took beside them where one start did all of it."""
    from pydantic import ValidationError

    from core.cli.run_location import open_run
    from core.cost.estimate import EstimateOutcome
    from core.cost.fit import beside_the_work, observations_of
    from core.run.assemble import read_commits
    from core.run.layout import RunLayout
    from core.run.plan_store import read_plan

    store, run_id = open_run(run)
    plan = read_plan(store, run_id)
    layout = RunLayout(run_id)
    observations = observations_of(run, plan.cases, read_commits(store, plan), _layouts(truth) if truth else None)
    try:
        outcome = EstimateOutcome.model_validate_json(store.get(layout.estimate))
    except (FileNotFoundError, ValidationError):
        return plan.request.workload, observations, None
    attempts = _attempts(store, layout.root)
    records = sum(shard.estimated_records for shard in plan.shards.shards)
    beside = (
        beside_the_work(outcome.took_seconds, attempts, records, outcome.estimate.workers)
        if outcome.whole_run and all(attempt.why == "finished" for attempt in attempts)
        else None
    )
    return plan.request.workload, observations, beside


def _attempts(store: Store, root: str) -> list[Attempt]:
    from pydantic import ValidationError

    from core.run.models import Attempt
    from core.wrong_values import why_unreadable

    found = []
    for item in store.list(f"{root}/attempts"):
        try:
            found.append(Attempt.model_validate_json(store.get(item.key)))
        except ValidationError as error:
            raise IntegrityError("attempt_damaged", why_unreadable(error), where=item.key) from error
    return found


def _layouts(location: str) -> dict[str, str]:
    """The layout of each case of a demo cohort."""
    import json

    from core.store import open_object

    try:
        store, key = open_object(location)
        return {case["case_id"]: case["layout"] for case in json.loads(store.get(key))["cases"]}
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise BadRequestError(
            "bad_option", "not a demo cohort's ground_truth.json", where=location, fix="Leave --layouts out."
        ) from error
