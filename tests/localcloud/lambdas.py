"""AWS Lambda with real processes: the official runtime client behind a small Runtime API, one function package each.

A function sees its own package and what AWS's runtime holds (the client and boto3), nothing of the tests' environment.
"""

from __future__ import annotations

import json
import os
import queue
import re
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from pathlib import Path
from typing import Any
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction

RUNTIME_PACKAGES = (
    "awslambdaric", "boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "simplejson", "six",
    "snapshot-restore-py", "urllib3",
)  # fmt: skip
"""What AWS's Python runtime brings along."""

LARGEST_ANSWER_BYTES = 6 * 1024 * 1024
"""Of a synchronous call (Lambda quotas)."""

START_SECONDS = 20.0

_BOOT = "import sys; sys.path[:0] = sys.argv[1:3]; sys.argv = ['bootstrap', sys.argv[3]]; \
from awslambdaric.__main__ import main; main(sys.argv)"


@dataclass(frozen=True)
class Answer:
    """What a call gave: JSON text, whether it is an error, and what the function printed meanwhile."""

    text: str
    failed: bool
    log: str


@dataclass
class _Call:
    event: bytes
    deadline: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answers: queue.Queue[tuple[str, bool]] = field(default_factory=queue.Queue)


def _error(kind: str, message: str) -> str:
    return json.dumps({"errorType": kind, "errorMessage": message})


