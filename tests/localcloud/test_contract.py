"""Every place where the harness reaches into moto is there, as the harness takes it; and moto is the pinned one."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pytest
from moto.core.config import default_user_config

from tests.command_line import REPOSITORY

_TASK = "moto.stepfunctions.parser.asl.component.state.exec.state_task"
_BATCH_TASK = f"{_TASK}.service.state_task_service_batch:StateTaskServiceBatch"
_MODEL = "moto.core.common_models:CloudFormationModel"
_CFN = "resource_name cloudformation_json account_id region_name"


@dataclass(frozen=True)
class Hook:
    """Something of moto's, ``module:name``, the names of its parameters (or fields), and the file that relies on it."""

    place: str
    names: str
    user: str

    def __str__(self) -> str:
        return self.place.rpartition(".")[2]


CALLED = (
    Hook("moto.awslambda.models:LambdaFunction._invoke_lambda", "self event", "lambdas.py"),
    Hook("moto.batch.models:Job.__init__", "self name job_def job_queue backend log_backend container_overrides "
         "eks_properties_override depends_on parameters all_jobs timeout array_properties provided_job_id tags",
         "jobs.py"),
    Hook("moto.batch.models:Job.run", "self", "jobs.py"),
    Hook("moto.batch.models:Job.describe", "self", "jobs.py"),
    Hook("moto.batch.models:Job.describe_short", "self", "jobs.py"),
    Hook("moto.batch.models:Job.terminate", "self reason", "jobs.py"),
    Hook("moto.batch.models:BatchBackend.get_job_definition", "self identifier", "batch.py"),
    Hook("moto.batch.models:BatchBackend.get_job_queue", "self identifier", "batch.py"),
    Hook("moto.batch.responses:BatchResponse.submitjob", "self", "batch.py"),
    Hook("moto.batch.responses:BatchResponse.describejobs", "self", "batch.py"),
    Hook("moto.batch.responses:BatchResponse.listjobs", "self", "batch.py"),
    Hook("moto.batch.responses:BatchResponse._get_param", "self param_name if_none", "batch.py"),
    Hook("moto.batch.utils:lowercase_first_key", "some_dict", "cfn.py"),
    Hook("moto.cloudformation.parsing:get_model_list", "", "cfn.py"),
    Hook("moto.cloudformation.parsing:get_model_map", "", "cfn.py"),
    Hook("moto.cloudformation.parsing:get_name_type_map", "", "cfn.py"),
    Hook("moto.cloudformation.parsing:ResourceMap.update", "self template parameters", "updates.py"),
    Hook("moto.cloudformation.parsing:ResourceMap.load_mapping", "self", "updates.py"),
    Hook("moto.cloudformation.parsing:ResourceMap.load_parameters", "self", "updates.py"),
    Hook("moto.cloudformation.parsing:ResourceMap.load_conditions", "self", "updates.py"),
    Hook("moto.cloudformation.parsing:ResourceMap._delete_resource", "self parsed_resource resource_json",
         "updates.py"),
    Hook("moto.cloudformation.parsing:parse_and_update_resource",
         "logical_id resource_json resources_map account_id region_name", "updates.py"),
    Hook(f"{_MODEL}.create_from_cloudformation_json", f"{_CFN} kwargs", "cfn.py"),
    Hook(f"{_MODEL}.update_from_cloudformation_json",
         f"original_resource new_{_CFN}", "cfn.py"),
    Hook(f"{_MODEL}.delete_from_cloudformation_json", _CFN, "cfn.py"),
    Hook(f"{_MODEL}.has_cfn_attr", "attr", "cfn.py"),
    Hook("moto.logs.models:LogsBackend.ensure_log_group", "self log_group_name", "jobs.py"),
    Hook("moto.logs.models:LogsBackend.create_log_stream", "self log_group_name log_stream_name", "jobs.py"),
    Hook("moto.logs.models:LogsBackend.put_log_events", "self log_group_name log_stream_name log_events", "jobs.py"),
    Hook("moto.moto_api._internal.models:moto_api_backend.reset", "", "cloud.py"),
    Hook("moto.server:ThreadedMotoServer.__init__", "self ip_address port verbose", "cloud.py"),
    Hook("moto.server:ThreadedMotoServer.get_host_and_port", "self", "cloud.py"),
    Hook("moto.settings:moto_server_port", "", "sfn.py"),
    Hook(f"{_TASK}.lambda_eval_utils:boto_client_for", "region service state_credentials", "sfn.py"),
    Hook(f"{_TASK}.service.state_task_service_batch:boto_client_for", "region service state_credentials", "sfn.py"),
    Hook(f"{_BATCH_TASK}._normalise_parameters", "self parameters boto_service_name service_action_name", "sfn.py"),
    Hook(f"{_BATCH_TASK}._normalise_response", "self response boto_service_name service_action_name", "sfn.py"),
    Hook(f"{_BATCH_TASK}._to_boto_request", "self parameters structure_shape", "sfn.py"),
    Hook(f"{_BATCH_TASK}._from_boto_response", "self response structure_shape", "sfn.py"),
    Hook(f"{_BATCH_TASK}._get_boto_service_action", "self service_action_name", "sfn.py"),
)  # fmt: skip

