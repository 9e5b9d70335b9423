"""Parts of the cloud's command line by themselves: history, pages, plugins, and the width of an array."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from importlib.metadata import EntryPoint
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from core.cost.array_width import CHILD_SECONDS, LARGEST_ARRAY, array_width
from core.cost.time_model import TimeModel, shipped_models, time_model
from core.errors import BadRequestError, TransientError
from core.run.guard import JobState
from core.run.models import PlannedShard
from core.run.plan import with_partitions
from core.run.plan_store import read_plan
from core.run.submission import plan_asked
from core.workloads.registry import times_of
from handlers.aws import jobs
from handlers.command_line import log_lines
from handlers.command_line.account import Account
from handlers.command_line.executions import executions_of
from handlers.command_line.moment import Moment, _known
from handlers.command_line.stack import DeployedStack
from tests.cloud_bench import CloudBench, asked_toy
from tests.command_line import Answer
from tests.toy_workload import build_toy


def stubbed(service: str) -> tuple[Any, Stubber]:
    made = boto3.Session().client(
        service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )  # type: ignore[call-overload]
    stub = Stubber(made)
    stub.activate()
    return made, stub


# -- the width of an array --------------------------------------------------------------------------------------------


def shards(count: int, cases: int = 50, size: int = 50 * 16_000_000, windows: int = 50 * 400) -> list[PlannedShard]:
    return [
        PlannedShard(
            shard=f"train-{number:05d}", split="train", partition=number, cases=cases, estimated_records=windows,
            bytes=size,
        )
        for number in range(count)
    ]  # fmt: skip


def vitaldb_model() -> TimeModel | None:
    return time_model(shipped_models(times_of("vitaldb")), "vitaldb", other_machine=True)


@pytest.mark.parametrize("count", [1, 3, 128, 3000])
def test_each_child_works_some_minutes(count: int) -> None:
    planned = shards(count)
    model = vitaldb_model()
    width = array_width(model, planned)
    assert model is not None
    seconds = sum(model.shard_seconds(shard) for shard in planned)
    assert 1 <= width <= count
    assert seconds / width <= CHILD_SECONDS
    assert width == 1 or seconds / (width - 1) > CHILD_SECONDS


def test_never_more_children_than_shards_or_than_an_array_takes() -> None:
    heavy = shards(3, size=10**12)
    assert array_width(vitaldb_model(), heavy) == 3
    assert array_width(vitaldb_model(), shards(LARGEST_ARRAY + 5, size=10**12)) == LARGEST_ARRAY
    assert array_width(None, shards(LARGEST_ARRAY + 5)) == LARGEST_ARRAY
    assert array_width(None, shards(7)) == 7


def test_the_plan_takes_the_width_only_where_nobody_asked_for_one() -> None:
    def two(workload: str, planned: Any) -> int:
        assert (workload, len(planned)) == ("toy", 6)
        return 2

    free, _ = plan_asked(asked_toy(partitions=None), build_toy, width_of=two)
    assert free.shards.partitions == 2
    assert {shard.partition for shard in free.shards.shards} == {0, 1}
    fixed, _ = plan_asked(asked_toy(partitions=3), build_toy, width_of=two)
    assert fixed.shards.partitions == 3
    assert free.request.run_id == fixed.request.run_id, "the width is no part of what is made"


def test_other_partitions_change_no_case() -> None:
    bench = CloudBench(asked_toy())
    bench.plan()
    plan = read_plan(bench.store, bench.run_id)
    changed = with_partitions(plan, 2)
    assert (changed.cases, changed.request) == (plan.cases, plan.request)
    assert with_partitions(plan, 1000).shards.partitions == len(plan.shards.shards)


# -- what Step Functions says -----------------------------------------------------------------------------------------


def entered(number: int, name: str, held: Any) -> dict[str, Any]:
    text = held if isinstance(held, str) else json.dumps(held)
    return {"id": number, "stateEnteredEventDetails": {"name": name, "input": text}}


def test_the_newest_word_counts() -> None:
    run, inspect = {"budget_usd": 3.0}, {"round": 1, "queue": "q", "job_name": "j", "capacity": "spot"}
    events = [
        entered(9, "WaitArray", "cut off by {"),
        {"id": 8, "stateExitedEventDetails": {"name": "GuardArray", "output": json.dumps({"guard": {"spent_usd": 2}})}},
        entered(7, "GuardArray", {"run": run, "inspect": inspect, "guard": {"spent_usd": 1}}),
        entered(6, "WatchArray", {"guard": {"unseen": 0, "busy": 0}}),
        {"id": 5, "type": "TaskScheduled"},
    ]
    assert _known(events) == {"stage": "working", "run": run, "inspect": inspect, "guard": {"spent_usd": 2}}
    assert _known([]) == {"stage": "starting"}


def test_a_moment_for_people() -> None:
    job = JobState(status="PENDING", running=3, runnable=5, starting=1, succeeded=2, status_reason="CAPACITY: none")
    moment = Moment("r-1", "RUNNING", "working", round=1, capacity="spot", job=job)
    assert moment.lines() == [
        "execution r-1: running, working, round 1 on spot",
        "machines  3 running, 1 starting, 5 waiting, 2 succeeded, 0 failed",
        "waiting   CAPACITY: none",
    ]
    assert json.loads(json.dumps(moment.document()))["job"]["running"] == 3


def test_executions_are_found_on_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    made, stub = stubbed("stepfunctions")
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:casemill"

    def item(name: str, hour: int) -> dict[str, Any]:
        arn = f"arn:aws:states:us-east-1:123456789012:execution:casemill:{name}"
        moment = datetime(2026, 1, 1, hour, tzinfo=timezone.utc)
        return {"executionArn": arn, "stateMachineArn": machine, "name": name, "status": "FAILED", "startDate": moment}

    pages = [[item("toy-1-2", 1), item("toy-1", 2)], [item("toy-11-1", 3), item("toy-1-10", 4)]]
    stub.add_response("list_executions", {"executions": pages[0], "nextToken": "more"}, {"stateMachineArn": machine})
    stub.add_response("list_executions", {"executions": pages[1]}, {"stateMachineArn": machine, "nextToken": "more"})
    monkeypatch.setattr("handlers.command_line.executions.client", lambda name: made)
    found = executions_of(stack_with(machine), "toy-1")
    assert [execution.name for execution in found] == ["toy-1-10", "toy-1-2"]
    stub.add_response("list_executions", {"executions": pages[0], "nextToken": "more"}, {"stateMachineArn": machine})
    stub.add_client_error("list_executions", "ThrottlingException", http_status_code=400)
    with pytest.raises(TransientError, match="aws_busy"):
        executions_of(stack_with(machine), "toy-1")


def stack_with(machine: str) -> DeployedStack:
    account = Account("us-east-1", None)
    return DeployedStack("Casemill", account, "s3://b", machine, "spot", "on-demand", "logs", "queue", "test", 20.0)


def test_jobs_are_listed_and_described_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    made, stub = stubbed("batch")
    wanted = {"jobQueue": "q", "filters": [{"name": "JOB_NAME", "values": ["n"]}]}
    stub.add_response("list_jobs", {"jobSummaryList": [{"jobId": "a", "jobName": "n"}], "nextToken": "x"}, wanted)
    stub.add_response("list_jobs", {"jobSummaryList": [{"jobId": "b", "jobName": "n"}]}, {**wanted, "nextToken": "x"})
    monkeypatch.setattr(jobs, "client", lambda name: made)
    assert jobs.job_ids("q", "n") == ["a", "b"]
    ids = [f"a:{number}" for number in range(150)]
    stub.add_response("describe_jobs", {"jobs": []}, {"jobs": ids[:100]})
    stub.add_response("describe_jobs", {"jobs": []}, {"jobs": ids[100:]})
    assert jobs.describe(ids) == []
    stub.assert_no_pending_responses()


def test_a_container_without_a_stream_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    made, stub = stubbed("logs")
    group = {"logGroupName": "g", "startTime": 0}
    event = {"logStreamName": "c", "timestamp": 1000, "message": "spoke", "eventId": "1"}
    for names, there in ((["a", "b", "c"], False), (["a"], False), (["b", "c"], False), (["b"], False), (["c"], True)):
        wanted = {**group, "logStreamNames": names}
        if there:
            stub.add_response("filter_log_events", {"events": [event]}, wanted)
        else:
            stub.add_client_error("filter_log_events", "ResourceNotFoundException", expected_params=wanted)
    monkeypatch.setattr(log_lines, "client", lambda name: made)
    lines = list(log_lines.read_lines("g", {name: f"attempt {name}" for name in "abc"}, 0.0))
    assert [line.text() for line in lines] == ["1970-01-01 00:00:01 UTC  attempt c  spoke"]
    stub.add_client_error("filter_log_events", "AccessDeniedException")
    with pytest.raises(BadRequestError, match="aws_denied"):
        list(log_lines.read_lines("g", {"a": "attempt a"}, 0.0))


# -- plugins ----------------------------------------------------------------------------------------------------------


def test_a_command_that_cannot_be_loaded_spoils_no_other(
    command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        EntryPoint("broken", "no.such.module:command", "casemill.commands"),
        EntryPoint("run", "no.such.module:other", "casemill.commands"),
    ]
    monkeypatch.setattr("core.cli.plugins.entry_points", lambda group: found)
    text = command("--help")
    assert text.code == 0
    assert "broken" in text.out
    assert text.out.count("│ run ") == 1
    answer = command("broken")
    assert answer.code == 64
    assert answer.err.startswith("error [broken_command] no.such.module:command: the command cannot be loaded")
    assert "Make a verified data set" in command("run", "--help").out, "the core's own has the right of way"


def test_own_commands_look_for_no_others(command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(group: str) -> list[EntryPoint]:
        raise AssertionError("looking takes time")

    monkeypatch.setattr("core.cli.plugins.entry_points", looked)
    assert command("verify", "--help").code == 0
