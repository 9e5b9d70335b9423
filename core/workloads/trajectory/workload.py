"""The trajectory workload behind the platform's protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadRequestError, ContentError
from core.judging import Judgement
from core.reporting import CaseTraces, Distribution, Oddity, Picture
from core.workload import Case, CaseResult, Cohort, Columns, DataSetFacts, Description, Outcome, Source, Split
from core.workloads.trajectory.audit import AuditFigures, audit, read_figures
from core.workloads.trajectory.baseline import nearest_neighbour
from core.workloads.trajectory.card import card_section, describe
from core.workloads.trajectory.classes import CLASS_NAMES
from core.workloads.trajectory.cohort import filed_under, plan_cohort, samples_of_case
from core.workloads.trajectory.configuration import resolve_configuration
from core.workloads.trajectory.contact_sheet import class_sheets
from core.workloads.trajectory.description import describe_data_set
from core.workloads.trajectory.examples import example_schema, make_examples
from core.workloads.trajectory.gates import judge

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
        """All blocks of the configuration. There is nothing to read and nothing to select: ``samples`` is a setting."""
        if source is not None:
            raise BadRequestError("bad_option", "this workload reads nothing", where="--source", fix="Leave it out.")
        if selection:
            name = sorted(selection)[0]
            what = f"this workload makes all of its samples, {name!r} selects none of them"
            raise BadRequestError("bad_selection", what, where="selection", fix="Give --samples.")
        return plan_cohort(self._configuration)

    def filed_under(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return filed_under(columns, self._configuration)

    def audit(self, split: Split, columns: Columns) -> AuditFigures:
        return audit(columns, self._configuration)

    def read_figures(self, figures: Json) -> AuditFigures:
        return read_figures(figures)

    def judge(self, total: AuditFigures) -> Judgement:
        found = nearest_neighbour(total.tracks, self._configuration.salt)
        baseline = {
            "method": "nearest neighbour on the dots' tracks, training side against test side",
            "classes": list(CLASS_NAMES),
            "neighbours": found.neighbours,
            "tested": found.tested,
            "accuracy": round(found.accuracy, 4),
            "confusion": [list(row) for row in found.confusion],
        }
        return Judgement(judge(total, self._configuration), {"baseline": baseline})

    def process(self, case: Case, source: Source | None) -> CaseResult:
        samples = samples_of_case(case, self._configuration)
        try:
            columns = make_examples(self._configuration, samples)
        except ContentError as error:
            return CaseResult.failed(error)
        return CaseResult(Outcome.DONE, records=len(samples), columns=columns, figures={"samples": len(samples)})

    def distributions(
        self, figures: Iterable[Json], histograms: Mapping[str, NDArray[np.int64]]
    ) -> Sequence[Distribution]:
        """None: the parameters are drawn from the distributions that the metadata tell."""
        return ()

    def pictures(self, cases: Sequence[Case]) -> Sequence[Picture]:
        """A contact sheet of each class."""
        return class_sheets(self._configuration)

    def oddities(self, figures: Iterable[tuple[str, Json]], most: int) -> Sequence[Oddity]:
        """None: a sample that is odd misses a gate."""
        return ()

    def traces(self, case: Case, source: Source | None) -> CaseTraces | None:
        """None: a case is a block of samples and has no time axis."""
        return None

    def metadata(self, figures: Sequence[Json], histograms: Mapping[str, NDArray[np.int64]]) -> Json:
        return describe(self._configuration)

    def card(self) -> str:
        return card_section(self._configuration)

    def describe(self, facts: DataSetFacts) -> Description:
        return describe_data_set(self._configuration, facts)


build = TrajectoryWorkload
"""What the registry calls with the configuration."""
