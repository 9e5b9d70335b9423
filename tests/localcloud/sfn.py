"""Step Functions that execute: moto's interpreter, with the calls to Batch spelt as boto3 wants them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from botocore.model import StructureShape
from moto.core.config import default_user_config
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


@contextmanager
def step_functions_executing() -> Iterator[None]:
    """Let deployed state machines run."""
    before = default_user_config["stepfunctions"]
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    with (
        patch.object(StateTaskServiceBatch, "_normalise_parameters", _request),
        patch.object(StateTaskServiceBatch, "_normalise_response", _response),
    ):
        try:
            yield
        finally:
            default_user_config["stepfunctions"] = before
