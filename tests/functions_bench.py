"""The functions in this process, over an emulated S3, SNS and SQS; the toy workload does the work between them."""

from __future__ import annotations

import importlib
import io
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from core.cost.prices import PriceBook
from core.run.rounds import RoundDecision
from core.run.submission import submission_id
from core.store import open_store
from core.workloads.registry import build_workload
from handlers import observability
from handlers.aws import clients, prices
from handlers.environment import environment
from tests.cloud_bench import SPOT, CloudBench, asked_toy
from tests.localcloud.alarms import Mailbox, metrics_in_log
from tests.s3_server import S3Server
from tests.toy_workload import build_toy

STAGE = "test"
QUEUES = {"spot": "arn:aws:batch:us-east-1:123456789012:job-queue/spot", "on-demand": "arn:…:job-queue/on-demand"}
DEFINITION = "arn:aws:batch:us-east-1:123456789012:job-definition/worker:7"
SOURCES = ("recordings", "more/recordings")


def build(name: str, settings: dict[str, Any]) -> Any:
    """The toy, beside the real workloads."""
    return build_toy(name, settings) if name == "toy" else build_workload(name, settings)


def toy_prices(per_hour: str = "3600") -> PriceBook:
    """A spot price of one machine since 1970: 3,600 dollars an hour are half a dollar a second for half of it."""
    point = {"since": "1970-01-01T00:00:00Z", "usd_per_hour": per_hour}
    place = {"instance_type": SPOT.instance_type, "zone": SPOT.zone}
    history = {**place, "points": [point], "known_until": "2999-01-01T00:00:00Z", "source": "made up"}
    return PriceBook.model_validate({"spot": [history]})


