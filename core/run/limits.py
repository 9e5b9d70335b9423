"""Limits that decide over a case before a byte of it is read."""

from __future__ import annotations

from core.workload import Case, CaseResult, Outcome

DEFAULT_LARGEST_CASE_BYTES = 4 << 30
"""Far above any recording (the open data set's largest is under 100 MB), far below what fills a disk."""


def is_too_large(case: Case, largest_case_bytes: int) -> bool:
    """Whether the case's object is larger than the run allows."""
    return case.size > largest_case_bytes


def too_large(case: Case, largest_case_bytes: int) -> CaseResult:
    """The outcome of such a case, ``failed(too_large)``."""
    detail = f"{case.size:,} bytes, the limit is {largest_case_bytes:,}"
    return CaseResult(Outcome.FAILED, reason="too_large", detail=detail)
