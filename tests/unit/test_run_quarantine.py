"""Quarantined cases as messages, and the request that sends them through again."""

from __future__ import annotations

import pytest

from core.errors import BadRequestError
from core.run.assemble import read_commits
from core.run.models import RunRequest
from core.run.plan_store import read_plan
from core.run.quarantine import QuarantineMessage, quarantine_messages, redrive
from core.run.split import split_of
from core.run.submission import submission_id
from tests.cloud_bench import CloudBench, asked_toy
from tests.toy_workload import ToyWorkload


@pytest.fixture(scope="module")
def bench() -> CloudBench:
    return CloudBench(asked_toy({"fault": "content", "fault_case": 3, "empty": [4]})).finished()


@pytest.fixture(scope="module")
def request_(bench: CloudBench) -> RunRequest:
    return read_plan(bench.store, bench.run_id).request


@pytest.fixture(scope="module")
def messages(bench: CloudBench, request_: RunRequest) -> list[QuarantineMessage]:
    return list(quarantine_messages(request_, read_commits(bench.store, read_plan(bench.store, bench.run_id))))


def test_one_message_a_failed_case_without_its_detail(messages: list[QuarantineMessage], request_: RunRequest) -> None:
    assert messages == [
        QuarantineMessage(
            run_id=request_.run_id, data_set="toy", workload="toy", case_id="0003", case_number=3, reason="unreadable"
        )
    ]
    line = messages[0].to_line()
    assert QuarantineMessage.model_validate_json(line) == messages[0]
    assert "bad bytes" not in line
    assert "\n" not in line


def test_the_cases_go_through_again_on_the_side_they_were_on(
    bench: CloudBench, messages: list[QuarantineMessage], request_: RunRequest
) -> None:
    second = messages[0].model_copy(update={"case_id": "theatre3", "case_number": 1 << 52, "reason": "no_signal"})
    asked = redrive([second, *messages, *messages], bench.asked, request_, ToyWorkload({}), "mended")
    assert asked.selection["cases"] == f"3,{1 << 52}"
    assert (asked.data_set, asked.settings, asked.workload) == ("mended", bench.asked.settings, "toy")
    assert asked.thresholds == request_.thresholds
    assert split_of("g3", request_.thresholds) in ("train", "validation", "test")
    assert submission_id(asked) != bench.run_id


def test_without_a_name_the_new_run_names_its_data_set(
    bench: CloudBench, messages: list[QuarantineMessage], request_: RunRequest
) -> None:
    assert redrive(messages, bench.asked, request_, ToyWorkload({})).data_set is None


def test_what_cannot_be_sent_again(bench: CloudBench, messages: list[QuarantineMessage], request_: RunRequest) -> None:
    stranger = messages[0].model_copy(update={"run_id": "toy-other"})
    for given, name, code in (
        ([], "mended", "nothing_to_redrive"),
        ([stranger], "mended", "mixed_runs"),
        (messages, "toy", "name_taken"),
        (messages, "../x", "bad_option"),
    ):
        with pytest.raises(BadRequestError) as caught:
            redrive(given, bench.asked, request_, ToyWorkload({}), name)
        assert caught.value.code == code
