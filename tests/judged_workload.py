"""The toy workload, dividing its records by a rule of its own and judging them; it can be made to break both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.judging import Gate, Judgement
from core.workload import SPLITS, Case, Cohort, Columns, Source, Split
from tests.toy_workload import Json, ToyWorkload

SIDES = np.array([0, 0, 0, 0, 1] * 3 + [0, 0, 2, 2, 2])


@dataclass(frozen=True)
class Counts:
    """How many records, by side, and the sum of their places."""

    records: dict[str, int]
    places: int

    def __add__(self, other: Any) -> Counts:
        sides = self.records | other.records
        records = {side: self.records.get(side, 0) + other.records.get(side, 0) for side in sides}
        return Counts(records, self.places + other.places)

    def as_json(self) -> Json:
        return {"records": self.records, "places": self.places}


class JudgedToy(ToyWorkload):
    """``misplaced``: a case that the plan puts on another side; ``wanted``: how many records the gate wants."""

    name = "judged"

    def __init__(self, settings: Json) -> None:
        super().__init__({"cases": 20, "misplaced": 0, "wanted": 120, **settings})

    def cohort(self, source: Source | None, selection: Json) -> Cohort:
        whole = super().cohort(source, selection)
        return Cohort(tuple(replace(case, split=self._planned(case)) for case in whole.cases))

    def _planned(self, case: Case) -> Split:
        side = SIDES[case.number % len(SIDES)] if case.number != self.settings["misplaced"] else 2
        return SPLITS[side]

    def filed_under(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        numbers = columns["case"].reshape(-1).astype(np.int64)
        return numbers, SIDES[numbers % len(SIDES)]

    def audit(self, split: Split, columns: Columns) -> Counts:
        return Counts({split: len(columns["order"])}, int(columns["order"].sum()))

    def read_figures(self, figures: Json) -> Counts:
        return Counts(figures["records"], figures["places"])

    def judge(self, total: Counts) -> Judgement:
        found, wanted = sum(total.records.values()), self.settings["wanted"]
        gates = (
            Gate("records", found == wanted, found, f"exactly {wanted}"),
            Gate("places", total.places > 0, total.places, "above 0"),
        )
        return Judgement(gates, {"by_side": total.records})


def build_judged(name: str, settings: Json) -> JudgedToy:
    """The factory that the functions call."""
    return JudgedToy(settings)
