"""``make cloud`` as a person uses it: it says when it is ready, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest

from tests.command_line import REPOSITORY, environment

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CASEMILL_CLOUD_CLI"), reason="make cloud-cli"),
    pytest.mark.timeout(900),
]
READY = "Ctrl-C ends it and removes everything."
READY_SECONDS, END_SECONDS = 400.0, 60.0
CASES = 3


@dataclass
class Served:
    """The command at work; everything that it starts or writes can be told by ``folder``, its temporary one."""

    folder: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()

    def await_line(self, text: str) -> None:
        """Until a line with this text has come."""
        with self._news:
            found = self._news.wait_for(lambda: any(text in line for line in self.lines), READY_SECONDS)
        assert found, "\n".join(self.lines)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def interrupt(self) -> int:
        """What Ctrl-C does, to the command alone: its children must go because it ends them."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        return code

    def processes(self) -> list[str]:
        """The command lines of what runs out of the folder, or was started with it for temporary files."""
        mark, found = os.fsencode(self.folder), []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                try:
                    command = (entry / "cmdline").read_bytes()
                    if mark in command or mark in (entry / "environ").read_bytes():
                        found.append(command.replace(b"\0", b" ").decode(errors="replace"))
                except OSError:  # it has ended meanwhile
                    continue
        return found


@pytest.fixture
def serve() -> Iterator[Served]:
    # Not pytest's folder, which the containers' user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="casemill-serve-"))
    folder.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "tests.localcloud.serve", "--cases", str(CASES)],
        cwd=REPOSITORY, env={**environment(), "TMPDIR": str(folder), "AWS_PROFILE": "somebody", "COLUMNS": "200"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    served = Served(folder, process)
    try:
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(END_SECONDS)
        shutil.rmtree(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="leftovers are looked for in /proc")
def test_it_shows_a_verified_run_stays_open_and_leaves_nothing(serve: Served) -> None:
    serve.await_line(READY)
    _look_at_what_it_said(serve.text)
    _use_it_from_outside(serve)
    assert serve.processes(), "functions are warm"
    assert serve.interrupt() == 0, serve.text
    assert serve.lines[-1] == "Ended; no process and no folder is left."
    assert serve.processes() == []
    assert list(serve.folder.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="leftovers are looked for in /proc")
def test_ctrl_c_in_the_middle_of_its_start_leaves_nothing(serve: Served) -> None:
    serve.await_line("nothing leaves this machine")
    while not any("synthesis" in command for command in serve.processes()):
        assert serve.process.poll() is None, serve.text
    assert serve.interrupt() == 130, serve.text
    assert serve.processes() == []
    assert list(serve.folder.iterdir()) == []


def _look_at_what_it_said(text: str) -> None:
    for step in (
        "The app is synthesised",
        f"{CASES} made-up cases",
        "The emulator is started",
        "The stack is deployed",
    ):
        assert re.search(rf"^  {step}.* \(\d+ s\)$", text, re.MULTILINE), step
    assert "$ casemill submit --source s3://recordings/vital_files" in text
    assert re.search(r"^\$ casemill watch vitaldb-[0-9a-f]{12}$", text, re.MULTILINE)
    [sealed] = re.findall(r"^root hash  ([0-9a-f]{64})$", text, re.MULTILINE)[-1:]
    assert re.search(r"^data set   s3://\S+/datasets/demo$", text, re.MULTILINE)
    assert re.search(r"^report     s3://\S+/report\.txt$", text, re.MULTILINE)
    assert re.search(r"^cost +\S", text, re.MULTILINE)
    _, _, mail = text.partition("\nmail       ")
    assert re.match(r"Casemill .*: run \S+ is verified\n", mail)
    assert "What happened:" in mail
    assert f"root hash  {sealed}" in mail


def _use_it_from_outside(serve: Served) -> None:
    """With nothing but the variables that it says, as a shell reads them."""
    [line] = [line for line in serve.lines if line.startswith("  source ")]
    shell = f". {line.split()[1]} && {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    done = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, check=True, env={"AWS_PROFILE": "somebody"}
    )
    variables = json.loads(done.stdout)
    assert "AWS_PROFILE" not in variables
    client = boto3.client(
        "cloudformation",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    assert [stack["StackName"] for stack in client.describe_stacks()["Stacks"]] == ["Casemill"]
