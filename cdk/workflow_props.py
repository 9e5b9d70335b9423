"""What the state machine and its functions build upon; apart from the stack, which makes both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import aws_kms as kms

from cdk.compute import Compute
from cdk.monitoring import Monitoring
from cdk.settings import Settings
from cdk.storage import Storage


@dataclass(frozen=True)
class WorkflowProps:
    """The parts of the stack that are there before the workflow."""

    settings: Settings
    storage: Storage
    compute: Compute
    monitoring: Monitoring
    key: kms.IKey | None
    environment: dict[str, str]
    """Of every function."""
    built_functions: Path
    """The folder that holds one folder for each package of functions."""
