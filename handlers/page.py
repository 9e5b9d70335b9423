"""The run's page, ``report.html``: written beside everything else, and never at its expense."""

from __future__ import annotations

from core.report.write import Viewing, not_in_the_cloud, try_to_write_page
from core.run.failure import NO_RUN, REFUSED
from core.run.report import RunReport
from core.store import Store
from core.workloads.registry import build_workload
from handlers.observability import logger

MOST_CASES = 30_000
"""Above it the page is left to ``casemill report``: reading every commit record would take a function's time."""


def leave_page(store: Store, report: RunReport) -> RunReport:
    """Write the page of a run that has come to its end, and give the report with the page's place. Where it cannot be
    written the log says why, and the report stays as it is."""
    if report.run_id == NO_RUN or report.cases_planned is None or report.code in REFUSED:
        return report
    if report.cases_planned > MOST_CASES:
        logger.warning("no page", extra={"run": report.run_id, "code": "too_large", "cases": report.cases_planned})
        return report
    viewing = Viewing(why_not=not_in_the_cloud(store.uri, report.run_id))
    told = try_to_write_page(store, report.run_id, build_workload, viewing)
    if told.error is not None:
        logger.error("no page", extra={"run": report.run_id, "code": told.error.code})
    return report.model_copy(update={"page_key": told.key})
