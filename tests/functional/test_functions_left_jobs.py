"""Jobs that an execution left at work when it ended: the event of its end ends them, and the mail comes in any case."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from core.errors import TransientError
from tests.functional.test_functions_guard import CREATED, PARENT, array, described
from tests.functions_bench import QUEUES, FunctionsBench
from tests.s3_server import S3Server

OTHER = PARENT.replace("4c", "5d")


@pytest.fixture
def bench(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> FunctionsBench:
    """A run whose execution ``first`` has begun a round."""
    server.faults.reset()
    found = FunctionsBench(server, monkeypatch)
    found.plan()
    return found


@pytest.fixture
def name(bench: FunctionsBench) -> str:
    """Of the round's job."""
    return str(bench.inspect()["job_name"])


def listed(batch: Stubber, name: str, queue: str, *ids: str) -> None:
    asked = {"jobQueue": QUEUES[queue], "filters": [{"name": "JOB_NAME", "values": [name]}]}
    summaries = [{"jobId": job_id, "jobName": name, "createdAt": CREATED} for job_id in ids]
    batch.add_response("list_jobs", {"jobSummaryList": summaries}, asked)


def ended(batch: Stubber, job_id: str) -> None:
    batch.add_response("terminate_job", {}, {"jobId": job_id, "reason": "Casemill: execution first has ended"})


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_what_an_execution_left_is_ended(bench: FunctionsBench, name: str, batch: Stubber, status: str) -> None:
    """Of a submission that was repeated, Step Functions knows the second job only."""
    listed(batch, name, "spot", PARENT, OTHER)
    described(batch, array("FAILED", FAILED=4), array(job_id=OTHER, RUNNING=4))
    batch.add_response("list_jobs", {"jobSummaryList": []}, {"arrayJobId": PARENT, "jobStatus": "FAILED"})
    ended(batch, PARENT)
    ended(batch, OTHER)
    listed(batch, name, "on-demand")
    assert bench.send("notify", bench.end_event(status)) == {"sent": True}
    assert len(bench.mailbox.read()) == 1


def test_what_has_ended_and_what_another_execution_began_is_left_alone(
    bench: FunctionsBench, name: str, batch: Stubber
) -> None:
    bench.call("inspect", run_id=bench.run_id, tries=0, blocked=False, execution="second")
    listed(batch, name, "spot", PARENT)
    described(batch, array("SUCCEEDED", SUCCEEDED=4))
    listed(batch, name, "on-demand")
    assert bench.send("notify", bench.end_event("ABORTED")) == {"sent": True}


def test_neither_the_mail_nor_the_end_of_the_jobs_waits_for_the_other(
    bench: FunctionsBench, name: str, batch: Stubber
) -> None:
    event = bench.end_event("TIMED_OUT")
    batch.add_client_error("list_jobs", "TooManyRequestsException", http_status_code=429)
    with pytest.raises(TransientError, match="ListJobs"):
        bench.send("notify", event)
    assert len(bench.mailbox.read()) == 1

    def no_mail(*given: Any) -> None:
        raise TransientError("aws_busy", "Publish: throttled")

    listed(batch, name, "spot", PARENT)
    described(batch, array(RUNNING=4))
    ended(batch, PARENT)
    listed(batch, name, "on-demand")
    bench.monkeypatch.setattr("handlers.notify.claim_end", no_mail)
    with pytest.raises(TransientError, match="Publish"):
        bench.send("notify", event)
