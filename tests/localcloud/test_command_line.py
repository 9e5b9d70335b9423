"""The command line against the deployed template at work: what it finds by the stack's outputs is what there is."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlers.aws.clients import client
from tests.command_line import Answer, casemill
from tests.documented_commands import GENERATED, IN_THE_CLOUD, Documented, documented, examples_of_the_help
from tests.localcloud.cloud import LocalCloud

ASKED = (
    "--source", "s3://recordings/vital", "--clinical", "s3://recordings/clinical_data.csv", "--window-s", 60,
    "--horizon-s", 5, "--name", "first", "--shard-cases", 2, "--array-width", 3,
)  # fmt: skip


@pytest.fixture(autouse=True)
def surroundings(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def submitted(cloud: LocalCloud) -> Answer:
    """A run from its submission to its end, as a person would watch it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.environment.items():
            patch.setenv(name, value)
        return casemill("submit", *ASKED, "--wait", "--json", timeout=300)


def documents(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.out.splitlines()]


def test_a_run_from_its_submission_to_its_end(submitted: Answer) -> None:
    assert submitted.code == 0, submitted.err + submitted.out
    begun, *looks, end = documents(submitted)
    assert begun["execution"] == f"{begun['run_id']}-1"
    assert (end["status"], end["verified"]) == ("SUCCEEDED", True)
    assert "SUCCESS" in end["report"]
    last = looks[-1]
    assert (last["round"], last["capacity"], last["budget_usd"]) == (1, "spot", begun["budget_usd"])
    assert last["progress"]["stage"] == "published"


def test_its_logs_are_those_of_its_containers_and_functions(submitted: Answer) -> None:
    run_id = documents(submitted)[0]["run_id"]
    answer = casemill("logs", run_id, "--json")
    assert answer.code == 0, answer.err
    said = documents(answer)
    workers = {item["origin"] for item in said if item["origin"].startswith("round")}
    assert workers == {f"round 1 partition {partition} attempt 1" for partition in range(3)}
    assert sum(item["said"]["event"] == "finished" for item in said if item["origin"] in workers) == 3
    assert {"plan", "inspect", "publish"} <= {item["origin"] for item in said}
    one = casemill("logs", run_id, "--case", "0001", "--json")
    assert len({item["origin"] for item in documents(one)}) == 1


def test_its_cost_and_its_quarantine(submitted: Answer) -> None:
    run_id = documents(submitted)[0]["run_id"]
    cost = casemill("cost", run_id, "--json")
    assert cost.code == 0, cost.err
    assert (cost.json["run_id"], cost.json["cases"]) == (run_id, 12)
    quarantined = casemill("quarantine", "list", "--run", run_id, "--json")
    assert (quarantined.code, quarantined.json) == (0, [])


def test_submitting_it_again_verifies_it_again(submitted: Answer) -> None:
    run_id = documents(submitted)[0]["run_id"]
    again = casemill("submit", "--run", run_id, "--wait", timeout=300)
    assert again.code == 0, again.err + again.out
    assert "only what is missing is done" in again.err
    assert f"execution {run_id}-2: succeeded, ended" in again.out


def test_the_doctor_finds_the_stack_sound(submitted: Answer) -> None:
    answer = casemill("doctor", "--aws", "--write", "--source", "s3://recordings/vital", "--json")
    found = {item["looked_at"]: item for item in answer.json["findings"]}
    for name in (
        "credentials", "clock", "stack Casemill", "outputs", "state machine", "versions", "spot queue", "spot machines",
        "on-demand queue", "on-demand machines", "bucket", "bucket, writing", "source", "source, for the stack",
    ):  # fmt: skip
        assert found[name]["state"] == "ok", found[name]
    assert "here and in the last run" in found["versions"]["found"]


def shown() -> list[Documented]:
    """The commands of the cloud in README.md and docs/, each once, and the examples of the help; starting ones last."""
    found = {item.text: item for item in documented() if IN_THE_CLOUD.match(item.text)}
    helped = {text: Documented(GENERATED, text) for text in examples_of_the_help() if IN_THE_CLOUD.match(text)}
    # What is shown of a run is shown of the one that ended well, before others begin.
    return sorted(
        {**found, **helped}.values(), key=lambda item: item.text.startswith(("casemill submit", "casemill stop"))
    )


def as_it_is_here(text: str, run_id: str, output: str) -> list[str]:
    """A documented command with this cloud's bucket, run and cohort, whose recordings are short."""
    for pattern, ours in (
        (r"s3://BUCKET/PREFIX/|s3://my-bucket/(?=datasets|runs)", f"{output}/"),
        (r"s3://\S*clinical_data\.csv", "s3://recordings/clinical_data.csv"),
        (r"(--source) s3://\S+", r"\1 s3://recordings/vital"),
        (r"RUN_ID|vitaldb-0123456789ab", run_id),
        (r"--case 0017", "--case 0001"),
        (r"--cases 1-3000 ?|--name first ?", ""),
    ):
        text = re.sub(pattern, ours, text)
    words = shlex.split(text)[1:]
    if words[0] == "submit" and "--run" not in words:
        budget = words[words.index("--budget") :][:2] if "--budget" in words else []
        words = ["submit", *map(str, ASKED), *budget, *(["--wait"] if "--wait" in words else [])]
    return words


@pytest.mark.parametrize("item", shown(), ids=str)
def test_what_the_pages_show_runs(
    cloud: LocalCloud,
    submitted: Answer,
    command: Callable[..., Answer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    item: Documented,
) -> None:
    monkeypatch.chdir(tmp_path)  # some of them write files
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    monkeypatch.setattr("handlers.command_line.held_messages.WAIT_SECONDS", 0)
    # The emulator has no quotas, and its refusal is worth trying again, for minutes.
    monkeypatch.setattr("handlers.command_line.doctor_compute._quota", lambda code: 256.0)
    client.cache_clear()
    run_id = documents(submitted)[0]["run_id"]
    answer = command(*as_it_is_here(item.text, run_id, cloud.outputs["Output"]))
    client.cache_clear()
    if "redrive" in item.text:
        assert "nothing_to_redrive" in answer.err, "every case was good"
    elif "doctor" in item.text:
        assert answer.code in (0, 1), answer.err
    else:
        assert answer.code == 0, answer.err + answer.out
    if item.text.startswith("casemill submit"):
        assert command("stop", run_id).code == 0, "the next one is not this one's"
        client.cache_clear()
