"""What each file of a demo cohort is and what must become of it: ``ground_truth.json``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.recording.model import LossReport
from core.workload import Outcome
from core.workloads.vitaldb.demo.tape import Tape


@dataclass(frozen=True)
class CaseTruth:
    """One case as it was made.

    ``file`` is relative to the demo folder (``None``: there is no recording). ``fault`` names what was
    broken on purpose. ``seconds`` is T of the spec (``None`` where nothing can be read). ``loss`` is the
    loss report of a faithful reader, where the way the file was made settles it. ``flags`` are those that
    must be there; there may be others.
    """

    case_id: str
    subject_id: int
    file: str | None
    fault: str | None
    outcome: Outcome
    reason: str
    flags: tuple[str, ...]
    windows: int
    seconds: int | None
    loss: LossReport | None
    clinical_row: bool
    profile: str
    layout: str
    header_length: int | None
    arterial_line: bool
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)


def truth_of_readable(base: CaseTruth, tape: Tape, bytes_in: int, truncated: bool = False) -> CaseTruth:
    """The truth of a recording with signals: windows and loss by the tape's books, ``done`` or ``empty``."""
    flags = (*base.flags, "truncated") if truncated else base.flags
    return dataclasses.replace(
        base,
        outcome=Outcome.DONE if tape.windows else Outcome.EMPTY,
        flags=tuple(sorted(flags)),
        windows=tape.windows,
        seconds=tape.seconds,
        loss=tape.loss(bytes_in, truncated),
        header_length=tape.header.length,
    )


def write_truth(path: Path, seed: int, waveforms: bool, cases: Sequence[CaseTruth]) -> None:
    """Write the JSON, one case a line so that two versions can be compared by eye."""
    head = json.dumps({"format": 1, "seed": seed, "waveforms": waveforms})
    lines = ",\n".join(json.dumps(case.as_json(), sort_keys=True) for case in cases)
    path.write_text(f'{head[:-1]}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


def read_truth(path: Path) -> list[CaseTruth]:
    """Read back what :func:`write_truth` wrote."""
    cases = []
    for entry in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        loss = entry.pop("loss")
        entry["outcome"] = Outcome(entry["outcome"])
        entry["flags"] = tuple(entry["flags"])
        cases.append(CaseTruth(**entry, loss=None if loss is None else LossReport(**loss)))
    return cases
