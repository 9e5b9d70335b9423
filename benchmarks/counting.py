"""A workload that reads nothing and counts: runs of 100,000 cases whose cost is the run protocol's alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.schema import Field, Kind, Role, Schema
from core.workload import Case, CaseResult, Cohort, Outcome, Source

Json = dict[str, Any]


class CountingWorkload:
    """As many cases as its setting ``cases`` says, each a subject of its own with one small record."""

    name = "counting"

    def __init__(self, settings: Json) -> None:
        self._cases = int(settings["cases"])
        self.schema = Schema(
            fields=(
                Field(name="case_id", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
                Field(name="start_s", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE, minimum=0),
                Field(name="subject_id", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
                Field(name="values", kind=Kind.FLOAT, shape=(16,), role=Role.INPUT, minimum=-1.0, maximum=1.0),
            ),
            case_field="case_id",
            group_field="subject_id",
            order_field="start_s",
        )

    def configuration(self) -> Json:
        return {"cases": self._cases}

    def cohort(self, source: Source | None, selection: Json) -> Cohort:
        return Cohort(tuple(_case(number) for number in range(1, self._cases + 1)))

    def process(self, case: Case, source: Source | None) -> CaseResult:
        columns = {
            "case_id": np.array([[case.number]]),
            "start_s": np.array([[0]]),
            "subject_id": np.array([[case.group_number]]),
            "values": np.full((1, 16), 1.0 / case.number, np.float32),
        }
        return CaseResult(Outcome.DONE, records=1, columns=columns)

    def metadata(self, figures: Sequence[Json], histograms: Mapping[str, NDArray[np.int64]]) -> Json:
        return {}

    def card(self) -> str:
        return "## Counting\n"


def build_counting(name: str, configuration: Json) -> CountingWorkload:
    """The factory that worker processes call."""
    return CountingWorkload(configuration)


def _case(number: int) -> Case:
    return Case(f"{number:06d}", number, str(number), number, None, 0, 1)
