"""``casemill watch``, ``stop``, ``logs``, ``cost`` and ``quarantine`` against an emulated account."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.cost.account import account
from core.cost.prices import PriceBook
from core.run.assemble import read_commits
from core.run.models import RunRequest
from core.run.plan_store import read_plan
from core.run.quarantine import QuarantineMessage, quarantine_messages
from core.run.rounds import job_name
from handlers.command_line.executions import describe
from tests.cloud_account import CloudAccount
from tests.cloud_bench import CloudBench, asked_toy
from tests.command_line import Answer
from tests.toy_workload import build_toy

Command = Callable[..., Answer]


@pytest.fixture
def cloud(cloud: CloudAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudAccount]:
    """With the toy workload, and a queue that every test finds empty."""
    monkeypatch.setattr("handlers.command_line.held_messages.WAIT_SECONDS", 0)
    monkeypatch.setattr("core.workloads.registry.build_workload", build_toy)
    yield cloud
    cloud.fail()
    cloud.empty_queue()


@pytest.fixture
def bench(cloud: CloudAccount, request: pytest.FixtureRequest) -> CloudBench:
    """A run of this test's own, with a failed case, worked and verified; nothing of it is published."""
    settings = {"fault": "content", "fault_case": 3, "salt": request.node.name}
    return CloudBench(asked_toy(settings, data_set=None, success_threshold=0.8), store=cloud.store()).finished()


def history(monkeypatch: pytest.MonkeyPatch, *states: tuple[str, dict[str, Any]]) -> None:
    """What Step Functions would say of states that were entered, the newest last."""
    events = [
        {
            "id": number,
            "type": "TaskStateEntered",
            "stateEnteredEventDetails": {"name": name, "input": json.dumps(held)},
        }
        for number, (name, held) in enumerate(states, 1)
    ]
    monkeypatch.setattr("handlers.command_line.moment._newest", lambda arn: events[::-1])


def described(monkeypatch: pytest.MonkeyPatch, **said: str) -> None:
    """Step Functions' word on an execution, with what the emulator leaves out or cannot come to."""

    def describe_all(arn: str) -> dict[str, Any]:
        found = describe(arn)
        return {**found, **(said if found["status"] != "RUNNING" or "status" in said else {})}

    monkeypatch.setattr("handlers.command_line.moment.describe", describe_all)


# -- watch ----------------------------------------------------------------------------------------------------------


