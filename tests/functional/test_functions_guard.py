"""The guard over answers of AWS Batch as its model has them: budget, unknown prices, blocked queues, lost jobs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from botocore.stub import Stubber

from core.cost.prices import PriceBook
from core.errors import BugError, TransientError
from core.store import open_store
from handlers.environment import environment
from handlers.guard import UNSEEN_SECONDS
from handlers.spending import cost_until_next_look
from tests.functions_bench import QUEUES, FunctionsBench, figures, toy_prices
from tests.s3_server import S3Server

PARENT = "4c8599fd-0000-4f30-9e8e-000000000000"
CREATED = 1_772_000_000_000


@pytest.fixture
def bench(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> FunctionsBench:
    """A run whose first round is under way: half of its partitions are done."""
    found = FunctionsBench(server, monkeypatch)
    found.plan()
    inspected = found.inspect()
    found.work({**inspected, "array_size": 2})
    return found


def listed(batch: Stubber, bench: FunctionsBench, *ids: str, queue: str = "spot") -> None:
    """ListJobs by the job's name, which gives jobs of every state."""
    asked = {"jobQueue": QUEUES[queue], "filters": [{"name": "JOB_NAME", "values": [f"{bench.run_id}-1"]}]}
    summaries = [{"jobId": job_id, "jobName": f"{bench.run_id}-1", "createdAt": CREATED} for job_id in ids]
    batch.add_response("list_jobs", {"jobSummaryList": summaries}, asked)


def described(batch: Stubber, *jobs: dict[str, Any]) -> None:
    full = [
        {"jobName": "n", "jobQueue": "q", "startedAt": CREATED, "jobDefinition": "d", "createdAt": CREATED, **job}
        for job in jobs
    ]
    batch.add_response("describe_jobs", {"jobs": full}, {"jobs": [job["jobId"] for job in jobs]})


def array(status: str = "PENDING", job_id: str = PARENT, reason: str = "", **counts: int) -> dict[str, Any]:
    summary = {**dict.fromkeys(("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"), 0)}
    properties = {"size": 4, "statusSummary": {**summary, **counts}}
    return {"jobId": job_id, "status": status, "statusReason": reason, "arrayProperties": properties}


def failed_children(batch: Stubber, *reasons: str) -> None:
    children = [
        {"jobId": f"{PARENT}:{number}", "jobName": "n", "status": "FAILED", "statusReason": reason}
        for number, reason in enumerate(reasons)
    ]
    batch.add_response("list_jobs", {"jobSummaryList": children}, {"arrayJobId": PARENT, "jobStatus": "FAILED"})


def terminated(batch: Stubber, why: str, job_id: str = PARENT) -> None:
    class Says(str):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, str) and re.search(str(self), other) is not None

        def __ne__(self, other: object) -> bool:
            return not self == other

        __hash__ = str.__hash__

    batch.add_response("terminate_job", {}, {"jobId": job_id, "reason": Says(why)})


def look(
    bench: FunctionsBench, budget_usd: float = 20.0, unseen: int = 0, queue: str = "spot", busy: float = 0
) -> dict[str, Any]:
    return bench.call(
        "guard", run_id=bench.run_id, job_name=f"{bench.run_id}-1", queue=QUEUES[queue], round=1, capacity=queue,
        budget_usd=budget_usd, unseen=unseen, busy=busy,
    )  # fmt: skip


