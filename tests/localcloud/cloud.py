"""The local cloud: an emulator in this process, the synthesised templates, functions and containers as processes."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from tests.image_stand_in import StandIn, image_stand_in
from tests.localcloud.alarms import Mailbox, evaluate_alarms, put_metrics
from tests.localcloud.assets import Packages, upload_assets
from tests.localcloud.batch import batch_on
from tests.localcloud.cfn import BATCH_SERVICE_ROLE, own_types
from tests.localcloud.clients import clients_one_at_a_time
from tests.localcloud.iam import GuardedApplication, Permissions, check_role_policies
from tests.localcloud.jobs import LocalJob, Machines
from tests.localcloud.lambdas import Functions, lambda_on, lay_out_runtime
from tests.localcloud.launcher import Launcher
from tests.localcloud.limits import LimitedApplication, check_history, check_template, check_variables
from tests.localcloud.prices import with_prices
from tests.localcloud.sfn import step_functions_executing
from tests.localcloud.updates import updates_in_order
from tests.metadata_service import SPOT_INSTANCE, metadata_service
from tests.storage_faults import FaultyApplication

ACCOUNT, REGION = "123456789012", "us-east-1"
ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True)
class Execution:
    """How an execution of the state machine ended."""

    arn: str
    status: str
    output: dict[str, Any] | None
    error: str
    cause: str

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]


@dataclass
class LocalCloud:
    """A running local cloud; ``outputs`` are those of the deployed stack.

    ``askers`` are the jobs' ids by the access key of their containers.
    """

    endpoint: str
    machines: Machines
    functions: Functions
    permissions: Permissions
    faults: FaultyApplication
    scratch: Path
    image: StandIn
    outputs: dict[str, str] = field(default_factory=dict)
    askers: dict[str, str] = field(default_factory=dict)
    _log_groups: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """An administrator's client."""
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION,
            aws_access_key_id="admin", aws_secret_access_key="admin",
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """What a person's own commands need to use this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "admin",
            "AWS_SECRET_ACCESS_KEY": "admin",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_CONFIG_FILE": "/nonexistent",
        }

    def deploy(self, assembly: Path, stack: str) -> dict[str, str]:
        """Create or update a stack from a cloud assembly, its template unmodified; gives its outputs.

        Raises
        ------
        RuntimeError
            The stack could not be made.
        """
        upload_assets(self.client("s3"), ASSETS, assembly, stack)
        cloudformation = self.client("cloudformation")
        template = (assembly / f"{stack}.template.json").read_text()
        check_template(template, len(json.loads(template)["Resources"]))
        arguments = {
            "StackName": stack, "TemplateBody": template,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }  # fmt: skip
        known = {found["StackName"] for found in cloudformation.describe_stacks()["Stacks"]}
        (cloudformation.update_stack if stack in known else cloudformation.create_stack)(**arguments)
        return self.adopt(stack)

    def adopt(self, stack: str) -> dict[str, str]:
        """Take a stack that was just deployed, by whatever tool, for the one of this cloud; gives its outputs.

        Raises
        ------
        RuntimeError
            The stack could not be made.
        LimitError
            AWS would not have made it.
        """
        cloudformation = self.client("cloudformation")
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if not found["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in found["StackStatus"]:
            raise RuntimeError(f"{stack}: {found['StackStatus']} {found.get('StackStatusReason', '')}")
        template = cloudformation.get_template(StackName=stack)["TemplateBody"]
        self.permissions.forget_policies()
        self._log_groups = self._groups_of_functions(stack, template)
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        check_role_policies(self.client("iam"))
        for page in self.client("lambda").get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                check_variables(function["FunctionName"], function.get("Environment", {}).get("Variables", {}))
        return self.outputs

    def function(self, handler: str) -> LambdaFunction:
        """The emulator's function of a handler, for instance ``handlers.plan.handler``."""
        functions = lambda_backends[ACCOUNT][REGION].list_functions()
        [found] = [function for function in functions if function.handler == handler]
        return found

    def upload(self, bucket: str, below: str, files: Path) -> None:
        """Put a file, or every file of a folder, into a bucket."""
        client = self.client("s3")
        for path in sorted(files.iterdir()) if files.is_dir() else [files]:
            client.put_object(Bucket=bucket, Key=f"{below}/{path.name}".lstrip("/"), Body=path.read_bytes())

    def start(self, submission: dict[str, Any], name: str) -> str:
        """Start the deployed state machine; gives the execution's ARN."""
        text = json.dumps(submission)
        client = self.client("stepfunctions")
        return str(
            client.start_execution(stateMachineArn=self.outputs["StateMachine"], name=name, input=text)["executionArn"]
        )

    def wait(self, arn: str, seconds: float = 120.0) -> Execution:
        """Wait for the end, and deliver the event that EventBridge would.

        Raises
        ------
        TimeoutError
            It goes on.
        LimitError
            A state or the history is larger than AWS allows.
        """
        client = self.client("stepfunctions")
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            found = client.describe_execution(executionArn=arn)
            if found["status"] in FINISHED:
                check_history(arn, self.history(arn))
                self.deliver(found)
                output = json.loads(found["output"]) if found.get("output") else None
                return Execution(arn, found["status"], output, found.get("error", ""), found.get("cause", ""))
            time.sleep(0.05)
        raise TimeoutError(f"{arn} goes on after {seconds} s: {self.history(arn)[-3:]}")

    def run(self, submission: dict[str, Any], name: str, seconds: float = 120.0) -> Execution:
        """Start, and wait for the end."""
        return self.wait(self.start(submission, name), seconds)

    def stop(self, arn: str, *, with_jobs: bool = True) -> None:
        """Stop an execution as a person would; a .sync task's job ends with it, as on AWS, which may not come to it."""
        _stop(self.client("stepfunctions"), arn)
        if with_jobs:
            self.end_jobs(arn)

    def stop_executions(self) -> None:
        """Stop what runs, without a word to anybody."""
        client = self.client("stepfunctions")
        for machine in client.list_state_machines()["stateMachines"]:
            asked = {"stateMachineArn": machine["stateMachineArn"], "statusFilter": "RUNNING"}
            for execution in client.list_executions(**asked)["executions"]:
                _stop(client, execution["executionArn"])

    def end_jobs(self, arn: str) -> None:
        """End the jobs of an execution that was stopped."""
        client = self.client("stepfunctions")
        run_id = json.loads(client.describe_execution(executionArn=arn)["input"])["run_id"]
        for job in self.machines.of_run(run_id):
            job.terminate("the execution was stopped")

    def asker(self, environ: dict[str, Any]) -> LocalJob | None:
        """The job whose container makes a request: for rules of faults that look at who asks."""
        found = re.search("Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        job_id = self.askers.get(found[1]) if found else None
        return next((job for job in self.machines.jobs if job.job_id == job_id), None)

    def history(self, arn: str) -> list[dict[str, Any]]:
        """The events of an execution."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def mailbox(self) -> Mailbox:
        """Everything that the stack's topic sends from now on."""
        return Mailbox(self.client("sns"), self.client("sqs"), self.outputs["Topic"])

    def evaluate_alarms(self) -> list[str]:
        """Look at every alarm once; gives the names of those that were raised."""
        return evaluate_alarms(self.client("cloudwatch"), self.client("sns"))

    def keep_log(self, function: str, text: str) -> None:
        """What a function printed: into its log group, as the template says, and its figures into the metrics."""
        put_metrics(self.client("cloudwatch"), text)
        group, logs = self._log_groups.get(function), self.client("logs")
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in text.splitlines() if line]
        if group and events:
            stream = f"{time.time_ns()}"
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def _groups_of_functions(self, stack: str, template: dict[str, Any]) -> dict[str, str]:
        """The emulator drops a function's logging configuration."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        names = {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for page in pages
            for item in page["StackResourceSummaries"]
        }
        return {
            names[logical]: names[resource["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]]
            for logical, resource in template["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Function" and "LoggingConfig" in resource["Properties"]
        }

    def deliver(self, execution: dict[str, Any]) -> None:
        """Call the functions of the rules that match an execution's end."""
        event = {
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "region": REGION,
            "account": ACCOUNT,
            "detail": {
                "executionArn": execution["executionArn"],
                "stateMachineArn": execution["stateMachineArn"],
                "name": execution["name"],
                "status": execution["status"],
                "input": execution.get("input"),
                "output": execution.get("output"),
                "error": execution.get("error"),
                "cause": execution.get("cause"),
            },
        }
        events = self.client("events")
        for rule in events.list_rules()["Rules"]:
            if rule["State"] == "ENABLED" and matches(json.loads(rule.get("EventPattern") or "{}"), event):
                for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                    if ":function:" in target["Arn"]:
                        self.client("lambda").invoke(FunctionName=target["Arn"], Payload=json.dumps(event).encode())


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether an event fits a rule's pattern of exact values.

    >>> matches({"detail": {"status": ["FAILED", "ABORTED"]}}, {"detail": {"status": "ABORTED"}})
    True
    """
    if not pattern:
        return False
    return all(
        matches(wanted, event.get(name) or {}) if isinstance(wanted, dict) else event.get(name) in wanted
        for name, wanted in pattern.items()
    )


def _bootstrap(cloud: LocalCloud) -> None:
    """What ``cdk bootstrap`` leaves, as far as the templates look at it."""
    cloud.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="27", Type="String")
    cloud.client("s3").create_bucket(Bucket=ASSETS)


def _make_batch_role(cloud: LocalCloud) -> None:
    """AWS Batch's own role, which every account has."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "batch.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    cloud.client("iam").create_role(
        RoleName=BATCH_SERVICE_ROLE.rpartition("/")[2], AssumeRolePolicyDocument=json.dumps(trust)
    )