FIELDS = (
    Hook("moto.awslambda.models:LambdaFunction",
         "code_bytes code_sha_256 environment_vars function_name handler logs_group_name memory_size role run_time "
         "timeout version", "lambdas.py"),
    Hook("moto.batch.models:Job.__init__",
         "_child_jobs _log_backend _stream_name arn attempts container_overrides exit_code job_definition job_id "
         "job_queue job_started_at job_stopped job_stopped_at job_stopped_reason log_stream_name stop timeout",
         "jobs.py"),
    Hook("moto.batch.models:JobQueue.__init__", "arn env_order_json jobs name", "batch.py"),
    Hook("moto.batch.models:JobDefinition.__init__", "container_properties retry_strategy status timeout", "batch.py"),
    Hook("moto.batch.models:BatchBackend.__init__", "_jobs", "batch.py"),
    Hook("moto.cloudformation.parsing:ResourceMap.__init__",
         "_account_id _parsed_resources _region_name _resource_json_map _template input_parameters", "updates.py"),
    Hook("moto.server:ThreadedMotoServer.__init__", "_server", "cloud.py"),
    Hook("moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials:StateCredentials", "role_arn",
         "sfn.py"),
)  # fmt: skip


@pytest.mark.parametrize("hook", CALLED, ids=str)
def test_what_the_harness_replaces_or_calls_takes_these_parameters(hook: Hook) -> None:
    assert COMPLAINTS[hook] == ""


@pytest.mark.parametrize("hook", FIELDS, ids=str)
def test_what_the_harness_looks_into_has_these_fields(hook: Hook) -> None:
    def fields(found: Any) -> list[str]:
        there = re.findall(r"(?:self\.|^\s+)(\w+)\s*[:=]", inspect.getsource(found), re.MULTILINE)
        return [name for name in hook.names.split() if name in there]

    assert complaint(hook, fields) == ""


def test_moto_can_be_told_to_execute_state_machines() -> None:
    assert STEP_FUNCTIONS == {"execute_state_machine": False}, "see step_functions_executing"


def test_the_map_of_types_is_made_once_and_can_be_forgotten() -> None:
    from moto.cloudformation import parsing

    for made in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        assert callable(made.cache_clear)


def test_moto_is_the_pinned_version() -> None:
    [pinned] = re.findall(r'"moto\[.*?\]==(.+?)"', (REPOSITORY / "pyproject.toml").read_text())
    assert version("moto") == pinned, "another moto than the one that the hooks were made for: make .venv anew"


def test_a_hook_that_is_gone_or_changed_is_named() -> None:
    gone = Hook("moto.batch.models:Job.vanished", "self", "jobs.py")
    assert "moto.batch.models:Job.vanished is gone" in complaint(gone, list)
    changed = Hook("moto.batch.models:Job.run", "self quickly", "jobs.py")
    said = complaint(changed, lambda found: list(inspect.signature(found).parameters))
    assert "Job.run has (self), wanted (self, quickly)" in said
    assert "mend tests/localcloud/jobs.py" in said


def complaint(hook: Hook, names: Any) -> str:
    """What is wrong with a hook and what to do; empty where it is as wanted."""
    module, _, path = hook.place.partition(":")
    advice = f"moto {version('moto')}: mend tests/localcloud/{hook.user}, run tests/localcloud, then write it down here"
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return f"{hook.place} is gone. {advice}"
    there = names(found)
    if there == hook.names.split():
        return ""
    return f"{hook.place} has ({', '.join(there)}), wanted ({', '.join(hook.names.split())}). {advice}"


COMPLAINTS = {hook: complaint(hook, lambda found: list(inspect.signature(found).parameters)) for hook in CALLED}
STEP_FUNCTIONS = dict(default_user_config["stepfunctions"])
"""Both of moto as it is imported: a cloud that other tests have started in this process has replaced them by then."""
