"""Ends of attempts as AWS Batch tells them: in the guard's figures, in the run's report and in what it cost."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.stub import Stubber

from core.run.layout import RunLayout
from core.run.models import Attempt, Heartbeat
from core.run.progress import ProgressReader, read_shards
from core.store import open_store
from handlers.aws.jobs import ends_of
from handlers.ends import look_at
from tests import cloud_bench
from tests.cloud_bench import SPOT
from tests.functional.test_functions_guard import PARENT, array, described, figures, listed, look
from tests.functions_bench import FunctionsBench, toy_prices
from tests.s3_server import S3Server

HOST_LOST = "Host EC2 (instance i-0123456789abcdef0) terminated."
OUT_OF_TIME = "Job attempt duration exceeded timeout"
CHILD = f"{PARENT}:0"
STOPPED = 1_772_000_500_000


@pytest.fixture
def bench(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> FunctionsBench:
    """A run whose first partition was killed twice at its first case: once recorded by its successor, once silent."""
    server.faults.reset()
    found = FunctionsBench(server, monkeypatch)
    found.cloud.seconds = time.time() - 2000
    found.plan()
    found.cloud.fate = lambda case: "kill"
    for number in (1, 2):
        monkeypatch.setattr(cloud_bench, "SPOT", SPOT.model_copy(update={"job": CHILD, "job_attempt": number}))
        assert not found.cloud.child(0)
    found.cloud.fate = lambda case: ""
    monkeypatch.setattr(cloud_bench, "SPOT", SPOT)
    return found


def ended(
    status_reason: str, code: int | None = None, stopped: int | None = STOPPED, **container: Any
) -> dict[str, Any]:
    """An entry of a job's ``attempts``."""
    code_part = {} if code is None else {"exitCode": code}
    stop_part = {} if stopped is None else {"stoppedAt": stopped}
    return {
        "container": {**code_part, **container},
        "startedAt": STOPPED - 1,
        "statusReason": status_reason,
        **stop_part,
    }


def child(*attempts: dict[str, Any], status: str = "FAILED", reason: str = "") -> dict[str, Any]:
    return {"jobId": CHILD, "status": status, "statusReason": reason, "attempts": list(attempts)}


def attempts(bench: FunctionsBench, partition: int = 0) -> list[Attempt]:
    store, layout = open_store(bench.output), RunLayout(bench.run_id)
    return [Attempt.model_validate_json(store.get(item.key)) for item in store.list(layout.attempts(partition))]


def finish(bench: FunctionsBench) -> None:
    bench.work(bench.inspect())
    for group in bench.inspect(1)["groups"]:
        assert bench.call("verify", run_id=bench.run_id, group=group)["problems"] == 0