def test_a_round_that_works_is_waited_for(
    bench: FunctionsBench, batch: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.set_prices(toy_prices("0.036"))
    listed(batch, bench, PARENT)
    described(batch, array(RUNNING=2, SUCCEEDED=2))
    answer = look(bench)
    assert (answer["action"], answer["blocked"], answer["unseen"]) == ("wait", False, 0)
    assert 0 < answer["spent_usd"] < answer["projected_usd"] < 20
    told = figures(capsys.readouterr().out)
    assert told["CasesFinished"] > 10
    assert (told["CasesPlanned"], told["BudgetAtRisk"]) == (30, 0)
    assert told["SpentUsd"] == pytest.approx(answer["spent_usd"])
    assert b"cases" in open_store(bench.output).get(f"runs/{bench.run_id}/PROGRESS.txt")


def test_a_round_that_has_ended_is_done(bench: FunctionsBench, batch: Stubber) -> None:
    listed(batch, bench, PARENT)
    described(batch, array("FAILED", reason="Array Child Job failed", SUCCEEDED=3, FAILED=1))
    failed_children(batch, "Essential container in task exited")
    answer = look(bench)
    assert (answer["action"], answer["blocked"]) == ("done", False)


def test_over_the_budget_the_job_is_ended_and_a_higher_one_lets_it_go_on(
    bench: FunctionsBench, batch: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    """The budget is the run's: what earlier executions spent counts."""
    bench.set_prices(toy_prices())
    listed(batch, bench, PARENT)
    described(batch, array(RUNNING=2, SUCCEEDED=2))
    terminated(batch, r"^Casemill: .* the budget is \$1\.00")
    answer = look(bench, budget_usd=1)
    assert answer["action"] == "over_budget"
    assert answer["spent_usd"] >= 1
    assert figures(capsys.readouterr().out)["BudgetAtRisk"] == 1
    listed(batch, bench, PARENT)
    described(batch, array(RUNNING=2, SUCCEEDED=2))
    assert look(bench, budget_usd=100 * answer["spent_usd"])["action"] == "wait"


def test_a_stop_whose_answer_was_lost_is_still_a_stop(bench: FunctionsBench, batch: Stubber) -> None:
    """Lambda calls at least once: by the second call the job has ended, and no round may follow."""
    bench.set_prices(toy_prices())
    bench.monkeypatch.setattr("handlers.guard.put_metrics", lost_once())
    listed(batch, bench, PARENT)
    described(batch, array(RUNNING=2, SUCCEEDED=2))
    terminated(batch, "budget")
    with pytest.raises(TransientError):
        look(bench, budget_usd=1)
    listed(batch, bench, PARENT)
    described(batch, array("FAILED", reason="Casemill: over the budget", FAILED=2, SUCCEEDED=2))
    failed_children(batch, "Casemill: over the budget")
    answer = look(bench, budget_usd=1)
    assert (answer["action"], answer["blocked"]) == ("over_budget", False)
    assert "$1.00" in answer["why"]


def lost_once() -> Callable[..., None]:
    """As ``put_metrics``; the first call never comes back."""
    faults = iter([TransientError("storage", "gone")])

    def put_metrics(*given: Any) -> None:
        for fault in faults:
            raise fault

    return put_metrics


def test_what_the_machines_cost_until_the_next_look_counts(bench: FunctionsBench) -> None:
    """Ten dollars in 100 s at two machines that work: twelve more in the minute until the guard looks again."""
    assert cost_until_next_look(Decimal(10), 100.0, 2) == Decimal(12)
    assert cost_until_next_look(None, 100.0, 2) is None
    assert cost_until_next_look(Decimal(0), 0.0, 2) is None


def test_without_prices_the_budget_is_not_watched_and_that_is_said(
    bench: FunctionsBench, batch: Stubber, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.run.guard.UNWATCHED_SECONDS", 0)
    bench.set_prices(PriceBook())
    listed(batch, bench, PARENT)
    described(batch, array(RUNNING=2, SUCCEEDED=2))
    answer = look(bench, budget_usd=0.000001)
    assert answer["action"] == "wait"
    assert (answer["spent_usd"], answer["projected_usd"]) == (None, None), "unknown, not zero"
    assert "the budget is not watched" in answer["why"]
    told = figures(capsys.readouterr().out)
    assert told["BudgetAtRisk"] == 1
    assert not {"SpentUsd", "ProjectedUsd"} & set(told)


def test_a_round_without_machines_moves_on(bench: FunctionsBench, batch: Stubber) -> None:
    """AWS Batch cancels one child; the others would each wait as long."""
    listed(batch, bench, PARENT)
    described(batch, array(RUNNABLE=3, FAILED=1))
    failed_children(batch, "Essential container", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - spot pools are empty")
    terminated(batch, "the queue is blocked")
    answer = look(bench)
    assert (answer["action"], answer["blocked"]) == ("move_on", True)


def others(batch: Stubber, bench: FunctionsBench, *jobs: dict[str, Any]) -> None:
    """What else is in the queue: an array's parent is pending while its children work."""
    for status in ("STARTING", "RUNNING", "PENDING"):
        found = [{"jobId": job["jobId"], "jobName": "n"} for job in jobs if job["status"] == status]
        own = [{"jobId": PARENT, "jobName": "n"}] if status == "PENDING" else []
        asked = {"jobQueue": QUEUES["spot"], "jobStatus": status}
        batch.add_response("list_jobs", {"jobSummaryList": own + found}, asked)
    if jobs:
        described(batch, *jobs)


def test_a_queue_that_is_blocked_for_a_reason_that_batch_does_not_act_on_is_given_up(
    bench: FunctionsBench, batch: Stubber
) -> None:
    """No time limit can be set for "UNDETERMINED", which is all that a limit of the account gives, nor for
    "ACTION_REQUIRED", an invalid environment; and what is said is said of a child that goes on waiting."""
    listed(batch, bench, PARENT)
    described(batch, array(RUNNABLE=4))
    others(batch, bench)
    terminated(batch, "4 jobs have been waiting for a machine for")
    answer = look(bench)
    assert (answer["action"], answer["blocked"]) == ("move_on", True)


@pytest.mark.parametrize(
    "other",
    [array(job_id="of another run", RUNNING=1), {"jobId": "of another run", "status": "RUNNING"}],
    ids=["array", "plain"],
)
def test_a_job_behind_others_waits_for_its_turn(bench: FunctionsBench, batch: Stubber, other: dict[str, Any]) -> None:
    before = time.time()
    listed(batch, bench, PARENT)
    described(batch, array(RUNNABLE=4))
    others(batch, bench, other)
    answer = look(bench)
    assert (answer["action"], answer["blocked"]) == ("wait", False)
    assert answer["busy"] >= before
    listed(batch, bench, PARENT)
    described(batch, array(RUNNABLE=4))
    others(batch, bench, array(job_id="of another run", RUNNABLE=2))
    answer = look(bench, busy=answer["busy"])
    assert (answer["action"], answer["blocked"]) == ("wait", False), "its turn has only just come"


def test_while_others_work_a_cancelled_child_stops_nobody(bench: FunctionsBench, batch: Stubber) -> None:
    listed(batch, bench, PARENT)
    described(batch, array(RUNNABLE=2, RUNNING=1, FAILED=1))
    answer = look(bench)
    assert (answer["action"], answer["blocked"]) == ("wait", False)


def test_a_single_job_that_was_cancelled_for_want_of_machines(bench: FunctionsBench, batch: Stubber) -> None:
    listed(batch, bench, PARENT)
    described(batch, {"jobId": PARENT, "status": "FAILED", "statusReason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"})
    answer = look(bench)
    assert (answer["action"], answer["blocked"]) == ("done", True)


def test_a_submission_that_was_repeated_is_watched_and_ended_as_one(bench: FunctionsBench, batch: Stubber) -> None:
    bench.set_prices(toy_prices())
    other = PARENT.replace("4c", "5d")
    listed(batch, bench, PARENT, other)
    described(batch, array("SUCCEEDED", SUCCEEDED=4), array(job_id=other, RUNNING=4))
    terminated(batch, "budget")
    terminated(batch, "budget", other)
    assert look(bench, budget_usd=1)["action"] == "over_budget"


def test_a_job_that_is_not_there_is_waited_for_only_so_long(bench: FunctionsBench, batch: Stubber) -> None:
    listed(batch, bench)
    answer = look(bench)
    assert (answer["action"], answer["unseen"], answer["spent_usd"]) == ("wait", 1, None)
    # Whatever the pause between two looks: while a submission may still be tried again, somebody must be there.
    for pause in (60, 1):
        bench.monkeypatch.setenv("CASEMILL_GUARD_SECONDS", str(pause))
        environment.cache_clear()
        for unseen, action in ((UNSEEN_SECONDS / pause - 2, "wait"), (UNSEEN_SECONDS / pause - 1, "done")):
            listed(batch, bench)
            assert look(bench, unseen=int(unseen))["action"] == action


def test_many_jobs_of_a_name_are_described_in_portions(bench: FunctionsBench, batch: Stubber) -> None:
    ids = [f"{number:036d}" for number in range(150)]
    first, second = ids[:100], ids[100:]
    asked = {"jobQueue": QUEUES["spot"], "filters": [{"name": "JOB_NAME", "values": [f"{bench.run_id}-1"]}]}
    page = [[{"jobId": job_id, "jobName": "n"} for job_id in part] for part in (first, second)]
    batch.add_response("list_jobs", {"jobSummaryList": page[0], "nextToken": "more"}, asked)
    batch.add_response("list_jobs", {"jobSummaryList": page[1]}, {**asked, "nextToken": "more"})
    for part in (first, second):
        described(batch, *({"jobId": job_id, "status": "SUCCEEDED"} for job_id in part))
    assert look(bench)["action"] == "done"


@pytest.mark.parametrize(
    ("code", "status", "kind", "ours"),
    [
        ("TooManyRequestsException", 429, TransientError, "aws_busy"),
        ("ServerException", 500, TransientError, "aws_busy"),
        ("AccessDeniedException", 403, BugError, "aws_refused"),
        ("ClientException", 400, BugError, "aws_refused"),
    ],
)
def test_batch_that_fails(
    bench: FunctionsBench, batch: Stubber, code: str, status: int, kind: type[Exception], ours: str
) -> None:
    batch.add_client_error("list_jobs", code, "secret words", status)
    with pytest.raises(kind, match=ours) as raised:
        look(bench)
    assert "secret" not in str(raised.value)


def test_a_permission_that_is_missing_is_named(bench: FunctionsBench, batch: Stubber) -> None:
    said = "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: batch:ListJobs on resource: * because z"
    batch.add_client_error("list_jobs", "AccessDeniedException", said, 403)
    with pytest.raises(BugError) as raised:
        look(bench)
    assert raised.value.what == "ListJobs: AccessDeniedException, not authorized to perform batch:ListJobs on *"


def test_what_cannot_change_is_read_once(bench: FunctionsBench, batch: Stubber) -> None:
    seen = []
    for _ in range(2):
        listed(batch, bench, PARENT)
        described(batch, array(RUNNING=2, SUCCEEDED=2))
        bench.server.faults.reset()
        look(bench)
        seen.append([path for method, path in bench.server.faults.requests if method == "GET" and "/attempts/" in path])
    assert len(seen[0]) == 2
    assert seen[1] == []
