"""The trajectory workload behind the platform's protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ContentError
from core.workload import Case, CaseResult, Cohort, Outcome, Source
from core.workloads.trajectory.card import card_section, describe
from core.workloads.trajectory.cohort import plan_cohort, samples_of_case
from core.workloads.trajectory.configuration import resolve_configuration
from core.workloads.trajectory.examples import example_schema, make_examples

Json = dict[str, Any]


class TrajectoryWorkload:
    """Labelled videos of points that move along four kinds of 3-D path (spec/trajectory)."""

    name = "trajectory"

    def __init__(self, settings: Json) -> None:
        self._configuration = resolve_configuration(settings)
        self.schema = example_schema(self._configuration)

    def configuration(self) -> Json:
        return self._configuration.model_dump(mode="json")

    def cohort(self, source: Source | None, selection: Json) -> Cohort:
        return plan_cohort(self._configuration)

    def process(self, case: Case, source: Source | None) -> CaseResult:
        samples = samples_of_case(case, self._configuration)
        try:
            columns = make_examples(self._configuration, samples)
        except ContentError as error:
            return CaseResult(Outcome.FAILED, reason=error.code, detail=f"{error.where}: {error.what}")
        return CaseResult(Outcome.DONE, windows=len(samples), columns=columns, figures={"samples": len(samples)})

    def metadata(self, figures: Sequence[Json], histograms: Mapping[str, NDArray[np.int64]]) -> Json:
        return describe(self._configuration)

    def card(self) -> str:
        return card_section(self._configuration)
