"""Step Functions that execute: moto's interpreter, with the calls to Batch spelt as boto3 wants them.

What a state machine calls, it calls under its own role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from botocore.model import StructureShape
from moto.core.config import default_user_config
from moto.settings import moto_server_port
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_batch
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_batch import (
    StateTaskServiceBatch,
)


@cache
def _shape(action: str, answer: bool) -> StructureShape:
    client = boto3.client("batch", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    operation = "".join(word.capitalize() for word in action.split("_"))
    model = client.meta.service_model.operation_model(operation)
    return model.output_shape if answer else model.input_shape


def _request(service: StateTaskServiceBatch, parameters: dict[str, Any], *_: Any, **names: Any) -> None:
    action = names.get("service_action_name") or service._get_boto_service_action()
    service._to_boto_request(parameters, _shape(action, answer=False))


def _response(service: StateTaskServiceBatch, response: Any, *_: Any, **names: Any) -> None:
    action = names.get("service_action_name") or service._get_boto_service_action()
    service._from_boto_response(response, _shape(action, answer=True))


LONGEST_CALL_SECONDS = 900
"""A function's longest time (Lambda quotas): the caller has the patience for it."""


def _clients(credentials: Callable[[str], dict[str, str]]) -> Callable[..., Any]:
    """Makes the interpreter's clients; as moto's own, but for the role."""

    @cache
    def under_role(region: str, service: str, role: str) -> Any:
        given = credentials(role)
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=f"http://localhost:{moto_server_port()}",
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=given["AWS_SESSION_TOKEN"],
            config=Config(
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                read_timeout=LONGEST_CALL_SECONDS,
                max_pool_connections=50,
            ),
        )

    return lambda region, service, state_credentials: under_role(region, service, state_credentials.role_arn)


@contextmanager
def step_functions_executing(credentials: Callable[[str], dict[str, str]]) -> Iterator[None]:
    """Let deployed state machines run; ``credentials`` gives the variables of a role's ARN."""
    before = default_user_config["stepfunctions"]
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    clients = _clients(credentials)
    with (
        patch.object(StateTaskServiceBatch, "_normalise_parameters", _request),
        patch.object(StateTaskServiceBatch, "_normalise_response", _response),
        patch.object(lambda_eval_utils, "boto_client_for", clients),
        patch.object(state_task_service_batch, "boto_client_for", clients),
    ):
        try:
            yield
        finally:
            default_user_config["stepfunctions"] = before
