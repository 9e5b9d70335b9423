"""The command line against the deployed template at work: what it finds by the stack's outputs is what there is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.command_line import Answer, casemill
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
    quarantined = casemill("quarantine", "list", "--json")
    assert (quarantined.code, quarantined.json) == (0, [])


def test_submitting_it_again_verifies_it_again(submitted: Answer) -> None:
    run_id = documents(submitted)[0]["run_id"]
    again = casemill("submit", "--run", run_id, "--wait", timeout=300)
    assert again.code == 0, again.err + again.out
    assert "only what is missing is done" in again.err
    assert f"execution {run_id}-2: succeeded, ended" in again.out
