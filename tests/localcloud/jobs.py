"""Jobs of AWS Batch as real processes: attempts, retry rules, queues that are blocked, machines that are taken away.

The words of status reasons and the order of the rules are AWS's documented ones (notes: not checked there).
"""

from __future__ import annotations

import fnmatch
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.batch.models import Job

TERMINAL = ("SUCCEEDED", "FAILED")
STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", *TERMINAL)
HOST_LOST = "Host EC2 (instance i-0123456789abcdef0) terminated."
CAPACITY_REASON = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"


@dataclass(frozen=True)
class Container:
    """What a process is started from: the variables that Batch gives it, the ARN of its role, and its machine."""

    environment: dict[str, str]
    role: str
    spot: bool
    host: str


@dataclass
class Machines:
    """The machines behind the queues: at most ``slots`` containers run at once; ``launch`` starts one.

    ``announce`` puts the spot notice on a host. ``on_running`` are told of every container that has just started.
    ``blocked`` are the queues (their ARN) that get no machine; a job there is cancelled after ``blocked_seconds``, as
    the queue's job state time limit does.
    """

    launch: Callable[[Container], subprocess.Popen[bytes]]
    announce: Callable[[str], None] = lambda host: None
    slots: int = 2
    grace_seconds: float = 30.0
    blocked_seconds: float = 0.5
    blocked: set[str] = field(default_factory=set)
    on_running: list[Callable[[LocalJob], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free = threading.Semaphore(self.slots)
        self.jobs: list[LocalJob] = []

    def running(self) -> list[LocalJob]:
        """The containers that run at this moment."""
        return [job for job in self.jobs if job.process is not None]

    def of_run(self, run_id: str) -> list[LocalJob]:
        """A run's containers of all rounds, in the order of their submission."""
        return [job for job in list(self.jobs) if job.run_id == run_id]

    def stop_all(self) -> None:
        """Kill everything; for the end of a test run."""
        for job in self.jobs:
            job.stop = True
            job.signal(signal.SIGKILL)
        for job in self.jobs:
            if job.is_alive():
                job.join(10)


@dataclass(frozen=True)
class Ending:
    """How an attempt ended, in Batch's words; a lost host leaves no exit code."""

    exit_code: int | None
    status_reason: str
    reason: str | None = None


class LocalJob(Job):
    """A job, a child of an array, or an array's parent (which has no process)."""

    machines: Machines
    retry: dict[str, Any]
    index: int | None = None
    children: tuple[LocalJob, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    lost: bool = False
    grace_seconds: float = 0.0
    _local_status: str = "SUBMITTED"

    @property
    def status(self) -> str:
        """The state; a parent's follows from its children's."""
        if not self.children:
            return self._local_status
        states = {child.status for child in self.children}
        if not states <= set(TERMINAL):
            return "PENDING"
        return "FAILED" if "FAILED" in states else "SUCCEEDED"

    @status.setter
    def status(self, value: str) -> None:
        self._local_status = value

    @property
    def run_id(self) -> str:
        """The run that it works for."""
        pairs = self.container_overrides.get("environment", [])
        return next((str(pair["value"]) for pair in pairs if pair["name"] == "CASEMILL_RUN"), "")

    @property
    def on_spot(self) -> bool:
        """Whether its queue is the one of spot machines."""
        return "spot" in self._environment_name.lower()

    @property
    def host(self) -> str:
        """The machine of the attempt in hand: each has one of its own."""
        return f"{self.job_id.replace(':', '-')}-{self.attempt}"

    @property
    def attempt(self) -> int:
        """The number of the attempt in hand, from 1."""
        return len(self.attempts) + 1

    def run(self) -> None:
        """Work the attempts that the retry strategy allows."""
        while True:
            self.status = "RUNNABLE"
            if not self._wait_for_machine():
                self._end(self.job_stopped_reason or "terminated", None)
                return
            try:
                ending = self._attempt()
            finally:
                self.machines.free.release()
            if ending.exit_code == 0:
                self._end(ending.status_reason, 0)
                return
            if self.stop or self._timed_out or not self._is_retried(ending):
                self._end(self.job_stopped_reason or ending.status_reason, ending.exit_code)
                return

    def terminate(self, reason: str) -> None:
        """As TerminateJob; a parent terminates its children."""
        for job in self.children or (self,):
            if job.status not in TERMINAL and not job.stop:
                job.stop, job.job_stopped_reason = True, reason
                job.signal(signal.SIGTERM)

    def reclaim(self, grace_seconds: float | None = None) -> None:
        """The machine is taken away: a notice, SIGTERM, SIGKILL after the grace; who ends politely leaves a code."""
        self.grace_seconds = self.machines.grace_seconds if grace_seconds is None else grace_seconds
        self.lost = True
        self.machines.announce(self.host)
        self.signal(signal.SIGTERM)

    def lose(self) -> None:
        """The machine is gone without a word."""
        self.lost = True
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal to the container's processes, if it runs."""
        process = self.process
        if process is not None and process.poll() is None:
            os.killpg(process.pid, number)

    def describe_short(self) -> dict[str, Any]:
        found = super().describe_short()
        found["status"] = self.status
        if self.children:
            found["arrayProperties"] = {"size": len(self.children)}
            if self.status == "FAILED":
                found["statusReason"] = "Array Child Job failed"
        elif self.index is not None:
            found["arrayProperties"] = {"index": self.index}
        return found

    def describe(self) -> dict[str, Any]:
        found = super().describe()
        found.update(self.describe_short())
        found["retryStrategy"] = self.retry
        if self.children:
            summary = dict.fromkeys(STATUSES, 0)
            for child in self.children:
                summary[child.status] += 1
            found["arrayProperties"] = {"size": len(self.children), "statusSummary": summary}
        return found

    def _wait_for_machine(self) -> bool:
        waiting_since = time.monotonic()
        while not self.stop:
            if self.job_queue.arn in self.machines.blocked:
                if time.monotonic() - waiting_since > self.machines.blocked_seconds:
                    self.job_stopped_reason = CAPACITY_REASON
                    return False
                time.sleep(0.02)
            elif self.machines.free.acquire(timeout=0.05):
                if not self.stop:
                    return True
                self.machines.free.release()
        return False

    def _attempt(self) -> Ending:
        self.status = "STARTING"
        self.lost = self._timed_out = False
        self.grace_seconds = self.machines.grace_seconds
        self.job_started_at = datetime.now()
        self.log_stream_name = f"{self._stream_name}-{self.attempt}"
        container = self._container()
        process = self.machines.launch(container)
        reader = threading.Thread(target=self._keep_log, args=(process,), daemon=True)
        reader.start()
        self.process, self.status = process, "RUNNING"
        for tell in list(self.machines.on_running):
            tell(self)
        exit_code = self._wait_for_end(process)
        reader.join(5)
        self.process = None
        ending = self._ending(exit_code)
        self._record(ending)
        return ending

    def _wait_for_end(self, process: subprocess.Popen[bytes]) -> int:
        """The exit code, negative for a signal; the time limit of the attempt and the grace are kept here."""
        limit = (self.timeout or self.job_definition.timeout or {}).get("attemptDurationSeconds")
        ends_at = time.monotonic() + limit if limit else float("inf")
        killed_at = float("inf")
        while (exit_code := process.poll()) is None:
            now = time.monotonic()
            if now >= ends_at and not self._timed_out:
                self._timed_out = True
                self.signal(signal.SIGTERM)
            if (self.lost or self.stop or self._timed_out) and killed_at == float("inf"):
                killed_at = now + self.grace_seconds
            if now >= killed_at:
                self.signal(signal.SIGKILL)
            time.sleep(0.01)
        return exit_code

    def _ending(self, exit_code: int) -> Ending:
        if self._timed_out:
            return Ending(137, "Job attempt duration exceeded timeout")
        if exit_code < 0 and self.lost:
            return Ending(None, HOST_LOST)
        return Ending(exit_code if exit_code >= 0 else 128 - exit_code, "Essential container in task exited")

    def _record(self, ending: Ending) -> None:
        details: dict[str, Any] = {"logStreamName": self.log_stream_name}
        if ending.exit_code is not None:
            details["exitCode"] = ending.exit_code
        if ending.reason:
            details["reason"] = ending.reason
        self.attempts.append(
            {
                "container": details,
                "startedAt": int(self.job_started_at.timestamp() * 1000),
                "stoppedAt": int(time.time() * 1000),
                "statusReason": ending.status_reason,
            }
        )

    def _is_retried(self, ending: Ending) -> bool:
        if len(self.attempts) >= int(self.retry.get("attempts", 1)):
            return False
        return chosen_action(self.retry.get("evaluateOnExit", []), ending) == "RETRY"

    def _end(self, reason: str, exit_code: int | None) -> None:
        self.exit_code, self.job_stopped_reason = exit_code, reason
        self.job_stopped, self.job_stopped_at = True, datetime.now()
        self.status = "SUCCEEDED" if exit_code == 0 else "FAILED"

    def _container(self) -> Container:
        properties = self.job_definition.container_properties or {}
        pairs = [*properties.get("environment", []), *self.container_overrides.get("environment", [])]
        environment = {pair["name"]: pair["value"] for pair in pairs}
        environment |= {
            "AWS_BATCH_JOB_ID": self.job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(self.attempt),
            "AWS_BATCH_CE_NAME": self._environment_name,
            "AWS_BATCH_JQ_NAME": self.job_queue.name,
        }
        if self.index is not None:
            environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(self.index)
        return Container(environment, properties.get("jobRoleArn", ""), self.on_spot, self.host)

    @property
    def _environment_name(self) -> str:
        environments = [item["computeEnvironment"] for item in self.job_queue.env_order_json]
        return str(environments[0].rpartition("/")[2])

    def _keep_log(self, process: subprocess.Popen[bytes]) -> None:
        options = ((self.job_definition.container_properties or {}).get("logConfiguration") or {}).get("options", {})
        group = options.get("awslogs-group", "/aws/batch/job")
        self._log_backend.ensure_log_group(group)
        try:
            self._log_backend.create_log_stream(group, self.log_stream_name)
        except Exception as error:  # an earlier attempt's stream may be there
            if "exist" not in str(error):
                raise
        assert process.stdout is not None
        for line in process.stdout:
            event = {"timestamp": int(time.time() * 1000), "message": line.decode(errors="replace").rstrip("\n")}
            if event["message"]:
                self._log_backend.put_log_events(group, self.log_stream_name, [event])


def chosen_action(rules: list[dict[str, str]], ending: Ending) -> str:
    """RETRY or EXIT by the first rule whose conditions all match; RETRY where none does (Batch API, EvaluateOnExit).

    >>> rules = [{"onExitCode": "75", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    >>> chosen_action(rules, Ending(75, "")), chosen_action(rules, Ending(64, "")), chosen_action([], Ending(1, ""))
    ('RETRY', 'EXIT', 'RETRY')
    """
    found = {
        "onExitCode": "" if ending.exit_code is None else str(ending.exit_code),
        "onReason": ending.reason or "",
        "onStatusReason": ending.status_reason,
    }
    for rule in rules:
        if all(fnmatch.fnmatchcase(found[name], rule[name]) for name in found if rule.get(name) is not None):
            return rule["action"].upper()
    return "RETRY"
