"""What a scenario is written with: ask for a run, start it, disturb it, and look at what a user would see."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.run.layout import DataSetLayout, RunLayout
from core.run.models import Attempt, CommitRecord, Manifest, RoundPlan
from core.run.submission import AskedRun, submission_id
from tests.localcloud.alarms import Mail, Mailbox
from tests.localcloud.cloud import Execution, LocalCloud
from tests.localcloud.jobs import LocalJob
from tests.storage_faults import Rule
from tests.tiny_recordings import SHORT_WINDOWS

RECORDING = "/recordings/.+[0-9][.](csv|vital)"
"""The path of a request for one."""

LONGEST_SECONDS = 240.0
"""The longest that any run here may take on a busy machine; a quiet one takes seconds."""


FORTY = {"folder": "forty", "clinical": "forty-table/clinical_data.csv", "shard_cases": 4}
"""Options for runs over the forty cases."""


def asked(cases: str, folder: str = "vital", clinical: str = "clinical_data.csv", **options: Any) -> AskedRun:
    """Cases in the source bucket, in shards of two and three partitions unless ``options`` say otherwise."""
    return AskedRun(
        source=f"s3://recordings/{folder}",
        workload="vitaldb",
        settings=SHORT_WINDOWS,
        selection={"cases": cases, "clinical": f"s3://recordings/{clinical}"},
        **{"shard_cases": 2, "partitions": 3, **options},
    )


@dataclass
class CloudRun:
    """A run in the local cloud, and everything that it leaves; its executions are named as ``casemill submit`` does."""

    cloud: LocalCloud
    mailbox: Mailbox
    request: AskedRun
    executions: list[str] = field(default_factory=list)
    budgets: list[Decimal] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        return submission_id(self.request)

    @property
    def layout(self) -> RunLayout:
        return RunLayout(self.run_id)

    @property
    def data_set(self) -> DataSetLayout:
        return DataSetLayout.named(self.request.data_set or self.run_id)

    def start(self, budget_usd: float = 20.0) -> CloudRun:
        """Start an execution; returns at once."""
        given = {"run_id": self.run_id, "asked": json.loads(self.request.to_bytes()), "budget_usd": budget_usd}
        self.budgets.append(Decimal(str(budget_usd)))
        self.executions.append(self.cloud.start(given, f"{self.run_id}-{len(self.executions) + 1}"))
        return self

    def wait(self, number: int = 0) -> Execution:
        """The end of an execution, the last one's unless ``number`` (from 1) says another's."""
        return self.cloud.wait(self.executions[number - 1], LONGEST_SECONDS)

    def execute(self, budget_usd: float = 20.0) -> Execution:
        """Start, and wait for the end."""
        return self.start(budget_usd).wait()

    def stop(self, *, with_jobs: bool = True) -> Execution:
        """Stop the last execution as a person would, and wait for its end."""
        self.cloud.stop(self.executions[-1], with_jobs=with_jobs)
        return self.wait()

    @property
    def jobs(self) -> list[LocalJob]:
        """The containers of all rounds: children of arrays, and plain jobs."""
        return self.cloud.machines.of_run(self.run_id)

    def get(self, key: str) -> bytes:
        """An object of the output location."""
        _, _, prefix = self.cloud.outputs["Output"].removeprefix("s3://").partition("/")
        answer = self.cloud.client("s3").get_object(Bucket=self.cloud.outputs["Bucket"], Key=f"{prefix}/{key}")
        return bytes(answer["Body"].read())

    def keys(self, below: str) -> list[str]:
        """The keys below a folder of the output location, in order."""
        _, _, prefix = self.cloud.outputs["Output"].removeprefix("s3://").partition("/")
        pages = (
            self.cloud.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self.cloud.outputs["Bucket"], Prefix=f"{prefix}/{below}/")
        )
        return sorted(item["Key"].removeprefix(f"{prefix}/") for page in pages for item in page.get("Contents", ()))

    def key_pattern(self, below: str = "") -> str:
        """A regular expression for the paths of requests to the run's own documents."""
        return f"/[^/]+/casemill/{self.layout.root}/{below}.*"

    def asks(self, environ: dict[str, Any]) -> bool:
        """Whether a container of this run makes a request; for a rule's ``when``."""
        job = self.cloud.asker(environ)
        return job is not None and job.run_id == self.run_id

    @property
    def is_published(self) -> bool:
        return self.data_set.success in self.keys(self.data_set.root)

    @property
    def root_hash(self) -> str:
        """That of the seal; errors where there is none."""
        return str(json.loads(self.get(self.data_set.success))["root_hash"])

    @property
    def manifest(self) -> Manifest:
        return Manifest.model_validate_json(self.get(self.data_set.manifest))

    @property
    def commits(self) -> dict[str, CommitRecord]:
        """Every commit record by its key."""
        return {key: CommitRecord.model_validate_json(self.get(key)) for key in self.keys(self.layout.commits)}

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt's record, by partition and number."""
        found = [Attempt.model_validate_json(self.get(key)) for key in self.keys(f"{self.layout.root}/attempts")]
        return sorted(found, key=lambda attempt: (attempt.partition, attempt.attempt))

    @property
    def cases_worked(self) -> int:
        """How many times a case was worked, over all attempts; over the cohort's number, work was done twice."""
        return sum(attempt.cases - attempt.restored for attempt in self.attempts)

    @property
    def rounds(self) -> list[RoundPlan]:
        """The partitions of each round."""
        keys = sorted(self.keys(self.layout.rounds), key=lambda key: int(Path(key).stem))
        return [RoundPlan.model_validate_json(self.get(key)) for key in keys]

    @property
    def report(self) -> str:
        """``report.txt``."""
        return self.get(self.layout.report).decode()

    @property
    def quarantine(self) -> dict[str, str]:
        """The reason of each case in ``quarantine.jsonl``."""
        lines = [json.loads(line) for line in self.get(self.layout.quarantine).splitlines()]
        return {line["case_id"]: line["reason"] for line in lines}

    @property
    def cost(self) -> dict[str, Any]:
        """``cost.json``."""
        found: dict[str, Any] = json.loads(self.get(self.layout.cost))
        return found

    def mail(self, number: int = 0) -> Mail:
        """The one mail of an execution, the last one's unless ``number`` (from 1) says another's."""
        name = self.executions[number - 1].rpartition(":")[2]
        [found] = self.mailbox.about(name)
        return found