class Sandbox:
    """One process that serves one function version, call after call."""

    def __init__(self, command: list[str], environment: dict[str, str], arn: str) -> None:
        self._calls: queue.Queue[_Call] = queue.Queue()
        self._call: _Call | None = None
        self._arn = arn
        self._lines: list[str] = []
        self._reading = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        address = f"127.0.0.1:{self._server.server_address[1]}"
        self.process = subprocess.Popen(
            command,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
        threading.Thread(target=self._read_output, daemon=True).start()

    def invoke(self, event: bytes, timeout: float) -> Answer:
        """One call; the process is killed at the time-out, as AWS does."""
        self._lines.clear()
        call = self._call = _Call(event, time.time() + timeout)
        self._calls.put(call)
        ends_at = time.monotonic() + timeout
        while True:
            try:
                text, failed = call.answers.get(timeout=0.02)
                break
            except queue.Empty:
                if self.process.poll() is not None:
                    text = _error("Runtime.ExitError", f"Runtime exited with error: {self.process.returncode}")
                    failed = True
                    break
                if time.monotonic() >= ends_at:
                    self.close()
                    text, failed = _error("Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds"), True
                    break
        self._wait_for_log()
        if len(text) > LARGEST_ANSWER_BYTES:
            text, failed = _error("Function.ResponseSizeTooLarge", "the answer is over 6 MiB"), True
        return Answer(text, failed, "".join(self._lines))

    @property
    def is_alive(self) -> bool:
        """Whether it can take another call."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the process."""
        if self.is_alive:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self._server.shutdown()
        self._server.server_close()

    def _wait_for_log(self) -> None:
        """What was printed before the answer is in the pipe; on a busy machine its reader comes late."""
        assert self.process.stdout is not None
        ends_at = time.monotonic() + 5
        while self.is_alive and time.monotonic() < ends_at:
            ready, _, _ = select.select([self.process.stdout], [], [], 0)
            if not ready and not self._reading.locked():
                return
            time.sleep(0.005)

    def _read_output(self) -> None:
        """The lines as they come; the lock is held while something that was read is not kept yet."""
        assert self.process.stdout is not None
        rest = b""
        while True:
            select.select([self.process.stdout], [], [])
            with self._reading:
                found = os.read(self.process.stdout.fileno(), 65536)
                *lines, rest = (rest + found).split(b"\n")
                self._lines += [line.decode(errors="replace") + "\n" for line in lines]
            if not found:
                return

    def _handler(sandbox: Sandbox) -> type[BaseHTTPRequestHandler]:  # noqa: N805  `self` is the handler's
        class RuntimeApi(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                call = sandbox._calls.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", call.id)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(call.deadline * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", sandbox._arn)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(call.event)))
                self.end_headers()
                self.wfile.write(call.event)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                call = sandbox._call
                if call is not None:
                    call.answers.put((body, not self.path.endswith("/response")))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on standard error."""

        return RuntimeApi


@dataclass
class Functions:
    """All functions: starts sandboxes when they are needed and keeps them warm.

    ``environment`` gives what a role's processes get beside the function's own variables; ``on_log`` is told the
    function's name and what it printed. ``faults`` hold, for a pattern that is searched in a function's name and event,
    what the next such calls do: ``throttled``, or ``timeout SECONDS`` for a call that may last no longer.
    """

    runtime: Path
    environment: Callable[[str], dict[str, str]]
    folder_of: Callable[[LambdaFunction], Path]
    on_log: Callable[[str, str], None] = lambda name, text: None
    python: str = sys.executable
    faults: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._idle: dict[str, list[Sandbox]] = {}
        self._all: list[Sandbox] = []
        self._lock = threading.Lock()

    def invoke(self, function: LambdaFunction, event: Any) -> Answer:
        """Call a function with a JSON event."""
        fault = self._next_fault(f"{function.function_name} {json.dumps(event)}")
        if fault == "throttled":
            # The state machine's own name for it (Step Functions guide, "Handling errors").
            return Answer(_error("Lambda.TooManyRequestsException", "Rate Exceeded."), True, "")
        key = f"{function.function_arn}:{function.version}:{function.code_sha_256}"
        with self._lock:
            idle = self._idle.setdefault(key, [])
            sandbox = idle.pop() if idle else None
        if sandbox is None or not sandbox.is_alive:
            sandbox = self._start(function)
        timeout = float(fault.removeprefix("timeout ")) if fault else float(function.timeout)
        answer = sandbox.invoke(json.dumps(event).encode(), timeout)
        if sandbox.is_alive:
            with self._lock:
                idle.append(sandbox)
        self.on_log(function.function_name, answer.log)
        return answer

    def close(self) -> None:
        """End all processes."""
        for sandbox in self._all:
            sandbox.close()

    def _next_fault(self, call: str) -> str | None:
        with self._lock:
            for pattern, left in self.faults.items():
                if left and re.search(pattern, call):
                    return left.pop(0)
        return None

    def _start(self, function: LambdaFunction) -> Sandbox:
        folder = self.folder_of(function)
        environment = {
            **{name: str(value) for name, value in function.environment_vars.items()},
            **self.environment(function.role),
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "LAMBDA_TASK_ROOT": str(folder),
            "PATH": "/usr/bin:/bin",
            "HOME": "/tmp",
            "TZ": ":UTC",
        }
        command = [self.python, "-I", "-S", "-c", _BOOT, str(folder), str(self.runtime), function.handler]
        sandbox = Sandbox(command, environment, function.function_arn)
        self._all.append(sandbox)
        return sandbox


def lay_out_runtime(folder: Path) -> Path:
    """Link what AWS's runtime holds, and nothing else of this environment, into a folder."""
    for package in RUNTIME_PACKAGES:
        tops = {(path.parts[0], path) for path in files(package) or () if not path.parts[0].startswith("..")}
        for top, path in sorted(tops, key=lambda item: item[0]):
            link = folder / top
            if not link.exists():
                located = Path(str(path.locate()))
                link.symlink_to(located.parents[len(path.parts) - 2] if len(path.parts) > 1 else located)
    return folder


@contextmanager
def lambda_on(functions: Functions) -> Iterator[None]:
    """Let moto's Lambda run its functions here."""

    def invoke(function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        answer = functions.invoke(function, {} if event is None else event)
        return answer.text, answer.failed, answer.log

    with patch.object(LambdaFunction, "_invoke_lambda", invoke):
        try:
            yield
        finally:
            functions.close()
