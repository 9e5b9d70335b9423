"""How the help of every command shows its options: in which group, and what their values are called.

In one table, not beside each option: the same option looks the same in every command, those of other packages too. What
workloads bring has its words beside it, and the workload's own group.
"""

from __future__ import annotations

from typing import Any

DATA_SET = "Data set"
MACHINE, MONEY, CLOUD = "How it runs", "Time and money", "In the cloud"

SHOWN: dict[str, tuple[str | None, str | None]] = {
    "source": (None, "LOCATION"),
    "out": (None, "LOCATION"),
    "run": (None, "RUN"),
    "runs": (None, "RUN"),
    "data_set": (None, "DATA_SET"),
    "name": (DATA_SET, "NAME"),
    "salt": (DATA_SET, "TEXT"),
    "split_from": (DATA_SET, "LOCATION"),
    "shard_cases": (DATA_SET, "N"),
    "success_threshold": (DATA_SET, "SHARE"),
    "gzip": (DATA_SET, None),
    "workload": (None, "NAME"),
    "set": (None, "NAME=VALUE"),
    "source_licence": (DATA_SET, "LICENCE"),
    "workers": (MACHINE, "N"),
    "checkpoint_seconds": (MACHINE, "SECONDS"),
    "largest_case_bytes": (MACHINE, "BYTES"),
    "grid_cache": (MACHINE, "LOCATION"),
    "memory_limit_mb": (MACHINE, "MB"),
    "time_limit": (MACHINE, "SECONDS"),
    "share": (MACHINE, "SHARE"),
    "seed": (None, "N"),
    "array": (MONEY, "N"),
    "price_per_hour": (MONEY, "DOLLARS"),
    "prices": (MONEY, "LOCATION"),
    "capacity": (MONEY, None),
    "instance_type": (MONEY, "TYPE"),
    "zone": (MONEY, "ZONE"),
    "vcpus": (MONEY, "N"),
    "times": (MONEY, "FILE"),
    "budget": (MONEY, "DOLLARS"),
    "array_width": (CLOUD, "N"),
    "stack": (CLOUD, "NAME"),
    "aws_profile": (CLOUD, "NAME"),
    "region": (CLOUD, "REGION"),
    "wait": (CLOUD, None),
    "case": (None, "CASE"),
    "machine": (None, "TEXT"),
    "date": (None, "DATE"),
    "made_by": (None, "TEXT"),
    "layouts": (None, "FILE"),
}
"""Group (None: the general one, which comes first) and word for the value, by the parameter's name."""

FEW = 7
"""A command with fewer options has one group."""


def arrange(command: Any) -> Any:
    """Give a command's parameters their groups and words; those that the table does not know stay as they are."""
    parameters = getattr(command, "params", [])
    grouped = len(parameters) >= FEW
    for parameter in parameters:
        panel, word = SHOWN.get(parameter.name, (None, None))
        if word and parameter.metavar is None:
            parameter.metavar = word
        if grouped and panel and not getattr(parameter, "rich_help_panel", None):
            parameter.rich_help_panel = panel
    return command
