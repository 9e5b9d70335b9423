"""Settings as a user gives them, held against a workload's own model: the same words for every workload."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.errors import BadRequestError
from core.wrong_values import place_of, what_of

Settings = TypeVar("Settings", bound=BaseModel)


def checked_settings(model: type[Settings], given: dict[str, Any], documentation: str) -> Settings:
    """The settings, checked and completed.

    Raises
    ------
    BadRequestError
        ``bad_setting``: an unknown setting or a value out of its bounds; names the first.
    """
    for name, value in given.items():
        field = model.model_fields.get(name)
        if isinstance(value, bool) and field is not None and field.annotation in (int, float):
            # pydantic takes true for 1: one sample, where thousands were meant.
            raise BadRequestError("bad_setting", f"{value} is no number", where=name, fix=f"See {documentation}.")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = place_of(first) or "configuration"
        fix = f"See {documentation}."
        if first["type"] == "extra_forbidden":
            near = get_close_matches(name, model.model_fields, n=1)
            what, fix = "there is no such setting", f"Did you mean {near[0]}? {fix}" if near else fix
        else:
            what = what_of(first)
        raise BadRequestError("bad_setting", what, where=name, fix=fix) from error