def test_the_guard_counts_machines_that_were_lost_without_a_word(
    bench: FunctionsBench, batch: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [item.why for item in attempts(bench)] == ["crashed"], "what the second attempt could know"
    for asks in (True, False):
        listed(batch, bench, PARENT)
        described(batch, array(RUNNING=2))
        if asks:
            described(batch, child(ended(HOST_LOST), ended(HOST_LOST)))
        look(bench)
        assert figures(capsys.readouterr().out)["ReclaimsLastHour"] == 2
    found = attempts(bench)
    assert [(item.attempt, item.why, item.detail) for item in found] == [
        (number, "reclaimed", f"AWS Batch: {HOST_LOST}") for number in (1, 2)
    ]
    assert "2 reclaimed" in open_store(bench.output).get(f"runs/{bench.run_id}/PROGRESS.txt").decode()


def test_the_report_and_the_cost_tell_reclaimed_from_crashed(bench: FunctionsBench, batch: Stubber) -> None:
    bench.set_prices(toy_prices("36"))
    finish(bench)
    described(batch, child(ended(HOST_LOST), ended("Essential container in task exited", 137, reason="OutOfMemory")))
    report = bench.publish()["report"]
    assert report["attempts"] == {"crashed": 1, "finished": 4, "reclaimed": 1}
    assert report["money"]["lost_usd"] is not None
    store = open_store(bench.output)
    by_end = json.loads(store.get(f"runs/{bench.run_id}/cost.json"))["by_end"]
    assert {name: line["attempts"] for name, line in by_end.items()} == {"crashed": 1, "reclaimed": 1, "useful": 4}
    page = store.get(f"runs/{bench.run_id}/report.html").decode()
    assert HOST_LOST in page
    assert "OutOfMemory; exit code 137" in page


def test_an_attempt_that_ran_out_of_time_is_told_as_that(bench: FunctionsBench, batch: Stubber) -> None:
    """AWS Batch may give the reason of the last attempt as the job's."""
    finish(bench)
    described(
        batch, child(ended(OUT_OF_TIME, 137), ended("Essential container in task exited", 75), reason=OUT_OF_TIME)
    )
    assert bench.publish()["report"]["attempts"] == {"finished": 4, "timed out": 2}


def test_an_attempt_without_an_end_keeps_its_number(bench: FunctionsBench, batch: Stubber) -> None:
    """The second attempt's word must not become the first one's."""
    described(batch, child(ended("", None, None), ended(HOST_LOST, stopped=None)))
    report = bench.publish(failure={"Error": "Incomplete", "Cause": "{}"})["report"]
    assert report["attempts"] == {"crashed": 1, "reclaimed": 1}
    assert [item.why for item in attempts(bench)] == ["crashed", "reclaimed"]


def test_a_run_that_failed_is_told_of_in_the_same_words(bench: FunctionsBench, batch: Stubber) -> None:
    described(batch, child(ended(HOST_LOST), ended(OUT_OF_TIME)))
    failure = {"Error": "Incomplete", "Cause": json.dumps({"why": "4 partitions are open"})}
    report = bench.publish(failure=failure)["report"]
    assert report["attempts"] == {"reclaimed": 1, "timed out": 1}
    assert "1 reclaimed, 1 timed out" in open_store(bench.output).get(report["report_key"]).decode()


@pytest.mark.parametrize("known", [[], [child(ended("", None, None), status="RUNNING")]])
def test_what_batch_forgot_or_does_not_know_yet_stays_as_it_is(
    bench: FunctionsBench, batch: Stubber, known: list[dict[str, Any]]
) -> None:
    batch.add_response("describe_jobs", {"jobs": [dict(jobName="n", jobQueue="q", startedAt=1, jobDefinition="d", **job)
                                                  for job in known]}, {"jobs": [CHILD]})  # fmt: skip
    before = attempts(bench)
    bench.publish(failure={"Error": "Incomplete", "Cause": "{}"})
    assert attempts(bench) == before


def test_a_batch_that_refuses_the_question_spoils_nothing(bench: FunctionsBench, batch: Stubber) -> None:
    finish(bench)
    batch.add_client_error("describe_jobs", "AccessDeniedException", "secret words", 403)
    published = bench.publish()
    assert published["verified"]
    assert published["report"]["attempts"] == {"crashed": 2, "finished": 4}
    log = bench.log.getvalue()
    assert "no word on the ends of attempts" in log
    assert "secret" not in log


def test_a_worker_s_own_word_on_its_end_is_not_overwritten(
    bench: FunctionsBench, batch: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record may come between the look at the store and the one at Batch."""
    store, layout = open_store(bench.output), RunLayout(bench.run_id)
    reader = ProgressReader(store, bench.run_id, read_shards(store, bench.run_id))
    beat = Heartbeat.model_validate_json(store.get(layout.heartbeat(0)))
    own = attempts(bench)[0].model_copy(update={"attempt": beat.attempt, "why": "transient", "cause": "storage_busy"})

    def late(asked: Any) -> Any:
        store.put(layout.attempt(0, beat.attempt), own.to_bytes())
        return ends_of(asked)

    monkeypatch.setattr("handlers.ends.ends_of", late)
    described(batch, child(ended(HOST_LOST), ended("Essential container in task exited", 75)))
    seen = look_at(store, reader, time.time())
    assert [item.why for item in seen.attempts] == ["reclaimed", "transient"]