def _stop(client: Any, arn: str) -> None:
    """Stop an execution; the emulator's interpreter begins in a thread, and breaks where that has not begun."""
    ends_at = time.monotonic() + 10
    while True:
        try:
            client.stop_execution(executionArn=arn, error="Stopped", cause="by a person")
            return
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 500 or time.monotonic() > ends_at:
                raise
            time.sleep(0.05)


@contextmanager
def local_cloud(
    scratch: Path,
    slots: int = 2,
    grace_seconds: float = 5.0,
    *,
    image: StandIn | None = None,
    port: int = 0,
    bootstrapped: bool = True,
) -> Iterator[LocalCloud]:
    """Start everything but the stack; at the end nothing is left, neither process nor state.

    Without an ``image`` one is built. ``port`` is that of the endpoint (0: a free one); an account that is not
    ``bootstrapped`` is for the CDK's own tool.
    """
    with ExitStack() as stack:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        server.start()
        stack.callback(server.stop)
        # Last of all but the server: until its processes have ended, their logs need their groups.
        stack.callback(moto_api_backend.reset)
        _, port = server.get_host_and_port()
        endpoint = f"http://127.0.0.1:{port}"
        before = os.environ.get("MOTO_PORT")
        os.environ["MOTO_PORT"] = str(port)  # the interpreter's inner clients ask for it
        stack.callback(lambda: os.environ.pop("MOTO_PORT") if before is None else os.environ.update(MOTO_PORT=before))
        listener = server._server
        assert listener is not None
        listener.RequestHandlerClass.log = lambda *arguments: None  # type: ignore[method-assign]
        permissions = Permissions(endpoint)
        application = LimitedApplication(with_prices(listener.app))
        faults = FaultyApplication(GuardedApplication(application, permissions))
        listener.app = faults

        image = image or stack.enter_context(image_stand_in())
        spot, on_demand = stack.enter_context(metadata_service()), stack.enter_context(metadata_service())
        on_demand.values = {**SPOT_INSTANCE, "instance-life-cycle": "on-demand"}
        base = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        launcher = Launcher(image, base, permissions, spot, on_demand)
        machines = Machines(launcher, spot.announced.add, slots, grace_seconds)

        runtime = scratch / "lambda-runtime"
        runtime.mkdir()
        functions = Functions(
            lay_out_runtime(runtime),
            lambda role: {**base, **permissions.credentials(role)},
            Packages(scratch).of,
        )
        stack.enter_context(clients_one_at_a_time())
        stack.enter_context(step_functions_executing(permissions.credentials))
        stack.enter_context(batch_on(machines))
        stack.enter_context(lambda_on(functions))
        stack.enter_context(own_types(endpoint))
        stack.enter_context(updates_in_order())
        # What the emulator knows is the process's: an earlier cloud, or another test's bucket, is forgotten.
        moto_api_backend.reset()
        cloud = LocalCloud(endpoint, machines, functions, permissions, faults, scratch, image, askers=launcher.askers)
        functions.on_log = cloud.keep_log
        _make_batch_role(cloud)
        if bootstrapped:
            _bootstrap(cloud)
        # First of all: an execution that goes on would start new processes.
        stack.callback(cloud.stop_executions)
        yield cloud