@dataclass
class FunctionsBench:
    """``call`` invokes a function as Lambda does; ``log`` is what its logger wrote, ``printed`` its metrics' lines."""

    server: S3Server
    monkeypatch: pytest.MonkeyPatch
    settings: dict[str, Any] = field(default_factory=lambda: {"cases": 30, "fault": "content", "fault_case": 5})

    def __post_init__(self) -> None:
        self.bucket = self.server.new_bucket()
        self.output = f"s3://{self.bucket}/casemill"
        self.topic = str(self.aws("sns").create_topic(Name=self.bucket)["TopicArn"])
        self.queue = str(self.aws("sqs").create_queue(QueueName=self.bucket)["QueueUrl"])
        self.mailbox = Mailbox(self.aws("sns"), self.aws("sqs"), self.topic)
        for name, value in {**self.server.environment, **self.variables}.items():
            self.monkeypatch.setenv(name, value)
        for cached in (environment, clients.client):
            cached.cache_clear()
        prices.forget_prices()
        self.monkeypatch.setattr(clients, "ATTEMPTS", 1)
        self.monkeypatch.setattr(clients, "PATIENCE", {})
        self.log = io.StringIO()
        observability.logger.registered_handler.setStream(self.log)
        observability.logger.setLevel("INFO")  # a command that ran in this process before may have silenced it
        for name in ("plan", "publish", "page", "verify"):
            self.monkeypatch.setattr(f"handlers.{name}.build_workload", build)
        self.set_prices(PriceBook())
        self.cloud = CloudBench(asked_toy(self.settings), store=open_store(self.output))
        self.run_id = self.cloud.run_id

    @property
    def variables(self) -> dict[str, str]:
        return {
            "CASEMILL_OUTPUT": self.output,
            "CASEMILL_STAGE": STAGE,
            "CASEMILL_SPOT_QUEUE": QUEUES["spot"],
            "CASEMILL_ON_DEMAND_QUEUE": QUEUES["on-demand"],
            "CASEMILL_JOB_DEFINITION": DEFINITION,
            "CASEMILL_IMAGE": "123456789012.dkr.ecr.us-east-1.amazonaws.com/casemill@sha256:" + "0" * 64,
            "CASEMILL_TOPIC": self.topic,
            "CASEMILL_QUARANTINE_QUEUE": self.queue,
            "CASEMILL_SOURCE_BUCKETS": ",".join(SOURCES),
            "CASEMILL_STORAGE_RETRY_SECONDS": "0",
            "POWERTOOLS_SERVICE_NAME": "casemill-test",
            "POWERTOOLS_METRICS_NAMESPACE": "Casemill",
        }

    @property
    def submission(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "asked": json.loads(self.cloud.asked.to_bytes()), "budget_usd": 20}

    def aws(self, service: str) -> Any:
        """An administrator's client."""
        return boto3.client(
            service, endpoint_url=self.server.endpoint, region_name="us-east-1", aws_access_key_id="test",
            aws_secret_access_key="test",
        )  # fmt: skip

    def call(self, function: str, **event: Any) -> dict[str, Any]:
        """The answer, as it goes over the wire."""
        return self.send(function, event)

    def send(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        handler = importlib.import_module(f"handlers.{function}").handler
        answer = handler(json.loads(json.dumps(event)), SimpleNamespace(aws_request_id="request-1"))
        return dict(json.loads(json.dumps(answer)))

    def set_prices(self, book: PriceBook) -> None:
        self.monkeypatch.setattr("handlers.spending.price_book", lambda *asked, **options: book)

    def plan(self, **changes: Any) -> dict[str, Any]:
        return self.call("plan", execution="first", submission={**self.submission, **changes})

    def inspect(self, tries: int = 0, blocked: bool = False) -> dict[str, Any]:
        return self.call("inspect", run_id=self.run_id, tries=tries, blocked=blocked, execution="first")

    def work(self, found: dict[str, Any]) -> None:
        """What AWS Batch does with a round."""
        self.cloud.array(RoundDecision.model_validate({key: found[key] for key in RoundDecision.model_fields}))

    def verified(self) -> FunctionsBench:
        """Planned, worked and verified, not published."""
        self.plan()
        self.work(self.inspect())
        found = self.inspect(1)
        assert found["action"] == "verify"
        for group in found["groups"]:
            assert self.call("verify", run_id=self.run_id, group=group)["problems"] == 0
        return self

    def publish(self, execution: str = "first", **event: Any) -> dict[str, Any]:
        return self.call("publish", execution=execution, submission=self.submission, **event)

    def notify(self, execution: str = "first", **event: Any) -> dict[str, Any]:
        return self.call("notify", execution=execution, submission=self.submission, **event)

    def end_event(self, status: str, execution: str = "first", **detail: Any) -> dict[str, Any]:
        """What EventBridge sends at an execution's end (Step Functions guide, "Execution Status Change")."""
        machine = "arn:aws:states:us-east-1:123456789012:stateMachine:workflow"
        return {
            "version": "0",
            "id": "315c1398-40ff-a850-213b-158f73e60175",
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": "123456789012",
            "time": "2026-02-26T19:42:21Z",
            "region": "us-east-1",
            "resources": [f"{machine.replace('stateMachine', 'execution')}:{execution}"],
            "detail": {
                "executionArn": f"{machine.replace('stateMachine', 'execution')}:{execution}",
                "stateMachineArn": machine,
                "name": execution,
                "status": status,
                "startDate": 1_772_000_000_000,
                "stopDate": 1_772_000_100_000,
                "input": json.dumps(self.submission),
                "inputDetails": {"included": True},
                "output": None,
                "outputDetails": None,
                "error": None,
                "cause": None,
                **detail,
            },
        }

    def messages(self) -> list[dict[str, Any]]:
        """The quarantined cases that wait in the queue."""
        found = self.aws("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


def figures(printed: str) -> dict[str, float]:
    """Metric values by their name; the last where there are several."""
    return {found["MetricName"]: found["Value"] for found in metrics_in_log(printed)}


def stub(service: str, region: str | None = None) -> Stubber:
    """For the functions' own client, within ``with``: botocore checks questions and answers by the service's model."""
    # The functions keep their clients by exactly these arguments.
    return Stubber(clients.client(service) if region is None else clients.client(service, region))


def other_run(bench: FunctionsBench, **options: Any) -> dict[str, Any]:
    """A submission of another request."""
    asked = asked_toy(bench.settings, **options)
    return {"run_id": submission_id(asked), "asked": json.loads(asked.to_bytes())}
