"""``casemill cost``: what a run in the cloud cost, or has cost so far."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from core.cli import options as cohort_options
from core.cli.output import note, print_json, print_lines
from core.errors import EXIT_DONE
from handlers.command_line import options

if TYPE_CHECKING:
    from core.cost.report import CostReport
    from core.store import Store
    from handlers.command_line.stack import DeployedStack


def cost(
    run: options.Run,
    stack: options.Stack = options.DEFAULT_STACK,
    aws_profile: options.AwsProfile = None,
    region: options.Region = None,
    json: cohort_options.JsonOutput = False,
) -> int:
    """Say what a run in the cloud cost: cost.json, or computed now where the run still works or left none.

    What has no price is unknown, never zero. Computing needs the permissions to read prices.

    Example: casemill cost vitaldb-0123456789ab
    """
    from core.cost.text import cost_lines

    deployed = options.open_stack(stack, aws_profile, region)
    store = deployed.open_output()
    report = _stored(store, run, deployed) or _computed(store, run, deployed)
    if json:
        print_json(report.model_dump(mode="json"))
    else:
        print_lines(cost_lines(report))
    return EXIT_DONE


def _stored(store: Store, run_id: str, stack: DeployedStack) -> CostReport | None:
    """``cost.json``; None where there is none, none that can be read, or where the run has gone on since."""
    from pydantic import ValidationError

    from core.cost.report import CostReport
    from core.run.layout import RunLayout
    from handlers.command_line.executions import running_of

    try:
        found = CostReport.model_validate_json(store.get(RunLayout(run_id).cost))
    except FileNotFoundError:
        return None
    except ValidationError:
        note("note: cost.json is of another version; computed anew")
        return None
    if running_of(stack, run_id):
        note("note: the run works; computed as of now")
        return None
    return found


def _computed(store: Store, run_id: str, stack: DeployedStack) -> CostReport:
    """The account as of now; nothing is written."""
    from core.run.layout import DataSetLayout, RunLayout
    from core.run.plan_store import read_request
    from core.run.progress import ProgressReader, read_shards
    from handlers.command_line.account import asking
    from handlers.observability import logger
    from handlers.spending import Seen, cost_at

    # A price that cannot be had is in the report; the functions' log lines would go to our standard output.
    logger.setLevel("CRITICAL")
    reader = ProgressReader(store, run_id, read_shards(store, run_id))
    seen = Seen.by(reader, time.time())
    data_set = DataSetLayout.named(read_request(store, run_id).data_set).root
    stored = sum(item.size for folder in (RunLayout(run_id).root, data_set) for item in store.list(folder))
    with asking("reading prices", stack.region):
        report = cost_at(seen, stack.region, stored)
    if report.unknown:
        note("note: where a price is missing, the caller may lack ec2:DescribeSpotPriceHistory or pricing:GetProducts")
    return report