def test_watching_a_run_that_ended_well(
    cloud: CloudAccount, bench: CloudBench, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{bench.run_id}-1"
    bench.publish(name)
    cloud.start(name, run_id=bench.run_id)
    described(monkeypatch, status="SUCCEEDED")
    answer = command("watch", bench.run_id)
    assert answer.code == 0, answer.err
    assert f"execution {name}: succeeded, ended" in answer.out
    assert "100.0% · 10 of 10 cases" in answer.out
    assert "published" in answer.out
    assert "SUCCESS" in answer.out, "the report"
    last = json.loads(command("watch", bench.run_id, "--json").out.splitlines()[-1])
    assert (last["verified"], last["status"], last["run_id"]) == (True, "SUCCEEDED", bench.run_id)


def test_watching_until_it_is_stopped(
    cloud: CloudAccount, bench: CloudBench, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.start(f"{bench.run_id}-1", run_id=bench.run_id)
    run = {"run_id": bench.run_id, "budget_usd": 20.0}
    inspected = {"round": 2, "capacity": "on-demand", "queue": "q", "job_name": "j"}
    guarded = {"spent_usd": 0.5, "projected_usd": 1.25, "action": "wait"}
    history(monkeypatch, ("Plan", {}), ("GuardArray", {"run": run, "inspect": inspected, "guard": guarded}))
    monkeypatch.setattr("handlers.command_line.moment.find_job", lambda queue, name: None)
    described(monkeypatch, error="Stopped", cause="casemill stop")
    monkeypatch.setattr("handlers.command_line.watch.REPORT_SECONDS", 0.0)
    monkeypatch.setattr("handlers.command_line.watch.time.sleep", lambda seconds: cloud.stop_all())
    answer = command("watch", bench.run_id)
    assert answer.code == 1, answer.err
    first, *rest = answer.out.splitlines()
    assert first == f"execution {bench.run_id}-1: running, working, round 2 on on-demand"
    assert "spent     0.5000 dollars so far, about 1.2500 dollars in the end; the budget is 20.00 dollars" in rest
    assert sum(line.startswith("run       ") for line in rest) == 1, "what has not changed is not said again"
    assert rest[-2:] == ["ended     aborted: Stopped", "cause     casemill stop"]


def test_watching_before_the_plan_is_there(
    cloud: CloudAccount, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.start("toy-unplanned-1", run_id="toy-unplanned")
    cloud.stop_all()
    described(monkeypatch, error="BadRequestError", cause="no case is selected")
    answer = command("watch", "toy-unplanned")
    assert answer.code == 1
    assert "run       toy-unplanned: not planned yet" in answer.out
    assert "cause     no case is selected" in answer.out


@pytest.mark.parametrize("name", ["watch", "stop"])
def test_no_such_run(cloud: CloudAccount, command: Command, name: str) -> None:
    answer = command(name, "toy-nothere")
    assert answer.code == 64
    assert answer.err.startswith(
        "error [no_execution] stack Casemill in us-east-1: no execution of a run 'toy-nothere'"
    )


# -- stop -----------------------------------------------------------------------------------------------------------


def test_stop_says_what_stays(cloud: CloudAccount, bench: CloudBench, command: Command) -> None:
    cloud.start(f"{bench.run_id}-1", run_id=bench.run_id)
    answer = command("stop", bench.run_id)
    assert answer.code == 0, answer.err
    assert f"stopped   {bench.run_id}-1" in answer.out
    assert "6 of 6 shards are committed" in answer.out
    assert f"casemill submit --run {bench.run_id}" in answer.out
    (execution,) = [item for item in cloud.executions() if item["name"] == f"{bench.run_id}-1"]
    assert execution["status"] == "ABORTED"
    again = command("stop", bench.run_id, "--json")
    assert (again.code, again.json["stopped"], again.json["shards_committed"]) == (0, [], 6)


# -- cost -----------------------------------------------------------------------------------------------------------


def test_the_cost_that_was_written(cloud: CloudAccount, bench: CloudBench, command: Command) -> None:
    report = account(bench.run_id, [], PriceBook(), cases=12)
    bench.store.put(bench.layout.cost, report.to_bytes())
    answer = command("cost", bench.run_id, "--json")
    assert answer.code == 0, answer.err
    assert answer.json == report.model_dump(mode="json")


def test_the_cost_of_a_run_that_works_is_computed(
    cloud: CloudAccount, bench: CloudBench, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.store.put(bench.layout.cost, account(bench.run_id, [], PriceBook()).to_bytes())
    cloud.start(f"{bench.run_id}-1", run_id=bench.run_id)
    asked: list[str] = []

    def no_prices(times: Any, region: str, now: Any, objects: bool) -> PriceBook:
        asked.append(region)
        return PriceBook()

    monkeypatch.setattr("handlers.spending.price_book", no_prices)
    answer = command("cost", bench.run_id)
    assert answer.code == 0, answer.err
    assert "computed as of now" in answer.err
    assert "pricing:GetProducts" in answer.err
    assert answer.out.startswith("cost       unknown")
    assert asked == ["us-east-1"]
    assert command("cost", "toy-nothere").err.startswith("error [no_run] ")


# -- logs -----------------------------------------------------------------------------------------------------------


def job_of(parent: str, index: int, *streams: str) -> dict[str, Any]:
    attempts = [
        {"container": {"logStreamName": name, "exitCode": 75}, "statusReason": "Host EC2 (instance i-1) terminated."}
        for name in streams[:-1]
    ]
    return {"jobId": f"{parent}:{index}", "container": {"logStreamName": streams[-1]}, "attempts": attempts}


@pytest.fixture
def jobs(cloud: CloudAccount, bench: CloudBench, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """AWS Batch as it remembers the first round: partition 1 took two attempts. Forgets when called."""
    parents = {job_name(bench.run_id, 1): "parent"}
    run, group = bench.run_id, cloud.outputs["JobLogGroup"]
    known = [
        job_of("parent", index, *(f"{run}/{index}-{number}" for number in range(1, 2 + (index == 1))))
        for index in range(4)
    ]

    def described(ids: list[str]) -> list[dict[str, Any]]:
        return [job for job in known if job["jobId"] in ids]

    def ids(queue: str, name: str) -> list[str]:
        return [parents[name]] if "spot" in queue and name in parents else []

    monkeypatch.setattr("handlers.command_line.log_streams.job_ids", ids)
    monkeypatch.setattr("handlers.command_line.log_streams.describe", described)
    start = time.time() - 100
    cloud.start(f"{run}-1", run_id=run)
    monkeypatch.setattr("handlers.command_line.logs._beginning", lambda stack, store, run_id: start - 10)
    for index in range(4):
        for number in range(1, 2 + (index == 1)):
            told = {"event": "started", "run": run, "round": 1, "partitions": [index], "batch_attempt": number}
            committed = {"event": "shard_committed", "shard": f"train-{index:05d}", "cases": 2}
            cloud.say(group, f"{run}/{index}-{number}", told, committed, at=start + 10 * number + index)
    plan = next(name for name in _groups(cloud) if "Plan" in name)
    cloud.say(plan, "2026/1", {"level": "INFO", "message": "planned", "run": run, "cases": 12}, "other", at=start)
    return parents.clear


def _groups(cloud: CloudAccount) -> list[str]:
    return [group["logGroupName"] for group in cloud.client("logs").describe_log_groups()["logGroups"]]


def test_logs_of_functions_and_containers_in_order_of_time(
    bench: CloudBench, jobs: Callable[[], None], command: Command
) -> None:
    answer = command("logs", bench.run_id)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert len(lines) == 11, "two of five containers each, and one of the plan that names the run"
    assert lines == sorted(lines, key=lambda line: line[:20])
    assert lines[0].endswith(f"plan  planned run={bench.run_id} cases=12")
    assert "round 1 partition 1 attempt 2  shard_committed shard=train-00001 cases=2" in lines[-1]


def test_logs_of_a_case(bench: CloudBench, jobs: Callable[[], None], command: Command) -> None:
    plan = read_plan(bench.store, bench.run_id)
    entry = next(entry for entry in plan.cases if entry.case.id == "0003")
    partition = next(shard.partition for shard in plan.shards.shards if shard.shard == entry.shard)
    answer = command("logs", bench.run_id, "--case", "0003", "--json")
    assert answer.code == 0, answer.err
    assert f"case 0003 is in partition {partition}" in answer.err
    origins = {json.loads(line)["origin"] for line in answer.out.splitlines()}
    wanted = {f"round 1 partition {partition} attempt {number}" for number in range(1, 2 + (partition == 1))}
    assert origins == wanted
    assert command("logs", bench.run_id, "--case", "9999").err.startswith("error [unknown_case] ")


def test_logs_of_jobs_that_batch_has_forgotten(bench: CloudBench, jobs: Callable[[], None], command: Command) -> None:
    remembered = command("logs", bench.run_id).out
    jobs()
    assert command("logs", bench.run_id).out == remembered


def test_following_ends_with_the_execution(
    cloud: CloudAccount,
    bench: CloudBench,
    jobs: Callable[[], None],
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = cloud.outputs["JobLogGroup"]

    said: list[str] = []

    def later(seconds: float) -> None:
        # The clock is everybody's: a thread of the emulator may sleep too.
        if not said:
            said.append("finished")
            cloud.say(group, f"{bench.run_id}/0-1", {"event": "finished", "partition": 0})
            cloud.stop_all()

    monkeypatch.setattr("handlers.command_line.logs.time.sleep", later)
    answer = command("logs", bench.run_id, "--follow")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert len(lines) == len(set(lines)) == 12
    assert lines[-1].endswith("round 1 partition 0 attempt 1  finished partition=0")


def test_logs_of_no_run(cloud: CloudAccount, command: Command) -> None:
    assert command("logs", "toy-nothere").err.startswith("error [no_run] ")


# -- quarantine -----------------------------------------------------------------------------------------------------


@pytest.fixture
def request_(bench: CloudBench) -> RunRequest:
    return read_plan(bench.store, bench.run_id).request


@pytest.fixture
def messages(bench: CloudBench, request_: RunRequest) -> list[QuarantineMessage]:
    found = list(quarantine_messages(request_, read_commits(bench.store, read_plan(bench.store, bench.run_id))))
    return [*found, found[0].model_copy(update={"case_id": "0004", "case_number": 4})]


def test_listing_leaves_every_message_in_the_queue(
    cloud: CloudAccount, command: Command, messages: list[QuarantineMessage]
) -> None:
    others = [
        messages[0].model_copy(update={"run_id": "toy-other", "case_id": f"{n:04d}", "case_number": n})
        for n in range(25)
    ]
    cloud.quarantined(*(item.to_line() for item in (*messages, messages[0], *others)), "no case at all")
    answer = command("quarantine", "list", "--json")
    assert answer.code == 0, answer.err
    assert len(answer.json) == 27, "the one that was sent twice is one case"
    assert "1 messages are no quarantined cases" in answer.err
    assert cloud.waiting() == 29
    answer = command("quarantine", "list", "--run", messages[0].run_id)
    assert answer.out.splitlines()[0] == "2 cases"
    assert "unreadable" in answer.out
    assert cloud.waiting() == 29


def test_an_empty_queue(cloud: CloudAccount, command: Command) -> None:
    answer = command("quarantine", "list")
    assert (answer.code, answer.out) == (0, "no case waits in quarantine\n")


def test_redriving_submits_the_cases_and_takes_them_out(
    cloud: CloudAccount, bench: CloudBench, command: Command, messages: list[QuarantineMessage], request_: RunRequest
) -> None:
    other = messages[0].model_copy(update={"run_id": "toy-other"})
    cloud.quarantined(*(item.to_line() for item in (*messages, other)))
    answer = command("quarantine", "redrive", bench.run_id, "--name", "mended", "--budget", 2, "--json")
    assert answer.code == 0, answer.err
    said = answer.json
    assert (said["cases"], said["started"]) == (2, True)
    (execution,) = [item for item in cloud.executions() if item["name"] == said["execution"]]
    given = json.loads(execution["input"])
    assert given["asked"]["selection"]["cases"] == "3,4"
    assert given["asked"]["data_set"] == "mended"
    assert given["asked"]["thresholds"] == request_.thresholds.model_dump()
    assert given["budget_usd"] == 2.0
    assert cloud.waiting() == 1, "the other run's"


@pytest.mark.parametrize(
    ("run", "name", "code"),
    [("", "mended", "nothing_to_redrive"), ("toy-nothere", "mended", "no_run"), ("own", "../x", "bad_option")],
)
def test_what_cannot_be_redriven_stays_in_the_queue(
    cloud: CloudAccount, bench: CloudBench, command: Command, messages: list[QuarantineMessage],
    run: str, name: str, code: str,
) -> None:  # fmt: skip
    mine = messages if run == "own" else [item.model_copy(update={"run_id": "toy-other"}) for item in messages]
    cloud.quarantined(*(item.to_line() for item in mine))
    before = len(cloud.executions())
    wanted = run if run.startswith("toy") else bench.run_id
    answer = command("quarantine", "redrive", wanted, "--name", name)
    assert answer.code == 64
    assert answer.err.startswith(f"error [{code}] "), answer.err
    assert cloud.waiting() == 2
    assert len(cloud.executions()) == before


# -- all of them ----------------------------------------------------------------------------------------------------

COMMANDS = ("submit", "watch", "stop", "logs", "cost", "quarantine")


def test_the_commands_stand_in_the_help(command: Command) -> None:
    text = command("--help").out
    assert "In the cloud" in text
    for name in COMMANDS:
        assert f"│ {name} " in text


@pytest.mark.parametrize("words", [*((name,) for name in COMMANDS), ("quarantine", "list"), ("quarantine", "redrive")])
def test_each_has_a_help(command: Command, words: tuple[str, ...]) -> None:
    answer = command(*words, "--help")
    assert answer.code == 0
    assert words == ("quarantine",) or "--aws-profile" in answer.out
    assert words == ("quarantine",) or "Example:" in answer.out
