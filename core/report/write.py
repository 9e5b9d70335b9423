"""Writes ``report.html`` of a run; a page that cannot be made is told, and spoils nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from core.errors import BadRequestError, BugError, CasemillError, ContentError
from core.faults import classify
from core.report.documents import RunDocuments, read_documents
from core.report.gather import Look, gather
from core.report.page import render_run
from core.report.viewing import SAMPLE_CASES
from core.reporting import CaseTraces, ReportingWorkload
from core.run.layout import RunLayout
from core.run.models import Json
from core.run.source import open_source
from core.store import Store
from core.workload import Case, Source, Workload

MOST_BYTES = 5_000_000
"""Of a page, for a cohort of 3,000 cases (issue 7)."""

BuildWorkload = Callable[[str, Json], Workload]


@dataclass(frozen=True)
class Viewing:
    """Whether the viewer's cases are read from the run's source, or from ``source`` instead; or else ``why_not``."""

    source: str | None = None
    sample: int = SAMPLE_CASES
    why_not: str = ""


@dataclass(frozen=True)
class Told:
    """What came of an attempt to write the page: its key, or the error."""

    key: str = ""
    error: CasemillError | None = None


def not_in_the_cloud(output: str, run_id: str) -> str:
    """Why a page that a function wrote has no viewer. The functions may not read the source, so that no more than the
    workers can see patients' data."""
    return (
        "The case viewer reads cases again, which the functions of the cloud may not. Somebody who may makes it"
        f" with: casemill report {output}/{RunLayout(run_id).root}"
    )


def make_page(store: Store, run_id: str, build_workload: BuildWorkload, viewing: Viewing) -> bytes:
    """The report of a run as its store tells it now.

    Raises
    ------
    BadRequestError
        ``no_run``, or a source that cannot be opened where one was named.
    FatalError, TransientError
        As :func:`core.report.page.render_run` and the storage.
    """
    documents = read_documents(store, run_id)
    workload, problem = _workload(documents, build_workload)
    if problem:
        documents.problems.append(problem)
    look = _look(documents, workload, viewing)
    page = gather(documents, workload, look, viewing.sample)
    made = render_run(page)
    if len(made) <= MOST_BYTES or not page.viewer.cases:
        return made
    fewer = replace(viewing, sample=viewing.sample // 2, why_not="" if viewing.sample else _TOO_LARGE)
    return make_page(store, run_id, build_workload, fewer)


_TOO_LARGE = "The page with a case viewer would be too large. casemill inspect CASE --html FILE shows a single case."


def write_page(store: Store, run_id: str, build_workload: BuildWorkload, viewing: Viewing) -> str:
    """Write ``runs/<run_id>/report.html`` and give its key; errors as :func:`make_page`."""
    key = RunLayout(run_id).report_page
    store.put(key, make_page(store, run_id, build_workload, viewing))
    return key


def try_to_write_page(store: Store, run_id: str, build_workload: BuildWorkload, viewing: Viewing) -> Told:
    """The same for a run that must not suffer from its report: the error comes back to be told."""
    try:
        return Told(write_page(store, run_id, build_workload, viewing))
    except CasemillError as error:
        return Told(error=error)
    except (MemoryError, OSError) as error:
        return Told(error=classify(error).error)
    except Exception as error:  # noqa: BLE001  a verified run stays verified whatever is wrong with its page
        # The words of others may quote data.
        return Told(error=BugError("report_failed", type(error).__name__, where=run_id, fix="Report it."))


def _workload(documents: RunDocuments, build_workload: BuildWorkload) -> tuple[Workload | None, str]:
    request = documents.request
    try:
        return build_workload(request.workload, request.configuration), ""
    except BadRequestError as error:
        return None, f"The workload cannot be built here, so that it says nothing: {error.what} [{error.code}]"


def _look(documents: RunDocuments, workload: Workload | None, viewing: Viewing) -> Look | str:
    if viewing.why_not:
        return viewing.why_not
    if not isinstance(workload, ReportingWorkload):
        return ""
    try:
        source = open_source(viewing.source or documents.request.source)
    except CasemillError as error:
        if viewing.source:
            raise
        return f"The source cannot be read any more: {error.what} [{error.code}]. --source names another place."
    return lambda case: look_at(workload, case, source)


def look_at(workload: ReportingWorkload, case: Case, source: Source | None) -> CaseTraces | str | None:
    """A case's traces, or why it cannot be shown."""
    try:
        return workload.traces(case, source)
    except ContentError as error:
        return f"{error.what} [{error.code}]"
