"""Planned runs over bench recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.run.models import Thresholds
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.source import open_source
from core.store import Store, open_store
from core.workloads.registry import build_workload

ALL_TRAIN = Thresholds(salt="bench", validation=1.0, test=1.0)
"""One split only, so that shards are equal."""


def planned_run(source: Path, out: Path, **options: Any) -> tuple[Store, Plan]:
    """A run of every recording below ``source``, planned and not yet worked."""
    store = open_store(out, create=True)
    selection = {"cases": "all", "clinical": None, "where": None}
    settings = PlanOptions(**{"data_set": "bench", "thresholds": ALL_TRAIN, **options})
    plan = make_plan(build_workload("vitaldb", {}), open_source(str(source)), selection, settings)
    write_plan(store, plan)
    return store, plan
