"""``make cloud``: the deployed app on this machine, a demo run in it, and an open endpoint until Ctrl-C.

For development only: it is no part of the installed product.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console

from core.errors import EXIT_BAD_REQUEST, EXIT_BUG, EXIT_DONE, EXIT_INTERRUPTED, EXIT_NOT_VERIFIED
from tests.command_line import REPOSITORY
from tests.localcloud.steps import BackgroundCommand, FailedStepError, Steps, Undisturbed

if TYPE_CHECKING:
    from tests.localcloud.attendant import Attendant
    from tests.localcloud.cloud import LocalCloud

STACK = "Casemill"
BUCKET = "recordings"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAY_ENDED = {"SUCCEEDED": "succeeded", "FAILED": "failed", "ABORTED": "was stopped", "TIMED_OUT": "took too long"}
UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3")
"""What would lead the tools elsewhere."""

undisturbed = Undisturbed()
out = Console(soft_wrap=True, highlight=False, markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; the exit code is that of the demo run, or 130 where it was not waited for."""
    asked = _parse(arguments)
    _obey_signals()
    ready, code = False, EXIT_DONE
    try:
        with _own_folder() as folder, ExitStack() as stack:
            out.print("Casemill's local cloud, for development: nothing leaves this machine.")
            cloud, attendant = _start(folder, asked, stack)
            if asked.cases:
                code = _demonstrate(cloud, attendant, asked.cases)
            _say_open(cloud, folder)
            ready = True
            _stay(attendant)
    except KeyboardInterrupt:
        out.print("Ended; no process and no folder is left.")
        return code if ready else EXIT_INTERRUPTED
    except FailedStepError as error:
        out.print(str(error))
        return EXIT_BUG


def _parse(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog="make cloud", description=__doc__)
    parser.add_argument("--cases", type=int, default=24, help="of the demo cohort; 0: no demo run (24 if not given)")
    parser.add_argument("--port", type=int, default=0, help="of the endpoint (a free one if not given)")
    asked = parser.parse_args(arguments)
    if asked.cases < 0:
        _refuse(f"--cases: {asked.cases} cases cannot be made; give 0 or more")
    if not 0 <= asked.port <= 65535:
        _refuse(f"--port: {asked.port} is no port; give one from 0 to 65535")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", asked.port))
        except OSError as error:
            _refuse(f"--port: {asked.port} cannot be had ({error.strerror}); give another, or none for a free one")
    return asked


def _refuse(what: str) -> NoReturn:
    sys.stderr.write(f"error {what}\n")
    raise SystemExit(EXIT_BAD_REQUEST)


def _obey_signals() -> None:
    """The first one ends everything in order, and no second one disturbs that."""

    def end() -> NoReturn:
        out.print("\nEnding ...")
        raise KeyboardInterrupt

    def come(number: int, frame: object) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        if not undisturbed.keep(end):
            end()

    for each in SIGNALS:
        signal.signal(each, come)


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Everything that is written on this machine is below one folder, which goes at the end."""
    folder = Path(tempfile.mkdtemp(prefix="casemill-cloud-"))
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    try:
        # The containers' user must come through to the image; what is secret to others is in folders below.
        folder.chmod(0o755)
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        yield folder
    finally:
        tempfile.tempdir = before[0]
        if before[1] is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before[1]
        shutil.rmtree(folder)


def _beside(stack: ExitStack, command: Sequence[str], scratch: Path) -> BackgroundCommand:
    with undisturbed:
        return stack.enter_context(BackgroundCommand(command, scratch))


def _start(folder: Path, asked: Any, stack: ExitStack) -> tuple[LocalCloud, Attendant]:
    """The cloud with the stack and the cohort; synthesis and cohort are made beside the emulator's start."""
    for name in (*UNSET, *(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))):
        os.environ.pop(name, None)
    assembly, cohort, scratch = folder / "assembly", folder / "cohort", folder / "scratch"
    scratch.mkdir(mode=0o700)
    with Steps(out) as steps:
        synthesis = _beside(stack, [sys.executable, "-m", "tests.localcloud.synthesis", str(assembly)], scratch)
        steps.begin("The app is synthesised, its functions are packed", synthesis.poll)
        demo = None
        if asked.cases:
            make = ["demo-data", "--cases", str(asked.cases), "--seed", "7", "--out", str(cohort)]
            demo = _beside(stack, [sys.executable, "-m", "core.cli", *make], scratch)
            steps.begin(f"{asked.cases} made-up cases are written", demo.poll)
        with steps.step("The emulator is started, the worker's image is laid out"):
            from tests.localcloud.attendant import Attendant
            from tests.localcloud.cloud import local_cloud

            cloud = stack.enter_context(local_cloud(scratch, slots=os.cpu_count() or 2, port=asked.port))
        built = Path(synthesis.wait().strip().splitlines()[-1])
        with steps.step("The stack is deployed"):
            cloud.deploy(built, STACK)
        if demo is not None:
            demo.wait()
            with steps.step(f"The cases are uploaded to s3://{BUCKET}"):
                cloud.client("s3").create_bucket(Bucket=BUCKET)
                cloud.upload(BUCKET, "vital_files", cohort / "vital_files")
                cloud.upload(BUCKET, "", cohort / "clinical_data.csv")
    return cloud, stack.enter_context(Attendant(cloud))


