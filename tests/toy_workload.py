"""A workload without recordings, whose faults are part of its configuration; importable by worker processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ContentError, TransientError
from core.schema import Field, Kind, Role, Schema
from core.workload import Case, CaseResult, Cohort, Outcome, Source

Json = dict[str, Any]


def _raise_value(settings: Json, case: Case) -> None:
    raise ValueError(f"secret content of {case.id}")


def _raise_content(settings: Json, case: Case) -> None:
    raise ContentError("unreadable", "bad bytes", where=f"case {case.id}")


def _raise_transient(settings: Json, case: Case) -> None:
    raise TransientError("storage", "throttled", where=f"case {case.id}")


def _raise_memory(settings: Json, case: Case) -> None:
    raise MemoryError


def _raise_disk(settings: Json, case: Case) -> None:
    raise OSError(28, "No space left on device")


def _once(settings: Json, case: Case) -> bool:
    try:
        os.close(os.open(Path(settings["marker"]), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _die_once(settings: Json, case: Case) -> None:
    if _once(settings, case):
        os._exit(9)


def _die(settings: Json, case: Case) -> None:
    os._exit(9)


def _transient_once(settings: Json, case: Case) -> None:
    if _once(settings, case):
        _raise_transient(settings, case)


_FAULTS: dict[str, Callable[[Json, Case], None]] = {
    "value": _raise_value,
    "content": _raise_content,
    "transient": _raise_transient,
    "transient_once": _transient_once,
    "memory": _raise_memory,
    "disk": _raise_disk,
    "die": _die,
    "die_once": _die_once,
}


class ToyWorkload:
    """Case k has ``windows`` records that count up from 0 and carry a value made of k; odd settings break it."""

    name = "toy"

    def __init__(self, settings: Json) -> None:
        self.settings: Json = {
            "cases": 10, "windows": 6, "fault": "", "fault_case": -1, "marker": "", "seconds": 0.0, "empty": [],
            "value": None, "estimates": [], **settings,
        }  # fmt: skip
        self.processed: list[str] = []
        self.before_case: Callable[[Case], None] = lambda case: None
        self.schema = Schema(
            fields=(
                Field(name="case", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
                Field(name="group", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
                Field(name="order", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE, minimum=0),
                Field(name="values", kind=Kind.FLOAT, shape=(4,), role=Role.INPUT, minimum=-1.0, maximum=1.0),
            ),
            case_field="case",
            group_field="group",
            order_field="order",
        )

    def configuration(self) -> Json:
        return dict(self.settings)

    def cohort(self, source: Source | None, selection: Json) -> Cohort:
        numbers = range(1, self.settings["cases"] + 1)
        return Cohort(
            tuple(
                Case(
                    id=f"{number:04d}",
                    number=number,
                    group=f"g{number}",
                    group_number=1000 + number,
                    key=f"{number:04d}.toy",
                    size=100,
                    estimated_records=(self.settings["estimates"] or [self.settings["windows"]] * number)[number - 1],
                )
                for number in numbers
            )
        )

    def locations(self, selection: Json) -> Json:
        return {name: selection[name] for name in ("table",) if name in selection}

    def narrowed(self, selection: Json, numbers: Sequence[int]) -> Json:
        return {**selection, "cases": ",".join(map(str, numbers))}

    def process(self, case: Case, source: Source | None) -> CaseResult:
        self.before_case(case)
        self.processed.append(case.id)
        if self.settings["seconds"]:
            time.sleep(self.settings["seconds"])
        if case.number == self.settings["fault_case"]:
            _FAULTS[self.settings["fault"]](self.settings, case)
        if case.number in self.settings["empty"]:
            return CaseResult(Outcome.EMPTY, figures={"seconds": 1})
        count = self.settings["windows"]
        values = np.linspace(-0.5, 0.5, count * 4).reshape(count, 4).astype(np.float32) / np.float32(case.number)
        if self.settings["value"] is not None:
            values[0, 0] = self.settings["value"]
        return CaseResult(
            outcome=Outcome.DONE,
            records=count,
            columns={
                "case": np.full((count, 1), case.number, np.int64),
                "group": np.full((count, 1), case.group_number, np.int64),
                "order": np.arange(count, dtype=np.int64)[:, None],
                "values": values,
            },
            figures={"seconds": count},
            histograms={"values": np.array([count, case.number], np.int64)},
        )

    def metadata(self, figures: Sequence[Json], histograms: Mapping[str, NDArray[np.int64]]) -> Json:
        return {"cases": len(figures), "sums": {name: total.tolist() for name, total in histograms.items()}}

    def card(self) -> str:
        return "## Toy\n"


def build_toy(name: str, configuration: Json) -> ToyWorkload:
    """The factory that worker processes call."""
    return ToyWorkload(configuration)
