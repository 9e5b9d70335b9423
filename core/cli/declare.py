"""Commands whose parameters are put together from several places."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence


def declared(command: Callable[..., int], parameters: Sequence[inspect.Parameter]) -> Callable[..., int]:
    """The command as Typer is to see it, with these parameters: it asks for the signature and the annotations."""
    command.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": int}
    return command
