"""What a workload takes on the command line: the form in which it declares it, known to both sides."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Protocol

Json = dict[str, Any]


class WorkloadOptions(Protocol):
    """The options of one workload: a frozen dataclass named ``Options`` in the workload's module ``options``.

    Each field is an option with its help (``Annotated[int | None, typer.Option(...)]``) and None where it is not given,
    so that the configuration's own default holds. The module is imported for every ``--help``: nothing heavy in it.
    """

    reads: ClassVar[str]
    """What it reads from the source, in a few words; ``--source`` is then needed. Empty: nothing, and it is refused."""

    def settings(self) -> Json:
        """What was given of the configuration, by the configuration's names."""
        ...

    def selection(self) -> Json:
        """Which cases, complete; locations as :func:`lasting_location` gives them."""
        ...


def given_of(options: Any) -> Json:
    """The options that were given, by their names.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Options:
    ...     samples: int | None = None
    ...     seed: int | None = None
    >>> given_of(Options(samples=8))
    {'samples': 8}
    """
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return {name: value for name, value in values.items() if value is not None}


def lasting_location(location: str) -> str:
    """A location that still means the same file when the run is taken up from another folder."""
    return location if "://" in location else str(Path(location).expanduser().absolute())
