"""Failed cases as messages: one a case, so that each can be looked into and sent through again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydantic import ValidationError

from core.errors import BadRequestError
from core.run.models import CommitRecord, Document, RunRequest, ShardEntry
from core.run.plan import bad_option
from core.run.submission import AskedRun
from core.workload import SelectingWorkload, Workload


class QuarantineMessage(Document):
    """A failed case. Ids, the reason's code and flags only: a detail may quote the data, and many read a queue."""

    run_id: str
    data_set: str
    workload: str
    case_id: str
    case_number: int
    reason: str
    flags: tuple[str, ...] = ()

    def to_line(self) -> str:
        """One line of JSON, the body of the message."""
        return self.model_dump_json()


def quarantine_messages(
    request: RunRequest, records: Iterable[CommitRecord | ShardEntry]
) -> Iterator[QuarantineMessage]:
    """One message for each failed case, in the order of the records, which may be the manifest's entries."""
    for record in records:
        for case in record.cases:
            if case.reason:
                yield QuarantineMessage(
                    run_id=request.run_id,
                    data_set=request.data_set,
                    workload=request.workload,
                    case_id=case.case_id,
                    case_number=case.case_number,
                    reason=case.reason,
                    flags=case.flags,
                )


def redrive(
    messages: Sequence[QuarantineMessage],
    asked: AskedRun,
    request: RunRequest,
    workload: Workload,
    data_set: str | None = None,
) -> AskedRun:
    """The request for a run over the messages' cases alone; else as ``asked`` was.

    The earlier run's thresholds go along, so that nobody changes sides between the two data sets. ``data_set`` is the
    new one's name; without it the new run's id is the name.

    Raises
    ------
    BadRequestError
        ``nothing_to_redrive``; ``mixed_runs``: messages of other runs are among them; ``name_taken``: a published data
        set cannot be added to; ``bad_option``: no name for a data set; ``cannot_redrive``: the workload cannot select
        single cases.
    """
    if not messages:
        raise BadRequestError("nothing_to_redrive", "there are no quarantined cases", where=f"run {request.run_id}")
    others = sorted({message.run_id for message in messages} - {request.run_id})
    if others:
        raise BadRequestError(
            "mixed_runs", f"messages of {', '.join(others[:3])} are among them", where=f"run {request.run_id}",
            fix="Send the cases of one run at a time.",
        )  # fmt: skip
    if data_set == request.data_set:
        raise BadRequestError(
            "name_taken",
            f"the data set {data_set!r} is that of the run whose cases these are",
            where="data_set",
            fix="Give another name; a published data set is not added to.",
        )
    numbers = sorted({message.case_number for message in messages})
    if not isinstance(workload, SelectingWorkload):
        raise BadRequestError(
            "cannot_redrive", f"the workload {request.workload} selects no single cases", where=f"run {request.run_id}",
            fix="Run the whole again under another name.",
        )  # fmt: skip
    selection = workload.narrowed(asked.selection, numbers)
    changed = {"selection": selection, "data_set": data_set, "thresholds": request.thresholds}
    try:
        return AskedRun(**{**dict(asked), **changed})
    except ValidationError as error:
        raise bad_option(error) from error
