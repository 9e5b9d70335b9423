"""What the report says of a run, before it is a page: every figure follows from the run's documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import BadRequestError, ContentError
from core.report import viewing
from core.report.documents import read_documents
from core.report.flow import case_lines
from core.report.gather import gather
from core.report.model import RunPage
from core.report.page import render_run
from core.report.write import Viewing, make_page, try_to_write_page
from core.reporting import CaseTraces, Distribution, Oddity, Picture, ReportingWorkload, Trace
from core.run.failure import Failure, report_failure
from core.run.layout import DataSetLayout
from core.run.models import Place
from core.run.publish import publish
from core.workload import Case, Source
from tests.toy_bench import Bench, all_train, stopped_after
from tests.toy_workload import ToyWorkload

PNG = bytes.fromhex("89504e470d0a1a0a")
NO_VIEWER = Viewing(why_not="not here")


class TellingToy(ToyWorkload):
    """A toy that has something to say."""

    def distributions(
        self, figures: Iterable[dict[str, Any]], histograms: Mapping[str, NDArray[np.int64]]
    ) -> Sequence[Distribution]:
        total = sum(item["seconds"] for item in figures)
        return [Distribution("values", "V", -1.0, 1.0, (-1.0, 0.0, 1.0), (total, 3), above=1, observed_share=0.5)]

    def pictures(self, cases: Sequence[Case]) -> Sequence[Picture]:
        return [Picture(f"{len(cases)} cases", PNG, "a picture of all cases")]

    def oddities(self, figures: Iterable[tuple[str, dict[str, Any]]], most: int) -> Sequence[Oddity]:
        return [Oddity(case_id, 9.0, "it is the first") for case_id, _ in sorted(figures)[:1]]

    def traces(self, case: Case, source: Source | None) -> CaseTraces:
        if case.number == 2:
            raise ContentError("unreadable", "bad bytes", where=case.id)
        signal = np.full(100, float(case.number))
        trace = Trace("values", "V", -1.0, 1.0, np.arange(50.0), np.ones(50), signal, np.arange(100) >= 10, ("A/B",))
        return CaseTraces(case.id, 100, (trace,), ((0, 60), (30, 90)))


def telling(bench: Bench) -> TellingToy:
    return TellingToy(bench.workload.settings)


def page_of(bench: Bench, workload: Any = None, look: Any = "not here") -> RunPage:
    return gather(read_documents(bench.store, bench.plan.request.run_id), workload or bench.workload, look)


def html_of(bench: Bench, workload: Any = None, viewing: Viewing = NO_VIEWER) -> str:
    chosen = workload or bench.workload
    return make_page(bench.store, bench.plan.request.run_id, lambda name, settings: chosen, viewing).decode()


@pytest.fixture
def verified() -> Bench:
    bench = Bench()
    bench.work()
    publish(bench.store, bench.plan, bench.workload)
    return bench


def test_a_verified_run(verified: Bench) -> None:
    publication = publish(verified.store, verified.plan, verified.workload)
    page = page_of(verified)
    assert (page.verdict.state, page.verdict.headline, page.verdict.problems) == ("verified", "Verified", ())
    assert [(line.name, line.detail) for line in page.checks] == [
        (check.name, check.detail) for check in publication.verification.checks
    ]
    assert all(line.meaning for line in page.checks), "every check is explained"
    manifest = publication.manifest
    assert page.flow[-1].records == manifest.records == sum(line.records for line in page.splits)
    for line in page.splits:
        counts = manifest.splits[line.split]
        assert (line.cases, line.groups, line.shards, line.records, line.bytes) == (
            counts.cases, counts.groups, counts.shards, counts.records, counts.bytes,
        )  # fmt: skip
    assert page.groups_on_two_sides == 0
    assert {fact.name: fact.value for fact in page.facts}["Root hash"] == manifest.root_hash
    assert not any(step.losses for step in page.flow)


def test_only_the_seal_of_this_run_makes_it_verified(verified: Bench) -> None:
    verified.store.delete(DataSetLayout.named(verified.plan.request.data_set).success)
    assert page_of(verified).verdict.headline == "No longer verified"


def test_every_loss_has_its_reason_and_the_flow_adds_up() -> None:
    bench = Bench(fault="content", fault_case=3, empty=[5, 6])
    bench.work()
    publish(bench.store, bench.plan, bench.workload)
    page = page_of(bench)
    assert page.verdict.headline == "Not verified"
    assert "success rate" in page.verdict.problems[0]
    assert not page.checks[0].passed, "what failed comes first"
    for step, following in zip(page.flow, page.flow[1:], strict=False):
        assert step.cases - sum(loss.cases for loss in step.losses) == following.cases
    losses = {loss.reason: (loss.cases, set(loss.examples)) for step in page.flow for loss in step.losses}
    assert losses == {
        "failed: unreadable": (1, {"0003"}),
        "empty: not enough for a single example": (2, {"0005", "0006"}),
    }
    assert "−1" in html_of(bench)


def test_a_run_that_was_stopped() -> None:
    bench = Bench({"thresholds": all_train(), "shard_cases": 4})
    stopped_after(bench, 5).run()
    page = page_of(bench)
    assert (page.verdict.state, page.verdict.headline) == ("unfinished", "Not finished")
    assert "Attempts ended as: reclaimed" in page.verdict.sentence
    assert page.flow[0].losses[0].cases == sum(line.outcome == "no outcome" for line in page.cases) > 0
    assert page.work.reclaims == 1
    assert page.checks == ()
    assert "nobody has checked" in html_of(bench)


def test_how_an_execution_in_the_cloud_ended_is_told() -> None:
    bench = Bench()
    failure = Failure(ending="over budget", detail="it would cost more")
    report_failure(bench.store, bench.plan.request.run_id, "first", failure)
    verdict = page_of(bench).verdict
    assert (verdict.state, verdict.headline) == ("unfinished", "Over budget")
    assert "it would cost more" in verdict.sentence
    assert "higher budget" in verdict.to_do


@pytest.mark.parametrize("name", ["verification", "cost", "estimate", "report_document"])
def test_a_damaged_document_is_told_and_stops_nothing(verified: Bench, name: str) -> None:
    key = getattr(verified.layout, name)
    verified.store.put(key, b'{"half": ')
    page = page_of(verified)
    assert f"{key} cannot be read: invalid JSON: EOF while parsing a value at line 1 column 9" in page.verdict.problems
    assert "cannot be read" in html_of(verified)


def test_a_damaged_commit_record_and_a_damaged_plan_are_told(verified: Bench) -> None:
    verified.store.put(verified.layout.commit(verified.shards()[0]), b"{}")
    verified.store.put(verified.layout.shards, b"{}")
    problems = " ".join(page_of(verified).verdict.problems)
    assert "plan_damaged" in problems
    assert verified.shards()[0] in problems


def test_the_same_documents_give_the_same_bytes(verified: Bench) -> None:
    assert html_of(verified, telling(verified)) == html_of(verified, telling(verified))


def test_what_the_workload_says(verified: Bench) -> None:
    workload = telling(verified)
    assert isinstance(workload, ReportingWorkload)
    assert not isinstance(verified.workload, ReportingWorkload)
    html = html_of(verified, workload, Viewing(sample=4))
    for text in ("data:image/png;base64,iVBORw0KGgo=", "a picture of all cases", "it is the first", '"V"'):
        assert text in html
    page = page_of(verified, workload, lambda case: workload.traces(case, None) if case.number != 2 else "bad bytes")
    assert page.distributions[0].counts[0] == 60, "all figures of all shards"
    assert page.viewer.cases[0].case_id == "0001"
    assert page.viewer.cases[0].traces[0].imputed == ((0, 10),)
    assert page.oddities[0].viewed


def test_a_workload_that_says_nothing_has_everything_else(verified: Bench) -> None:
    html = html_of(verified)
    assert "This workload says nothing about single features." in html
    assert "This workload has no case viewer." in html
    assert "Every planned case has exactly one outcome" in html


def test_a_case_that_cannot_be_read_is_told(verified: Bench) -> None:
    workload = telling(verified)
    page = make_page(
        verified.store, verified.plan.request.run_id, lambda name, settings: workload, Viewing(sample=10)
    ).decode()
    assert "1 case cannot be shown (0002): bad bytes [unreadable]" in page


def test_texts_are_escaped_where_they_stand(verified: Bench) -> None:
    page = page_of(verified)
    attack = "</script><script>alert(1)</script>"
    page = dataclasses.replace(page, data_set=attack, notes=(attack,))
    assert attack.encode() not in render_run(page)


def test_a_page_that_cannot_be_made_comes_back_as_an_error(verified: Bench) -> None:
    def broken(name: str, settings: Any) -> Any:
        raise ValueError("secret content")

    told = try_to_write_page(verified.store, verified.plan.request.run_id, broken, NO_VIEWER)
    assert told.error is not None
    assert told.error.code == "report_failed"
    assert "secret" not in str(told.error)
    assert verified.store.head(verified.layout.report_page) is None
    missing = try_to_write_page(verified.store, "nobody-knows", broken, NO_VIEWER)
    assert isinstance(missing.error, BadRequestError)


def test_the_time_line_and_what_was_wasted(verified: Bench) -> None:
    documents = read_documents(verified.store, verified.plan.request.run_id)
    (attempt,) = documents.attempts
    place = Place(instance_type="m6i.large", zone="eu-west-1a", capacity="spot")
    documents.attempts = [
        attempt.model_copy(update={"started": 100.0, "ended": 160.0, "why": "reclaimed", "place": place}),
        attempt.model_copy(update={"attempt": 2, "started": 150.0, "ended": 250.0}),
    ]
    work = gather(documents, None, "").work
    assert (work.busy_seconds, work.worker_seconds, work.early_seconds, work.reclaims) == (150.0, 160.0, 60.0, 1)
    assert [(line.start, line.end, line.place) for line in work.attempts] == [
        (0.0, 60.0, "m6i.large · eu-west-1a · spot"), (50.0, 150.0, "this machine"),
    ]  # fmt: skip


def test_of_very_many_cases_those_with_a_loss_are_kept() -> None:
    bench = Bench(fault="content", fault_case=9)
    bench.work()
    lines, total = case_lines(read_documents(bench.store, bench.plan.request.run_id), most=3)
    assert total == 10
    assert [line.case_id for line in lines] == ["0001", "0002", "0009"]


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(10, 60)
)  # fmt: skip
def test_thinning_keeps_both_ends_of_the_scale(values: list[float], most: int) -> None:
    times = np.arange(len(values), dtype=float)
    kept_times, kept = viewing.thin(times, np.array(values), most)
    assert len(kept) <= max(most, 1)
    assert (kept.min(), kept.max()) == (min(values), max(values))
    assert (np.diff(kept_times) > 0).all()
    assert all(values[int(time)] == value for time, value in zip(kept_times, kept, strict=True))


@given(st.lists(st.booleans(), max_size=300))
def test_stretches_are_the_mask(mask: list[bool]) -> None:
    rebuilt = np.zeros(len(mask), bool)
    for start, end in viewing.stretches(np.array(mask, bool), most=1000):
        rebuilt[start:end] = True
    assert rebuilt.tolist() == mask


def test_a_signal_may_have_a_value_an_hour() -> None:
    hours = 120
    measured = np.arange(hours) >= 24
    signal = np.where(np.arange(hours) < 60, 1.0, 2.0)
    trace = Trace("potassium", "mmol/L", 2.0, 8.0, np.array([3600.0]), np.ones(1), signal, measured)
    (seen,) = viewing.view(CaseTraces("stay", hours * 3600, (trace,), (), step_seconds=3600.0), "a sample").traces
    assert seen.imputed == ((0, 24 * 3600),)
    assert seen.signal_times == (0, 60 * 3600, 119 * 3600)
    assert seen.measured_share == pytest.approx(0.8)
