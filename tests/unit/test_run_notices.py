"""Mails: short, plain, without data; one an execution, and none is lost."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadRequestError
from core.run.failure import failure_of, report_failure
from core.run.notices import (
    ExecutionEnd,
    Mail,
    claim_end,
    confirm_end,
    mail_of,
    plain_subject,
    read_end,
    without_quotes,
)
from core.run.report import MEANING, TO_DO, Ending, RunReport
from core.store import Store, open_store
from tests.cloud_bench import CloudBench, asked_toy


def report(ending: Ending, **given: Any) -> RunReport:
    return RunReport(
        run_id="toy-1", execution="first", ending=ending, output="s3://bucket/prefix",
        report_key="runs/toy-1/executions/first.txt", **given,
    )  # fmt: skip


@pytest.mark.parametrize("ending", sorted(MEANING))
def test_every_ending_has_its_mail(ending: Ending) -> None:
    mail = mail_of(report(ending, detail="why"), stage="production")
    assert mail.subject.startswith("Casemill (production): run toy-1 ")
    assert len(mail.subject) <= 100
    for wanted in (
        "What happened:",
        "why",
        MEANING[ending],
        TO_DO[ending],
        "s3://bucket/prefix/runs/toy-1/executions/first.txt",
    ):
        assert wanted in mail.body


def test_the_endings_are_told_apart_by_their_subjects() -> None:
    assert len({mail_of(report(ending)).subject for ending in MEANING}) == len(MEANING)


@given(st.text(max_size=300))
def test_any_subject_becomes_one_that_sns_takes(text: str) -> None:
    subject = plain_subject(text)
    assert 1 <= len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()
    assert Mail(subject=subject, body="").subject == subject


def test_no_value_is_in_a_mail_and_of_cases_the_ids_and_reasons() -> None:
    bench = CloudBench(asked_toy({"fault": "value", "fault_case": 3, "value": 7.5})).finished()
    publication = bench.publish()
    assert any("7.5" in check.detail for check in publication.verification.checks)
    made = report("verification failed", problems=("values: train-00000: case 0007: values goes up to 7.5",),
                  quarantined=("0003 internal",), reasons={"internal": 1})  # fmt: skip
    mail = mail_of(made)
    assert "7.5" not in mail.body
    assert "0007" not in mail.body
    assert "0003 internal" in mail.body
    assert "values" in mail.body


def test_words_that_may_quote_leave_no_function() -> None:
    said = BadRequestError("bad_table", "Conversion Error: 'Mueller' is no \"age\"", where="--table", may_quote=True)
    crossed = pickle.loads(pickle.dumps(said))
    assert (crossed.may_quote, str(crossed)) == (True, str(said))
    left = without_quotes(crossed)
    store = open_store("memory://")
    failure = failure_of("BadRequestError", json.dumps({"errorMessage": str(left)}))
    made = report_failure(store, "toy-1", "first", failure)
    for told in (store.get(made.report_key).decode(), mail_of(made).body):
        assert "Mueller" not in told
        assert '--table: Conversion Error, about "age" [bad_table]' in told
    for words in ("Mueller: no number", "no number: Mueller", "'Mueller' is no number, \"Mueller\""):
        assert "Mueller" not in str(without_quotes(BadRequestError("bad_table", words, may_quote=True)))
    assert without_quotes(BadRequestError("bad_table", "line 7 holds Mueller", may_quote=True)).what == "line 7"
    other = BadRequestError("bad_table", "there is no table")
    assert without_quotes(other) is other


def end(told_by: Any = "execution", ending: Ending = "success") -> ExecutionEnd:
    return ExecutionEnd(
        run_id="toy-1", execution="first", ending=ending, told_by=told_by, mail=mail_of(report(ending))
    )  # fmt: skip


def tell(store: Store, ending: ExecutionEnd, sent: list[str]) -> None:
    if claim_end(store, ending):
        sent.append(ending.told_by)
        confirm_end(store, ending.run_id, ending.execution)


def test_one_mail_an_execution_whoever_tells_and_how_often() -> None:
    store, sent = open_store("memory://"), list[str]()
    for told_by in ("execution", "execution", "event", "event"):
        tell(store, end(told_by), sent)
    assert sent == ["execution"]
    assert read_end(store, "toy-1", "first") == end()
    tell(store, end("event").model_copy(update={"execution": "second"}), sent)
    assert sent == ["execution", "event"]


def test_a_mail_that_could_not_be_sent_is_sent_by_the_retry_or_by_the_event() -> None:
    store = open_store("memory://")
    assert claim_end(store, end())
    assert claim_end(store, end())
    assert claim_end(store, end("event"))
    confirm_end(store, "toy-1", "first")
    assert not claim_end(store, end())
    assert not claim_end(store, end("event"))


def test_the_execution_does_not_take_over_from_its_event() -> None:
    store = open_store("memory://")
    assert claim_end(store, end("event"))
    assert not claim_end(store, end())


def test_a_claim_that_cannot_be_read_does_not_silence_anybody() -> None:
    store = open_store("memory://")
    store.put("runs/toy-1/executions/first.json", b"")
    assert claim_end(store, end())
    assert read_end(store, "toy-1", "first") is None


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 81])
def test_what_is_no_name_of_an_execution(name: str) -> None:
    with pytest.raises(ValueError, match="execution"):
        ExecutionEnd(run_id="r", execution=name, ending="crash", told_by="event", mail=Mail(subject="s", body=""))
