"""What the functions write about runs, as lines of their log: each kind of moment once, by the handlers' own code."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest import mock

from core.run.failure import failure_of
from core.run.guard import GuardDecision, GuardFacts, Spending
from core.run.report import Ending, RunReport
from handlers import guard, notify, publish
from handlers.environment import environment

STAGE = "production"
WORKLOAD = "vitaldb"

VARIABLES = {
    "CASEMILL_OUTPUT": "s3://bucket/casemill",
    "CASEMILL_STAGE": STAGE,
    "CASEMILL_SPOT_QUEUE": "spot",
    "CASEMILL_ON_DEMAND_QUEUE": "on-demand",
    "CASEMILL_JOB_DEFINITION": "worker:1",
    "CASEMILL_IMAGE": "image",
    "CASEMILL_TOPIC": "topic",
    "CASEMILL_QUARANTINE_QUEUE": "quarantine",
    "AWS_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "casemill-guard",
    "POWERTOOLS_METRICS_NAMESPACE": "Casemill",
}


@dataclass(frozen=True)
class Moment:
    """A look at a working run; by itself all is well."""

    reclaims: int = 0
    no_progress: bool = False
    blocked: bool = False
    over_budget: bool = False
    workload: str = WORKLOAD

    def written(self) -> str:
        """The line of the guard."""
        facts = GuardFacts(
            cases_planned=100, cases_finished=50, cases_failed=0, shards_planned=10, shards_committed=5, records=300,
            rate=0.5, left_seconds=100.0, attempts=4, reclaims_last_hour=self.reclaims, silent_workers=0,
            idle_seconds=1.0, no_progress=self.no_progress, blocked=self.blocked,
            blocked_reason="nobody comes" if self.blocked else "",
            spending=Spending(budget_usd=Decimal(20), spent_usd=Decimal(8), projected_usd=Decimal(16)),
        )  # fmt: skip
        action: Any = "over_budget" if self.over_budget else "wait"
        decision = GuardDecision(action=action, why="so", facts=facts)
        with mock.patch.object(guard, "read_request", return_value=SimpleNamespace(workload=self.workload)):
            return _captured(lambda: guard._tell(mock.Mock(), mock.Mock(run_id="toy-1"), decision))


@dataclass(frozen=True)
class End:
    """The end of a run; by itself a good one."""

    ending: Ending = "success"
    success_rate: float = 1.0
    hours: float = 2.0

    def written(self) -> str:
        """The line of publish, where the run came to its verification."""
        manifest = SimpleNamespace(success_rate=self.success_rate, outcomes={"done": 95, "failed": 5}, records=570)
        request = SimpleNamespace(run_id="toy-1", workload=WORKLOAD)
        told: Any = (mock.Mock(), request, SimpleNamespace(manifest=manifest), _report(self.ending))
        with mock.patch.object(publish, "_hours", return_value=self.hours):
            return _captured(lambda: publish._tell(*told, SimpleNamespace(total_usd=Decimal("3.5"))))  # type: ignore[arg-type]

    def written_of_failure(self) -> str:
        """The line of publish, where it did not."""
        event: Any = SimpleNamespace(failure=SimpleNamespace(error="", cause=""), submission={}, execution="e")
        with (
            mock.patch.object(publish, "report_failure", return_value=_report(self.ending)),
            mock.patch.object(publish, "_cost", return_value=None),
        ):
            return _captured(lambda: publish._report_failure(mock.Mock(), "toy-1", event))

    def written_by_notify(self) -> str:
        """The line of notify, where publish broke or the execution was stopped."""
        with mock.patch.object(notify, "report_failure", return_value=_report(self.ending)):
            return _captured(lambda: notify._report_alone(mock.Mock(), "toy-1", "e", failure_of("unknown")))


def everything_written() -> str:
    """All lines."""
    bad = End("crash")
    return "".join((Moment().written(), End().written(), bad.written_of_failure(), bad.written_by_notify()))


def worst() -> Iterator[tuple[str, str, set[str]]]:
    """What happened, what was written, and the alarms that it must raise."""
    quiet = Moment()
    yield "all is well", quiet.written() + End().written(), set()
    yield "two reclaims", replace(quiet, reclaims=2).written(), set()
    yield "three reclaims", replace(quiet, reclaims=3).written(), {"reclaims"}
    yield "no progress", replace(quiet, no_progress=True).written(), {"no-progress"}
    yield "blocked", replace(quiet, blocked=True).written(), {"queue-blocked"}
    yield "over budget", replace(quiet, over_budget=True).written(), {"over-budget"}
    yield "few usable", End("quarantine above threshold", 0.94).written(), {"run-failed", "success-rate"}
    yield "just enough usable", End(success_rate=0.95).written(), set()
    yield "unverified", End("verification failed").written(), {"run-failed", "verification-failed"}
    yield "crash", End("crash").written_of_failure(), {"run-failed"}
    yield "stopped", End("stopped").written_by_notify(), {"run-failed"}


def _report(ending: Ending) -> RunReport:
    return RunReport(
        run_id="toy-1", execution="e", ending=ending, output="s3://bucket", report_key="r", workload=WORKLOAD
    )


def _captured(work: Callable[[], object]) -> str:
    lines = io.StringIO()
    environment.cache_clear()
    try:
        with mock.patch.dict("os.environ", VARIABLES), contextlib.redirect_stdout(lines):
            work()
    finally:
        environment.cache_clear()
    return "".join(f"{line}\n" for line in lines.getvalue().splitlines() if '"_aws"' in line)
