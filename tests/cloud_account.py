"""An emulated account with a stack as the command line finds it; nothing of it is executed."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import boto3

from core.store import Store, open_store
from tests.s3_server import S3Server, s3_server
from tests.storage_faults import Rule

REGION = "us-east-1"
_DEFINITION = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
_ROLE = "arn:aws:iam::123456789012:role/state-machine"


@dataclass
class CloudAccount:
    """``outputs`` are those of the stack ``Casemill``; ``names`` of streams are made as the containers' are."""

    server: S3Server
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return self.server.environment

    def client(self, service: str) -> Any:
        return boto3.Session().client(
            service, endpoint_url=self.server.endpoint, region_name=REGION,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def store(self) -> Store:
        """The output location; the environment must be that of the account."""
        return open_store(self.outputs["Output"])

    def record(self, bucket: str, folder: str, cases: int = 30) -> None:
        """Recordings that nobody reads, and their clinical table, as ``clinical.csv`` beside the folder."""
        client = self.client("s3")
        client.create_bucket(Bucket=bucket)
        for number in range(1, cases + 1):
            client.put_object(Bucket=bucket, Key=f"{folder}/{number:04d}.vital", Body=b"a recording")
        rows = [f"{number},{number},60,F,165,70,26,2" for number in range(1, cases + 1)]
        table = "\n".join(["caseid,subjectid,age,sex,height,weight,bmi,asa", *rows])
        client.put_object(Bucket=bucket, Key="clinical.csv", Body=table.encode())

    def executions(self) -> list[dict[str, Any]]:
        client = self.client("stepfunctions")
        found = client.list_executions(stateMachineArn=self.outputs["StateMachine"])["executions"]
        return [client.describe_execution(executionArn=item["executionArn"]) for item in found]

    def start(self, name: str, **given: Any) -> str:
        arn: str = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["StateMachine"], name=name, input=json.dumps(given)
        )["executionArn"]
        return arn

    def stop_all(self) -> None:
        client = self.client("stepfunctions")
        for item in self.executions():
            if item["status"] == "RUNNING":
                client.stop_execution(executionArn=item["executionArn"], error="Stopped", cause="test")

    def say(self, group: str, stream: str, *lines: dict[str, Any] | str, at: float | None = None) -> None:
        """Write lines into a stream, a millisecond apart."""
        client = self.client("logs")
        with suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        first = round((at or time.time()) * 1000)
        events = [
            {"timestamp": first + number, "message": line if isinstance(line, str) else json.dumps(line)}
            for number, line in enumerate(lines)
        ]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def quarantined(self, *bodies: str) -> None:
        for body in bodies:
            self.client("sqs").send_message(QueueUrl=self.outputs["QuarantineQueue"], MessageBody=body)

    def empty_queue(self) -> None:
        client, queue = self.client("sqs"), self.outputs["QuarantineQueue"]
        while found := client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def waiting(self) -> int:
        """Messages that anybody could receive now."""
        wanted = ["ApproximateNumberOfMessages"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=self.outputs["QuarantineQueue"], AttributeNames=wanted)
        return int(found["Attributes"][wanted[0]])

    def fail(self, *rules: Rule) -> None:
        self.server.faults.reset(*rules)


def service(name: str) -> Any:
    """A rule's condition: requests to one service of AWS."""
    return lambda environ: f"/{REGION}/{name}/" in environ.get("HTTP_AUTHORIZATION", "")


@contextmanager
def cloud_account(name: str = "Casemill") -> Iterator[CloudAccount]:
    """An account with the stack deployed."""
    with s3_server() as server:
        account = CloudAccount(server)
        machine = account.client("stepfunctions").create_state_machine(
            name="casemill", definition=json.dumps(_DEFINITION), roleArn=_ROLE
        )["stateMachineArn"]
        fixed = {
            "Output": f"s3://{server.new_bucket()}/casemill",
            "StateMachine": machine,
            "SpotQueue": "arn:aws:batch:us-east-1:123456789012:job-queue/spot",
            "OnDemandQueue": "arn:aws:batch:us-east-1:123456789012:job-queue/on-demand",
            "Stage": "test",
            "Budget": "12.5",
        }
        template = {
            "Resources": {
                "Queue": {"Type": "AWS::SQS::Queue"},
                "ComputeJobLogs": {"Type": "AWS::Logs::LogGroup"},
                "WorkflowPlanFunctionLogs12AB34CD": {"Type": "AWS::Logs::LogGroup"},
            },
            "Outputs": {
                **{key: {"Value": value} for key, value in fixed.items()},
                "QuarantineQueue": {"Value": {"Ref": "Queue"}},
                "JobLogGroup": {"Value": {"Ref": "ComputeJobLogs"}},
            },
        }
        stacks = account.client("cloudformation")
        stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
        other = {"Resources": {"Queue": template["Resources"]["Queue"]}}
        stacks.create_stack(StackName="Other", TemplateBody=json.dumps(other))
        described = stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
        account.outputs = {output["OutputKey"]: output["OutputValue"] for output in described}
        try:
            yield account
        finally:
            # The emulator's state belongs to the process, not to its server.
            request = urllib.request.Request(f"{server.endpoint}/moto-api/reset", method="POST")
            urllib.request.urlopen(request, timeout=30).close()
