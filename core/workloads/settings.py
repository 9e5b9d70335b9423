"""Settings as a user gives them, held against a workload's own model: the same words for every workload."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.errors import BadRequestError

Settings = TypeVar("Settings", bound=BaseModel)


def checked_settings(model: type[Settings], given: dict[str, Any], documentation: str) -> Settings:
    """The settings, checked and completed.

    Raises
    ------
    BadRequestError
        ``bad_setting``: an unknown setting or a value out of its bounds; names the first.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "configuration"
        raise BadRequestError("bad_setting", first["msg"], where=name, fix=f"See {documentation}.") from error
