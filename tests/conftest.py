"""Fixtures that several test files share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from cdk.node_runtime import use_packaged_node
from core.cli.main import _guarded
from core.compile import PLAIN
from core.recording.native import LIBRARY
from tests.command_line import Answer, casemill
from tests.data_set_copy import DataSetCopy
from tests.tiny_recordings import TinyCohort, write_cohort

if TYPE_CHECKING:
    from tests.s3_server import S3Server

# Before a test imports aws_cdk.
use_packaged_node()

# The same examples every time, and no clock: a machine under load must not fail a test.
settings.register_profile("casemill", deadline=None, derandomize=True)
settings.load_profile("casemill")


class OneWorkerForTheLocalCloud(LoadFileScheduling):
    """As ``--dist loadfile``, but the folder of the local cloud counts as one file: its tests share one cloud."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder = PurePosixPath(file).parent
        return folder.as_posix() if folder.name == "localcloud" else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneWorkerForTheLocalCloud | None:
    """The scheduler of ``--dist loadfile``; None leaves the others to xdist."""
    return OneWorkerForTheLocalCloud(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="module", params=["compiled", "plain"])
def either_walk(request: pytest.FixtureRequest) -> Iterator[str]:
    """The module's tests once with each walk over recordings."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "compiled" and not LIBRARY.path.exists():
            pytest.skip("nothing could be compiled on this machine")
        patch.setenv(PLAIN, "1" if request.param == "plain" else "")
        yield request.param


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory) -> TinyCohort:
    """Twelve short cases of six subjects as CSV; nobody may change them."""
    return write_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="session")
def tiny_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output location of :func:`tiny_run`; nobody may change it."""
    return tmp_path_factory.mktemp("output") / "out"


@pytest.fixture(scope="session")
def tiny_run(tiny_cohort: TinyCohort, tiny_output: Path) -> Answer:
    """The tiny cohort, run by the command line as data set ``tiny`` in shards of two cases."""
    return casemill(
        "run", *tiny_cohort.options(), "--out", tiny_output, "--name", "tiny", "--shard-cases", 2, "--workers", 1,
        "--json",
    )  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """An emulated S3, SNS, SQS and the rest at an address of the module's own. What they hold belongs to the process:
    buckets are new ones (:meth:`tests.s3_server.S3Server.new_bucket`), and whatever else has a name has one of its
    test's own."""
    from tests.s3_server import s3_server  # not at the top: few tests need an emulator

    with s3_server() as found:
        yield found


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command line within this process: as :func:`tests.command_line.casemill`, without its start."""

    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["casemill", *map(str, arguments)])
        capsys.readouterr()
        code = _guarded()
        written = capsys.readouterr()
        return Answer(code, written.out, written.err)

    return call


@pytest.fixture
def copy(tiny_run: Answer, tiny_output: Path, tmp_path: Path) -> DataSetCopy:
    """The data set of :func:`tiny_run`, free to be broken."""
    assert tiny_run.code == 0, tiny_run.err
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_output / "datasets" / "tiny", folder)
    return DataSetCopy(folder)
