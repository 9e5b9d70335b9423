"""The mail at the end of an execution, and that it is sent once."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, ValidationError

from core.errors import CasemillError
from core.run.layout import RunLayout
from core.run.models import Document
from core.run.report import MEANING, TO_DO, Ending, RunReport, report_text
from core.store import Store

SUBJECT_CHARACTERS = 100
"""The longest subject that SNS takes: ASCII, no line break, no control character (SNS API, Publish)."""

EXECUTION_PATTERN = r"^[^/\x00-\x20]{1,80}$"
"""What a name of an execution may be, as far as it matters in a key (Step Functions API, StartExecution)."""

_HAPPENED: dict[Ending, str] = {
    "success": "is verified",
    "verification failed": "FAILED its verification",
    "quarantine above threshold": "has too many failed cases",
    "incomplete": "is incomplete",
    "over budget": "was stopped by its budget",
    "stopped": "was stopped",
    "timed out": "timed out",
    "bad request": "was refused",
    "crash": "broke",
}


_HARMLESS = re.compile(r"(?:[A-Za-z]{1,20} ){0,3}[Ee]rror(?=:)|(?:line|row) [0-9]{1,12}\b")
"""The kind of an error as databases and readers put it before a colon, or the place in a file."""


class Mail(Document):
    """Plain text; the subject is ASCII and at most 100 characters."""

    subject: str = Field(min_length=1, max_length=SUBJECT_CHARACTERS, pattern=r"^[\x20-\x7e]+$")
    body: str


class ExecutionEnd(Document):
    """``executions/<execution>.json``: how an execution ended, and the mail that says so.

    ``told_by`` is who sends it: the execution itself, or the event of its end.
    """

    run_id: str
    execution: str = Field(pattern=EXECUTION_PATTERN)
    ending: Ending
    told_by: Literal["execution", "event"]
    mail: Mail


def mail_of(report: RunReport, stage: str = "") -> Mail:
    """What happened, what it means, what to do, and where the report is. Ids and counts only.

    The report's detail is of an error that left its function by :func:`without_quotes`.
    """
    where = f" ({stage})" if stage else ""
    subject = f"Casemill{where}: run {report.run_id} {_HAPPENED[report.ending]}"
    said = f": {report.detail}" if report.detail else "."
    body = [
        f"What happened: run {report.run_id} {_HAPPENED[report.ending]}{said}",
        f"What it means: {MEANING[report.ending]}",
        f"What to do:    {TO_DO[report.ending]}",
        f"Report:        {report.report_uri}",
        *([f"Page:          {report.page_uri}"] if report.page_key else []),
        "",
        # A check's problem may quote a value; the report keeps it where the data is. Cases are ids and reason codes.
        report_text(report.model_copy(update={"problems": _names(report.problems)})),
    ]
    return Mail(subject=plain_subject(subject), body="\n".join(body))


def plain_subject(text: str) -> str:
    """A subject that SNS takes.

    >>> plain_subject("Prüfung\\nfehlgeschlagen " + "x" * 100)[:26]
    'Pr?fung fehlgeschlagen xxx'
    """
    ascii_text = re.sub(r"\s+", " ", text).strip().encode("ascii", "replace").decode()
    printable = re.sub(r"[^\x20-\x7e]", "?", ascii_text)
    short = printable if len(printable) <= SUBJECT_CHARACTERS else printable[: SUBJECT_CHARACTERS - 3] + "..."
    return short or "Casemill"


def without_quotes(error: CasemillError) -> CasemillError:
    """The error without the words that may quote a value of the data, for logs, mails and the state machine's history.

    >>> told = CasemillError("bad_where", 'Conversion Error: "age" of 63,5 is no number', may_quote=True)
    >>> without_quotes(told).what
    'Conversion Error, about "age"'
    >>> without_quotes(CasemillError("bad_where", "63,5 is no number", may_quote=True)).what
    'told in words that may quote the data'
    """
    if not error.may_quote:
        return error
    kind = _HARMLESS.match(error.what)
    what = kind[0] if kind else "told in words that may quote the data"
    # Double quotes hold names in SQL, single ones hold values.
    names = sorted(set(re.findall(r'"[A-Za-z_][A-Za-z0-9_]*"', error.what))) if what.endswith("Error") else []
    what = f"{what}, about {', '.join(names)}" if names else what
    return type(error)(error.code, what, where=error.where, fix=error.fix)


def claim_end(store: Store, end: ExecutionEnd) -> bool:
    """Whether the caller is to send the mail: one caller is, and the same one again until it has confirmed.

    The event of an execution's end comes when the execution itself can do no more, so it may take over a mail that was
    claimed and never confirmed: none is lost, and only a failure between sending and confirming makes a second one.

    Raises
    ------
    TransientError, FatalError
        The storage itself.
    """
    layout = RunLayout(end.run_id)
    if store.put_if_absent(layout.execution(end.execution), end.to_bytes()):
        return True
    if store.head(layout.notice_sent(end.execution)) is not None:
        return False
    claimed = read_end(store, end.run_id, end.execution)
    return claimed is None or end.told_by == "event" or claimed.told_by == end.told_by


def confirm_end(store: Store, run_id: str, execution: str) -> None:
    """Say that the mail of the execution's end was sent."""
    store.put_if_absent(RunLayout(run_id).notice_sent(execution), b"")


def read_end(store: Store, run_id: str, execution: str) -> ExecutionEnd | None:
    """How an execution ended, or None where that is not known yet."""
    try:
        return ExecutionEnd.model_validate_json(store.get(RunLayout(run_id).execution(execution)))
    except (FileNotFoundError, ValidationError):
        return None


def _names(problems: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(problem.partition(":")[0] for problem in problems)