def _demonstrate(cloud: LocalCloud, attendant: Attendant, cases: int) -> int:
    """Submit the cohort and watch it, with the real command line; 0 where it ends verified."""
    source = ["--source", f"s3://{BUCKET}/vital_files", "--clinical", f"s3://{BUCKET}/clinical_data.csv"]
    if _casemill(
        cloud, "submit", *source, "--cases", f"1-{cases}", "--name", "demo", "--shard-cases", "4", "--array-width", "3"
    ):
        return EXIT_NOT_VERIFIED
    machine = cloud.outputs["StateMachine"]
    [execution] = cloud.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    run_id = execution["name"].rpartition("-")[0]
    code = _casemill(cloud, "watch", run_id)
    _casemill(cloud, "cost", run_id)
    _say_news(attendant)
    _say_data_set(cloud, run_id)
    return EXIT_DONE if code == 0 else EXIT_NOT_VERIFIED


def _casemill(cloud: LocalCloud, *arguments: str) -> int:
    """The command line as a person has it, on this terminal."""
    out.print(f"\n$ casemill {shlex.join(arguments)}", style="bold")
    command = [sys.executable, "-m", "core.cli", *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **cloud.environment}) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            raise


def _say_data_set(cloud: LocalCloud, run_id: str) -> None:
    from core.run.layout import DataSetLayout, RunLayout
    from core.run.models import Success

    where = cloud.outputs["Output"]
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    s3, layout = cloud.client("s3"), DataSetLayout.named("demo")
    out.print()
    try:
        sealed = s3.get_object(Bucket=bucket, Key=f"{prefix}/{layout.success}")["Body"].read()
    except s3.exceptions.NoSuchKey:
        out.print("The run is not verified: there is no data set. Its report says why.")
    else:
        out.print(f"data set   {where}/{layout.root}")
        out.print(f"root hash  {Success.model_validate_json(sealed).root_hash}")
    out.print(f"report     {where}/{RunLayout(run_id).report}")


def _say_open(cloud: LocalCloud, folder: Path) -> None:
    """What a person needs to go on from another terminal."""
    port = cloud.endpoint.rpartition(":")[2]
    # The CloudFormation emulator resolves a template's address only where it says localhost; S3 by number keeps the
    # bucket in the path.
    variables = {**cloud.environment, "AWS_ENDPOINT_URL": f"http://localhost:{port}"}
    variables["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{port}"
    lines = [f"unset {' '.join(name for name in UNSET if name not in variables)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    file = folder / "environment"
    file.write_text("\n".join(lines) + "\n")
    out.print("\nIn another terminal:", style="bold")
    out.print(f"  source {file}\n\nwhich is:")
    for line in lines:
        out.print(f"  {line}")
    out.print("\nThen the real tools work here, for example:")
    for line in (
        "casemill submit --source s3://recordings/vital_files --clinical s3://recordings/clinical_data.csv "
        "--cases 1-8 --name other --wait",
        f"aws s3 ls --recursive {cloud.outputs['Output']}/",
        f"aws stepfunctions list-executions --state-machine-arn {cloud.outputs['StateMachine']}",
    ):
        out.print(f"  {line}")
    out.print(f"\nThe local cloud is open at {cloud.endpoint}; Ctrl-C ends it and removes everything.", style="bold")


def _stay(attendant: Attendant) -> None:
    """Tell what happens, until a signal."""
    never = threading.Event()
    while True:
        _say_news(attendant)
        never.wait(0.5)


def _say_news(attendant: Attendant) -> None:
    from tests.localcloud.alarms import Mail

    attendant.check()
    while not attendant.news.empty():
        found = attendant.news.get()
        if isinstance(found, Mail):
            out.print(f"\nmail       {found.subject}", style="bold")
            for line in found.text.rstrip("\n").splitlines():
                out.print(f"  {line}".rstrip())
        else:
            why = f": {found.why}" if found.why else ""
            out.print(f"\nexecution  {found.name} {SAY_ENDED[found.status]}{why}")


if __name__ == "__main__":
    sys.exit(main())
