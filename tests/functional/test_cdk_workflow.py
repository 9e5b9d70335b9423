"""The state machine as it is synthesised: nothing fails in silence, and what is under way is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cdk.workflow import BATCH_TRANSIENT, MOST_LOOKS, TRANSIENT
from core.run.rounds import MOST_ROUNDS
from core.run.verify_groups import MOST_GROUPS
from tests.cdk_templates import VARIANTS, resources

State = dict[str, Any]


def definition(variant: str) -> State:
    """The definition, every reference to a resource spelt by its logical id."""
    (machine,) = resources(variant, "AWS::StepFunctions::StateMachine").values()
    found = machine["DefinitionString"]
    parts = found["Fn::Join"][1] if isinstance(found, dict) else [found]
    text = "".join(part if isinstance(part, str) else next(iter(part.values()))[:200] for part in map(_plain, parts))
    return dict(json.loads(text))


def _plain(part: Any) -> Any:
    if isinstance(part, dict) and "Fn::GetAtt" in part:
        return part["Fn::GetAtt"][0]
    return part


def states(machine: State) -> Iterator[tuple[str, State]]:
    """Every state, those of branches and maps too."""
    for name, state in machine["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from states(inner)


def tasks(variant: str) -> dict[str, State]:
    return {name: state for name, state in states(definition(variant)) if state["Type"] == "Task"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_task_tries_again_and_is_caught(variant: str) -> None:
    found = tasks(variant)
    assert len(found) == 12
    for name, state in found.items():
        (retry,) = state["Retry"]
        assert (retry["MaxAttempts"], retry["BackoffRate"], retry["JitterStrategy"]) == (6, 2, "FULL"), name
        wanted = BATCH_TRANSIENT if name.startswith("Job") else TRANSIENT
        assert set(retry["ErrorEquals"]) == set(wanted), name
        assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name


def test_branches_and_maps_are_caught_too() -> None:
    for name, state in states(definition("default")):
        if state["Type"] in ("Parallel", "Map"):
            assert state["Catch"][-1] == {
                "ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "ReportFailure",
            }, name  # fmt: skip


def test_every_failure_ends_in_a_report_a_notification_and_a_failed_execution() -> None:
    found = dict(states(definition("default")))
    assert found["ReportFailure"]["Next"] == "NotifyFailure"
    assert {item["Next"] for item in found["ReportFailure"]["Catch"]} == {"NotifyUnreported"}
    assert found["NotifyFailure"]["Next"] == found["NotifyUnreported"]["Next"] == "RunFailed"
    assert found["NotifyFailure"]["Parameters"]["published.$"] == "$.published"
    # No path that the failed report would have had to fill: the mail would break on it, and its reason be lost.
    assert set(found["NotifyUnreported"]["Parameters"]) == {"execution.$", "submission.$", "failure.$"}
    assert found["RunFailed"]["Type"] == "Fail"
    for name in ("GiveUp", "OverBudgetArray", "OverBudgetSingle"):
        assert found[name]["Next"] == "ReportFailure"
    for name in ("Plan", "Inspect", "Publish"):
        assert found[name]["Catch"][-1]["Next"] == "ReportFailure"


def test_success_is_said_by_the_publication_alone() -> None:
    found = dict(states(definition("default")))
    assert [name for name, state in found.items() if state["Type"] == "Succeed"] == ["Verified"]
    assert found["IsVerified"]["Default"] == "NotVerified"
    (only,) = found["IsVerified"]["Choices"]
    assert only == {"Variable": "$.published.verified", "BooleanEquals": True, "Next": "Verified"}
    assert [name for name, state in found.items() if state.get("Next") == "IsVerified"] == ["Notify"]


def test_an_array_has_a_size_and_a_single_job_has_none() -> None:
    found = tasks("default")
    assert found["JobArray"]["Parameters"]["ArrayProperties"] == {"Size.$": "$.inspect.array_size"}
    assert "ArrayProperties" not in found["JobSingle"]["Parameters"]
    for name in ("JobArray", "JobSingle"):
        assert found[name]["Resource"].endswith(":states:::batch:submitJob.sync")
        parameters = found[name]["Parameters"]
        # The run's own revision, and its rules for retries: a strategy given here would replace them.
        assert parameters["JobDefinition.$"] == "$.run.job_definition"
        assert "RetryStrategy" not in parameters
        names = {pair["Name"] for pair in parameters["ContainerOverrides"]["Environment"]}
        assert names == {"CASEMILL_OUTPUT", "CASEMILL_RUN", "CASEMILL_ROUND"}


def test_functions_are_called_in_their_version() -> None:
    versions = set(resources("default", "AWS::Lambda::Version"))
    called = {state["Resource"] for name, state in tasks("default").items() if not name.startswith("Job")}
    assert called <= versions
    assert len(called) == 6


def test_the_machine_keeps_its_log_and_its_trace() -> None:
    (machine,) = resources("default", "AWS::StepFunctions::StateMachine").values()
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert definition("default")["TimeoutSeconds"] == MOST_LOOKS * 60


def test_an_execution_of_the_longest_has_room_in_its_history_for_verifying_the_largest_run() -> None:
    """Events by the kinds of states (Step Functions API, HistoryEvent): a state is entered and exited, a function is
    scheduled, started and ends, an iteration begins and ends."""
    look = sum(3 * (kind == "Task") + 2 for kind in ("Wait", "Task", "Choice"))
    group = 2 + 5
    retries = 3 * 100
    assert MOST_LOOKS * look + MOST_GROUPS * group + retries + 50 * MOST_ROUNDS < 25_000


def test_other_ends_are_told_too() -> None:
    rules = resources("default", "AWS::Events::Rule").values()
    (rule,) = [item for item in rules if item["EventPattern"]["source"] == ["aws.states"]]
    assert rule["EventPattern"]["detail"]["status"] == ["ABORTED", "TIMED_OUT", "FAILED"]
    (target,) = rule["Targets"]
    assert target["DeadLetterConfig"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 21_600, "MaximumRetryAttempts": 20}
