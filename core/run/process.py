"""One case never stops a run: what breaks on its content becomes its outcome (design, rule 4)."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from core.errors import CasemillError, ContentError
from core.faults import classify
from core.run.source import StoreSource
from core.workload import Case, CaseResult, Outcome, Workload


def process_case(workload: Workload, case: Case, source: StoreSource | None) -> CaseResult:
    """The workload's result, guarded as :func:`guarded` says."""
    return guarded(case, lambda: workload.process(case, source))


def guarded(case: Case, work: Callable[[], CaseResult]) -> CaseResult:
    """The result of a workload's work on one case: a :class:`ContentError` that the workload lets through becomes
    ``failed`` with its code, and what it breaks on ``failed(internal)``.

    Raises
    ------
    CasemillError
        What else the workload or the store raises on purpose.
    TransientError
        ``machine``, ``disk_full``: no memory, no disk (:mod:`core.faults`).
    """
    try:
        return work()
    except ContentError as error:
        return CaseResult.failed(error)
    except CasemillError:
        raise
    except (MemoryError, OSError) as error:
        raise classify(error, f"case {case.id}").error from error
    except Exception as error:  # noqa: BLE001  whatever a case breaks must not stop the run
        # The message may quote the case's data, so only the kind and the place go into the record.
        place = traceback.extract_tb(sys.exc_info()[2])[-1]
        detail = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        return CaseResult(Outcome.FAILED, reason="internal", detail=detail)
