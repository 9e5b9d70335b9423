"""``report.txt``: how an execution ended, for people; the same figures are the mail's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Literal

from pydantic import Field, ValidationError

from core.run.attempts import read_heartbeat
from core.run.guard import dollars
from core.run.layout import RunLayout
from core.run.models import Attempt, Document
from core.run.progress import READERS
from core.run.publish import Publication
from core.store import Store

MOST_SHOWN = 20

Ending = Literal[
    "success",
    "verification failed",
    "quarantine above threshold",
    "incomplete",
    "over budget",
    "stopped",
    "timed out",
    "bad request",
    "crash",
]

MEANING: dict[Ending, str] = {
    "success": "Every planned case has one outcome, every record was read back, and the data set is published.",
    "verification failed": "What is stored is not what was promised. No data set is published by this execution.",
    "quarantine above threshold": "Everything was processed, but too many cases failed. No data set is published.",
    "incomplete": "After the last round some shards are still not committed. What is committed stays.",
    "over budget": "The run was stopped before it spent more than it may. What is committed stays.",
    "stopped": "Somebody stopped the execution. What is committed stays.",
    "timed out": "The execution took longer than it may. What is committed stays.",
    "bad request": "It cannot be done as it was asked for. What is committed stays.",
    "crash": "A part of Casemill or of its surroundings broke. What is committed stays.",
}
TO_DO: dict[Ending, str] = {
    "success": "Nothing; train on it.",
    "verification failed": "Read the failed checks. If an object was damaged or replaced, remove it and its shard's"
    " commit record, and submit the run again.",
    "quarantine above threshold": "Look at the reasons in quarantine.jsonl; mend the source, or lower the threshold.",
    "incomplete": "Mend what ended the last attempts (casemill logs shows their words), and submit the run again: only"
    " what is missing is done.",
    "over budget": "Submit the same run again with a higher budget: only what is missing is done.",
    "stopped": "Submit the same run again to go on where it stopped.",
    "timed out": "Submit the same run again: only what is missing is done.",
    "bad request": "Change what the message names, and submit again.",
    "crash": "Submit the same run again: only what is missing is done. If it breaks the same way, report it.",
}


class Money(Document):
    """Dollars of the run; None is unknown. ``lost_usd`` is the part that reclaimed machines took.

    ``unknown_seconds`` of the attempts have no price and are not in these figures.
    """

    spent_usd: Decimal | None = None
    lost_usd: Decimal | None = None
    budget_usd: Decimal | None = None
    unknown_seconds: float = 0.0


class RunReport(Document):
    """How an execution ended and what is known of its run. Ids and counts only.

    ``detail`` is one sentence of this execution's own, ``code`` that of the error that ended it. ``cases_planned`` is
    None where the run was never planned. ``outcomes`` and ``reasons`` count the cases of committed shards.
    ``published``: the data set is there and verified, maybe by an earlier execution. ``report_key`` is where this very
    report stays; ``report.txt`` is the last one's. ``page_key``: the run's page, where one could be made.
    """

    run_id: str
    execution: str
    ending: Ending
    detail: str = ""
    code: str = ""
    output: str
    report_key: str
    page_key: str = ""
    data_set: str | None = None
    workload: str | None = None
    published: bool = False
    cases_planned: int | None = None
    shards_planned: int = 0
    shards_committed: int = 0
    outcomes: dict[str, int] = Field(default_factory=dict)
    reasons: dict[str, int] = Field(default_factory=dict)
    records: int = 0
    open_partitions: int = 0
    first_open_partitions: tuple[int, ...] = ()
    attempts: dict[str, int] = Field(default_factory=dict)
    root_hash: str | None = None
    success_rate: float | None = None
    success_threshold: float | None = None
    problems: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    money: Money = Money()

    @property
    def report_uri(self) -> str:
        """Where this report is found."""
        return f"{self.output}/{self.report_key}"

    @property
    def page_uri(self) -> str:
        """Where the run's page is found; empty where there is none."""
        return f"{self.output}/{self.page_key}" if self.page_key else ""

    @property
    def failed(self) -> bool:
        """Whether the execution did not do what it was started for."""
        return self.ending != "success"


def report_publication(
    store: Store, run_id: str, execution: str, publication: Publication, money: Money | None = None
) -> RunReport:
    """Write ``report.txt`` of a run that came to its verification, and return it."""
    manifest, verification = publication.manifest, publication.verification
    failed = [check for check in verification.checks if not check.passed]
    ending: Ending = "success"
    if failed:
        alone = [check.name for check in failed] == ["success rate"]
        ending = "quarantine above threshold" if alone else "verification failed"
    cases = [case for shard in manifest.shards for case in shard.cases]
    report = RunReport(
        run_id=run_id,
        execution=execution,
        ending=ending,
        detail=f"{len(failed)} of {len(verification.checks)} checks failed" if failed else "",
        output=store.uri,
        report_key=RunLayout(run_id).execution_report(execution),
        data_set=manifest.name,
        workload=manifest.workload,
        published=verification.passed,
        cases_planned=manifest.planned_cases,
        shards_planned=len(manifest.shards),
        shards_committed=len(manifest.shards),
        outcomes=manifest.outcomes,
        reasons=manifest.reasons,
        records=manifest.records,
        attempts=attempt_ends(store, run_id),
        root_hash=verification.root_hash,
        success_rate=manifest.success_rate,
        success_threshold=manifest.success_threshold,
        problems=tuple(f"{check.name}: {check.detail}" for check in failed),
        quarantined=tuple(f"{case.case_id} {case.reason}" for case in cases if case.reason)[:MOST_SHOWN],
        money=money or Money(),
    )
    write_report(store, report)
    return report


