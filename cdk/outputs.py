"""The stack's outputs: what the command line reads to find its way."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CfnOutput
from constructs import Construct

OUTPUTS = {
    "Bucket": "The bucket of runs and data sets",
    "Output": "The location of runs and data sets",
    "StateMachine": "The state machine that executes runs",
    "SpotQueue": "The job queue on spot capacity",
    "OnDemandQueue": "The job queue on on-demand capacity",
    "JobDefinition": "The worker's job definition",
    "JobLogGroup": "The log group of the workers",
    "Topic": "The topic that tells of runs",
    "QuarantineQueue": "The queue of cases that could not be used",
    "Stage": "The stage",
    "Budget": "Dollars that a run may cost where nothing else is asked for",
    "Dashboard": "The dashboard",
}
"""Name and meaning; the command line knows the names."""


def write_outputs(scope: Construct, values: Mapping[str, str]) -> None:
    """Make an output of each value; a name that is not in ``OUTPUTS`` raises ``KeyError``."""
    for name, value in values.items():
        CfnOutput(scope, name, value=value, description=OUTPUTS[name])