@contextmanager
def faults(cloud: LocalCloud, *rules: Rule) -> Iterator[None]:
    """These rules as well, until the end of the block; their paths must be those of one run."""
    cloud.faults.rules += rules
    try:
        yield
    finally:
        for rule in rules:
            cloud.faults.rules.remove(rule)


@contextmanager
def on_running(cloud: LocalCloud, tell: Callable[[LocalJob], None]) -> Iterator[None]:
    """Be told of every container that has just started, until the end of the block."""
    cloud.machines.on_running.append(tell)
    try:
        yield
    finally:
        cloud.machines.on_running.remove(tell)


def while_reading(
    run: CloudRun, act: Callable[[LocalJob], None], *, nth: int = 2, when: Callable[[LocalJob], bool] = lambda job: True
) -> Rule:
    """A rule that acts on a job in the middle of a case: while its attempt waits for its ``nth`` recording.

    That reading takes half a second, and the act comes half-way.
    """
    read: Counter[tuple[str, int]] = Counter()

    def hits(environ: dict[str, Any]) -> bool:
        job = run.cloud.asker(environ)
        if job is None or not run.asks(environ) or not when(job):
            return False
        read[job.job_id, job.attempt] += 1
        if read[job.job_id, job.attempt] != nth:
            return False
        threading.Timer(0.25, act, (job,)).start()
        return True

    return Rule("slow", method="GET", path=RECORDING, seconds=0.5, when=hits)


def slow_reading(run: CloudRun, seconds: float) -> Rule:
    """A rule by which every recording of the run takes this long to read."""
    return Rule("slow", method="GET", path=RECORDING, seconds=seconds, when=run.asks)
