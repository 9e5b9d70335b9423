"""The environment's variables, the share of a round, the log and the exit codes of the entry point."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import batch_image.work
from batch_image.assignment import own_partitions, read_round
from batch_image.entrypoint import guarded
from batch_image.settings import BadEnvironmentError, Settings, read_settings
from batch_image.work import work
from core.errors import EXIT_RETRY, IntegrityError
from core.run.assemble import read_commits
from core.run.commit import read_commit
from core.run.layout import RunLayout
from core.run.models import Attempt, Heartbeat, Place, RoundPlan
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.source import open_source
from core.run.stop import StopRequest
from core.store import Store, open_store
from core.workloads.registry import build_workload
from tests.metadata_service import metadata_service
from tests.tiny_recordings import SHORT_WINDOWS, write_cohort
from tests.toy_workload import ToyWorkload, build_toy

NEEDED = {"CASEMILL_OUTPUT": "s3://bucket/out", "CASEMILL_RUN": "toy-1"}


def planned(folder: Path, **settings: Any) -> tuple[Store, Plan]:
    store = open_store(folder, create=True)
    plan = make_plan(ToyWorkload(settings), None, {}, PlanOptions(shard_cases=2, partitions=4))
    write_plan(store, plan)
    return store, plan


def surroundings(store: Store, plan: Plan, **more: str) -> dict[str, str]:
    return {
        "CASEMILL_OUTPUT": store.uri, "CASEMILL_RUN": plan.request.run_id, "AWS_EC2_METADATA_DISABLED": "true", **more,
    }  # fmt: skip


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_defaults() -> None:
    settings = read_settings(NEEDED)
    assert (settings.round, settings.heartbeat_seconds, settings.array_index) == (1, 30.0, None)
    assert settings.metadata_endpoint == "http://169.254.169.254"
    assert not settings.metadata_disabled


def test_every_variable() -> None:
    settings = read_settings(
        {
            **NEEDED, "CASEMILL_ROUND": "2", "CASEMILL_HEARTBEAT_SECONDS": "0.5", "AWS_BATCH_JOB_ARRAY_INDEX": "7",
            "AWS_BATCH_JOB_ATTEMPT": "3", "AWS_BATCH_CE_NAME": "arn:…/Casemill-OnDemand", "SM_HOSTS": '["a", "b"]',
            "SM_CURRENT_HOST": "b", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[fd00:ec2::254]/",
            "AWS_EC2_METADATA_DISABLED": "TRUE", "PATH": "/bin", "CASEMILL_GRID_CACHE": "s3://bucket/grids",
        }
    )  # fmt: skip
    assert settings.grid_cache == "s3://bucket/grids"
    assert (settings.round, settings.array_index, settings.batch_attempt) == (2, 7, 3)
    assert settings.hosts == ("a", "b")
    assert settings.metadata_endpoint == "http://[fd00:ec2::254]"
    assert settings.metadata_disabled


def test_the_grid_cache_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort = write_cohort(tmp_path / "cohort", 4)
    selection = {"cases": "all", "clinical": str(cohort.clinical), "where": None}
    workload, source = build_workload("vitaldb", SHORT_WINDOWS), open_source(str(cohort.source))
    plan = make_plan(workload, source, selection, PlanOptions(shard_cases=2))
    (tmp_path / "file").write_text("")
    recalled = []
    for number, cache in enumerate(("", "grids", "grids", "file")):
        store = open_store(tmp_path / f"out-{number}", create=True)
        write_plan(store, plan)
        for index in range(plan.shards.partitions):
            more = {"CASEMILL_GRID_CACHE": str(tmp_path / cache)} if cache else {}
            variables = surroundings(store, plan, AWS_BATCH_JOB_ARRAY_INDEX=str(index), **more)
            assert work(read_settings(variables), StopRequest(), build_workload) == 0
        recalled.append(sum(record.made_by.recalled for record in read_commits(store, plan)))
        remarks = [line["message"] for line in events(capsys) if line["event"] == "remark"]
        assert len(remarks) == (plan.shards.partitions if cache == "file" else 0)
        assert all("bad_location" in remark for remark in remarks)
    assert recalled == [0, 0, 4, 0]


@pytest.mark.parametrize("name", [*NEEDED])
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_missing_variable_is_named(name: str, value: str | None) -> None:
    found = {**NEEDED, name: value}
    with pytest.raises(BadEnvironmentError) as caught:
        read_settings({key: text for key, text in found.items() if text is not None})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} is not set; wanted: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CASEMILL_RUN", "../other"), ("CASEMILL_RUN", "a/b"), ("CASEMILL_RUN", "a\n"), ("CASEMILL_ROUND", "0"),
        ("CASEMILL_ROUND", "two"), ("CASEMILL_HEARTBEAT_SECONDS", "0"), ("CASEMILL_HEARTBEAT_SECONDS", "nan"),
        ("AWS_BATCH_JOB_ARRAY_INDEX", "-1"), ("AWS_BATCH_JOB_ARRAY_INDEX", "1.5"), ("AWS_BATCH_JOB_ATTEMPT", "0"),

        ("CASEMILL_VCPUS", "0"), ("CASEMILL_VCPUS", "inf"), ("CASEMILL_VCPUS", "two"), ("SM_HOSTS", "algo-1"),
        ("SM_HOSTS", "{}"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "file:///etc"),
    ],
)  # fmt: skip
def test_a_malformed_variable_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(BadEnvironmentError) as caught:
        read_settings({**NEEDED, name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} is ")
    assert "\n" not in problem


def test_every_problem_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("CASEMILL_OUTPUT", raising=False)
    monkeypatch.delenv("CASEMILL_RUN", raising=False)
    monkeypatch.setenv("CASEMILL_ROUND", "x")
    assert guarded(StopRequest()) == 64
    lines = events(capsys)
    assert [line["code"] for line in lines] == ["bad_environment"] * 3
    assert {line["message"].split()[0] for line in lines} == {"CASEMILL_OUTPUT", "CASEMILL_RUN", "CASEMILL_ROUND"}


@pytest.mark.parametrize("current", [None, "algo-9"])
def test_a_host_must_be_one_of_the_hosts(current: str | None) -> None:
    more = {"SM_CURRENT_HOST": current} if current else {}
    with pytest.raises(BadEnvironmentError, match="SM_CURRENT_HOST"):
        read_settings({**NEEDED, "SM_HOSTS": '["algo-1", "algo-2"]', **more})


@pytest.mark.parametrize(
    ("name", "capacity"),
    [
        ("casemill-spot-1a2b", "spot"), ("Casemill-On-Demand", "on-demand"), ("casemill_ondemand", "on-demand"),
        ("spotless", None), ("", None),
    ],
)  # fmt: skip
def test_capacity_by_the_name_of_the_environment(name: str, capacity: str | None) -> None:
    assert read_settings({**NEEDED, "AWS_BATCH_CE_NAME": name}).capacity == capacity


def share(more: dict[str, str], partitions: int) -> tuple[int, ...]:
    return own_partitions(read_settings({**NEEDED, **more}), tuple(range(100, 100 + partitions)))


def test_the_array_index_chooses() -> None:
    assert [share({"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}, 3) for index in range(5)] == [
        (100,), (101,), (102,), (), (),
    ]  # fmt: skip
    assert share({}, 3) == (100,)


@pytest.mark.parametrize(("hosts", "partitions"), [(1, 5), (3, 7), (4, 2), (2, 0)])
def test_the_hosts_share_every_partition_once(hosts: int, partitions: int) -> None:
    names = [f"algo-{number}" for number in range(1, hosts + 1)]
    shares = [share({"SM_HOSTS": json.dumps(names), "SM_CURRENT_HOST": name}, partitions) for name in names]
    assert sorted(sum(shares, ())) == list(range(100, 100 + partitions))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_round_without_a_list_is_the_identity() -> None:
    store = open_store("memory://")
    assert read_round(store, "toy-1", 2, 3) == (0, 1, 2)


def test_a_round_of_holes() -> None:
    store = open_store("memory://")
    store.put(RunLayout("toy-1").round_plan(2), RoundPlan(partitions=(3, 17, 900)).to_bytes())
    assert RunLayout("toy-1").round_plan(2) == "runs/toy-1/rounds/2.json"
    assert read_round(store, "toy-1", 2, 901) == (3, 17, 900)
    assert read_round(store, "toy-1", 1, 2) == (0, 1)


@pytest.mark.parametrize("text", [b"", b"[1]", b'{"partitions": [-1]}', b'{"partitions": [4]}', b'{"partition": [1]}'])
def test_a_damaged_round_is_told(text: bytes) -> None:
    store = open_store("memory://")
    store.put(RunLayout("toy-1").round_plan(2), text)
    with pytest.raises(IntegrityError, match="round_damaged"):
        read_round(store, "toy-1", 2, 4)


def test_an_array_over_a_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, plan = planned(tmp_path / "out")
    layout = RunLayout(plan.request.run_id)
    store.put(layout.round_plan(2), RoundPlan(partitions=(3, 1)).to_bytes())
    for index in range(3):
        variables = surroundings(store, plan, CASEMILL_ROUND="2", AWS_BATCH_JOB_ARRAY_INDEX=str(index))
        assert work(read_settings(variables), StopRequest(), build_toy) == 0
    lines = events(capsys)
    assert [line["partitions"] for line in lines if line["event"] == "started"] == [[3], [1], []]
    assert "more children" in lines[-1]["message"]
    committed = {shard.partition for shard in plan.shards.shards if read_commit(store, layout, shard.shard)}
    assert committed == {1, 3}


def test_a_host_works_all_its_partitions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, plan = planned(tmp_path / "out")
    for host in ("algo-1", "algo-2"):
        variables = surroundings(store, plan, SM_HOSTS='["algo-1", "algo-2"]', SM_CURRENT_HOST=host)
        assert work(read_settings(variables), StopRequest(), build_toy) == 0
    assert len(read_commits(store, plan)) == len(plan.shards.shards)
    lines = events(capsys)
    assert [line["partitions"] for line in lines if line["event"] == "started"] == [[0, 2], [1, 3]]
    shards = [line["shard"] for line in lines if line["event"] == "shard_committed"]
    assert sorted(shards) == sorted(shard.shard for shard in plan.shards.shards)


def test_the_commit_record_tells_the_place(tmp_path: Path) -> None:
    store, plan = planned(tmp_path / "out")
    with metadata_service() as service:
        variables = surroundings(
            store, plan, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=service.endpoint
        )
        assert work(read_settings(variables), StopRequest(), build_toy) == 0
    shard = plan.shards_of(0)[0].shard
    record = read_commit(store, RunLayout(plan.request.run_id), shard)
    assert record is not None
    made_by = record.made_by
    assert (made_by.instance_type, made_by.zone, made_by.capacity) == ("c7i.large", "eu-west-1b", "spot")


def test_attempt_and_heartbeat_tell_what_a_price_needs(tmp_path: Path) -> None:
    store, plan = planned(tmp_path / "out")
    with metadata_service() as service:
        variables = surroundings(
            store, plan, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=service.endpoint,
            CASEMILL_VCPUS="2", AWS_BATCH_JOB_ID="4c8599fd-0000-4f30-9e8e-000000000000:3", AWS_BATCH_JOB_ATTEMPT="2",
        )  # fmt: skip
        assert work(read_settings(variables), StopRequest(), build_toy) == 0
    layout = RunLayout(plan.request.run_id)
    place = Attempt.model_validate_json(store.get(layout.attempt(0, 1))).place
    assert place == Place(
        instance_type="c7i.large", zone="eu-west-1b", capacity="spot", processors=2, host_processors=os.cpu_count(),
        job="4c8599fd-0000-4f30-9e8e-000000000000:3", job_attempt=2,
    )  # fmt: skip
    assert Heartbeat.model_validate_json(store.get(layout.heartbeat(0))).place == place


@pytest.mark.parametrize(("announced", "why"), [(True, "reclaimed"), (False, "interrupted")])
def test_a_job_that_somebody_ends_is_no_reclaimed_machine(tmp_path: Path, announced: bool, why: str) -> None:
    """Both get SIGTERM and may be tried again; the bill and the alarm on reclaims tell them apart."""
    store, plan = planned(tmp_path / "out")
    stop = StopRequest()
    stop.ask("reclaimed")
    with metadata_service() as service:
        if announced:
            service.announce()
        variables = surroundings(
            store, plan, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=service.endpoint
        )
        assert work(read_settings(variables), stop, build_toy) == EXIT_RETRY
    attempt = Attempt.model_validate_json(store.get(RunLayout(plan.request.run_id).attempt(0, 1)))
    assert attempt.why == why


def test_the_environment_s_name_is_used_where_the_instance_does_not_tell(tmp_path: Path) -> None:
    store, plan = planned(tmp_path / "out")
    assert work(read_settings(surroundings(store, plan, AWS_BATCH_CE_NAME="x-spot")), StopRequest(), build_toy) == 0
    record = read_commit(store, RunLayout(plan.request.run_id), plan.shards_of(0)[0].shard)
    assert record is not None
    assert record.made_by.capacity == "spot"


@pytest.mark.parametrize(("reason", "code"), [("reclaimed", 75), ("interrupted", 130)])
def test_asked_to_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str, code: int) -> None:
    store, plan = planned(tmp_path / "out")
    stop = StopRequest()
    stop.ask(reason)
    assert work(read_settings(surroundings(store, plan)), stop, build_toy) == code
    assert events(capsys)[-1]["why"] == reason


def enter(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> int:
    for name in Settings.model_fields.values():
        monkeypatch.delenv(str(name.alias), raising=False)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("core.workloads.registry.build_workload", build_toy)
    return guarded(StopRequest())


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [("transient", 75, "storage"), ("memory", 75, "machine"), ("disk", 75, "disk_full")],
)
def test_trouble_of_the_machine_is_to_be_tried_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    code: int,
    said: str,
) -> None:
    store, plan = planned(tmp_path / "out", fault=fault, fault_case=1)
    partition = next(
        shard.partition
        for shard in plan.shards.shards
        for entry in plan.cases_of(shard.shard)
        if entry.case.number == 1
    )
    variables = surroundings(store, plan, AWS_BATCH_JOB_ARRAY_INDEX=str(partition))
    assert enter(monkeypatch, variables) == code
    assert events(capsys)[-1]["code"] == said


def test_a_run_of_other_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, plan = planned(tmp_path / "out")
    monkeypatch.setattr(batch_image.work, "code_version", lambda: "0.0.0+other")
    assert enter(monkeypatch, surroundings(store, plan)) == 64
    (line,) = events(capsys)
    assert line["code"] == "code_mismatch"
    assert not store.list(RunLayout(plan.request.run_id).commits)


def test_no_such_run_and_no_such_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, plan = planned(tmp_path / "out")
    assert enter(monkeypatch, surroundings(store, plan, CASEMILL_RUN="toy-none")) == 64
    assert enter(monkeypatch, surroundings(store, plan, CASEMILL_OUTPUT=str(tmp_path / "none"))) == 64
    assert [line["code"] for line in events(capsys)] == ["no_run", "bad_location"]


def test_damaged_documents_are_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, plan = planned(tmp_path / "out")
    store.put(RunLayout(plan.request.run_id).partition(0), b"{}")
    assert enter(monkeypatch, surroundings(store, plan)) == 64
    assert events(capsys)[-1]["code"] == "plan_damaged"


def test_a_bug_is_told_without_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object) -> int:
        raise ValueError("Jane Doe, 1970-01-01")

    monkeypatch.setattr(batch_image.work, "work", broken)
    store, plan = planned(tmp_path / "out")
    assert enter(monkeypatch, surroundings(store, plan)) == 70
    text = capsys.readouterr().out
    assert "Jane" not in text
    line = json.loads(text)
    assert line["message"] == "ValueError"
    assert line["places"][-1].startswith("test_batch_image_entry.py:")
