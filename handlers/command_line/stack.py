"""The deployed stack as the command line finds it: by its CloudFormation outputs (``cdk/outputs.py``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from core.errors import BadRequestError
from core.run.submission import DEFAULT_BUDGET_USD
from core.store import Store
from handlers.aws.clients import client
from handlers.command_line.account import Account, asking

NEEDED = ("Output", "StateMachine", "SpotQueue", "OnDemandQueue", "JobLogGroup", "QuarantineQueue", "Stage")
_PLAN = re.compile(r"^WorkflowPlanFunction[0-9A-F]+$")
_FUNCTION_LOG = re.compile(r"^Workflow([A-Z][A-Za-z]*?)FunctionLogs[0-9A-F]*$")


@dataclass(frozen=True)
class DeployedStack:
    """Where everything of one stage is; queues, machine and log group by the ids that their services take."""

    name: str
    account: Account
    output: str
    machine: str
    spot_queue: str
    on_demand_queue: str
    job_log_group: str
    quarantine_queue: str
    stage: str
    budget_usd: float
    job_definition: str = ""
    topic: str = ""
    """Both empty for a stack that was deployed before it had these outputs."""

    @property
    def region(self) -> str:
        """The stack's region."""
        return self.account.region

    @property
    def queues(self) -> tuple[str, str]:
        """Every queue that a round may be on."""
        return self.spot_queue, self.on_demand_queue

    def open_output(self, opened: Store | None = None) -> Store:
        """Runs and data sets; ``opened`` as :meth:`~handlers.command_line.account.Account.open_output`."""
        return self.account.open_output(self.output, opened)

    def function_logs(self) -> dict[str, str]:
        """The log group of each function of the workflow, by its name."""
        found: dict[str, str] = {}
        for resource in self._resources("AWS::Logs::LogGroup"):
            named = _FUNCTION_LOG.match(resource["LogicalResourceId"])
            if named:
                found[named[1].lower()] = resource["PhysicalResourceId"]
        return dict(sorted(found.items()))

    def plan_function(self) -> str | None:
        """The name of the function that plans; None where the stack has none."""
        found = self._resources("AWS::Lambda::Function")
        return next((item["PhysicalResourceId"] for item in found if _PLAN.match(item["LogicalResourceId"])), None)

    def _resources(self, kind: str) -> list[dict[str, Any]]:
        with asking("ListStackResources", f"stack {self.name}"):
            pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
            return [item for page in pages for item in page["StackResourceSummaries"] if item["ResourceType"] == kind]


def find_stack(account: Account, name: str) -> DeployedStack:
    """The stack of that name in the account's region.

    Raises
    ------
    BadRequestError
        ``no_stack``; ``bad_stack``: it lacks outputs, so it is no stack of Casemill's or was never deployed to its end.
    """
    where = f"stack {name} in {account.region}"
    with asking("DescribeStacks", where):
        outputs = _outputs(name, where)
    missing = [key for key in NEEDED if not outputs.get(key)]
    if missing:
        raise BadRequestError(
            "bad_stack", f"the stack has no output {', '.join(missing)}", where=where,
            fix="Deploy it (cdk deploy), or give the name of another one with --stack.",
        )  # fmt: skip
    return DeployedStack(
        name=name,
        account=account,
        output=outputs["Output"],
        machine=outputs["StateMachine"],
        spot_queue=outputs["SpotQueue"],
        on_demand_queue=outputs["OnDemandQueue"],
        job_log_group=outputs["JobLogGroup"],
        quarantine_queue=outputs["QuarantineQueue"],
        stage=outputs["Stage"],
        budget_usd=_budget(outputs.get("Budget"), where),
        job_definition=outputs.get("JobDefinition", ""),
        topic=outputs.get("Topic", ""),
    )


def _outputs(name: str, where: str) -> dict[str, str]:
    try:
        described: Any = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        refusal = error.response.get("Error", {})
        if refusal.get("Code") == "ValidationError" and "does not exist" in str(refusal.get("Message")):
            raise BadRequestError(
                "no_stack", "there is no such stack", where=where, fix="Give --stack, --region or --aws-profile."
            ) from None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}


def _budget(text: str | None, where: str) -> float:
    """Dollars; the submission's own default for a stack that was deployed before it had this output."""
    if text is None:
        return DEFAULT_BUDGET_USD
    try:
        return float(text)
    except ValueError:
        raise BadRequestError("bad_stack", "its output Budget is no number", where=where, fix="Deploy it.") from None