def write_report(store: Store, report: RunReport, *, of_the_run: bool = True) -> None:
    """Write the report under the execution's name and, where it speaks ``of_the_run``, as its ``report.txt``, and as
    ``report.json`` for the run's page."""
    text, layout = report_text(report).encode(), RunLayout(report.run_id)
    store.put(report.report_key, text)
    if of_the_run:
        store.put(layout.report, text)
        store.put(layout.report_document, report.to_bytes())


def attempt_ends(store: Store, run_id: str) -> dict[str, int]:
    """How many attempts ended in which way; one that cannot be read counts as ``unreadable``."""
    keys = [item.key for item in store.list(f"{RunLayout(run_id).root}/attempts")]
    with ThreadPoolExecutor(READERS) as pool:
        return dict(sorted(Counter(pool.map(lambda key: _why(store, key), keys)).items()))


def silent_attempts(store: Store, run_id: str) -> int:
    """Attempts with a heartbeat and no record: they work, or were killed without a word."""
    layout = RunLayout(run_id)
    recorded = {item.key for item in store.list(f"{layout.root}/attempts")}
    partitions = [int(item.key.rpartition("/")[2].removesuffix(".json")) for item in store.list(layout.progress)]
    with ThreadPoolExecutor(READERS) as pool:
        beats = pool.map(lambda partition: read_heartbeat(store, layout, partition), partitions)
        return sum(beat is not None and layout.attempt(beat.partition, beat.attempt) not in recorded for beat in beats)


def report_text(report: RunReport) -> str:
    """The report in plain words."""
    lines = [
        (report.ending.upper(), report.detail),
        ("meaning", MEANING[report.ending]),
        ("to do", TO_DO[report.ending]),
        ("", ""),
        ("run", report.run_id),
        ("execution", report.execution),
        ("data set", _data_set(report)),
        *_figures(report),
        *_money(report.money, bool(report.attempts)),
        *(("failed", problem) for problem in report.problems),
        *(("quarantine", case) for case in report.quarantined),
    ]
    if sum(report.reasons.values()) > len(report.quarantined):
        lines.append(("quarantine", f"all of them in {report.output}/{RunLayout(report.run_id).quarantine}"))
    width = max(len(name) for name, _ in lines) + 2
    return "".join(f"{name:<{width}}{text}".rstrip() + "\n" for name, text in lines)


def _figures(report: RunReport) -> Iterable[tuple[str, str]]:
    if report.cases_planned is None:
        yield "cases", "the run was not planned"
        return
    yield "cases", f"{report.cases_planned:,} planned; in committed shards: {_counts(report.outcomes)}"
    if report.reasons:
        yield "failed", _counts(report.reasons)
    if report.success_rate is not None and report.success_threshold is not None:
        yield "success", f"{report.success_rate:.1%}, wanted {report.success_threshold:.1%}"
    yield "examples", f"{report.records:,}"
    yield "shards", f"{report.shards_committed:,} of {report.shards_planned:,} committed"
    if report.open_partitions:
        shown = ", ".join(map(str, report.first_open_partitions))
        more = " and more" if report.open_partitions > len(report.first_open_partitions) else ""
        yield "open", f"{report.open_partitions:,} partitions: {shown}{more}"
    yield "attempts", _counts(report.attempts)
    if report.root_hash:
        yield "root hash", report.root_hash


def _money(money: Money, worked: bool) -> Iterable[tuple[str, str]]:
    if money.spent_usd is None and worked:
        yield "cost", "unknown: no price could be had" + ("; nobody watched the budget" if money.budget_usd else "")
    elif money.spent_usd is not None:
        lost = "" if money.lost_usd is None else f", of it {dollars(money.lost_usd)} lost to reclaimed machines"
        known = f", without {money.unknown_seconds:,.0f} s that have no price" if money.unknown_seconds > 0 else ""
        yield "cost", dollars(money.spent_usd) + lost + known
    if money.budget_usd is not None:
        yield "budget", dollars(money.budget_usd)


def _data_set(report: RunReport) -> str:
    if report.data_set is None:
        return "none"
    state = "published and verified" if report.published else "not published"
    return f"{report.output}/datasets/{report.data_set} ({state})"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"


def _why(store: Store, key: str) -> str:
    try:
        return Attempt.model_validate_json(store.get(key)).why
    except (ValidationError, FileNotFoundError):
        return "unreadable"
