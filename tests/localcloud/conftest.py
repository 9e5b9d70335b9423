"""One local cloud for the whole folder: synthesised, deployed and filled with recordings once.

It ends with the folder and not with the session: the emulator's state and the hooks into it are the process's, and the
tests that come after in the same process would find them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.command_line import casemill
from tests.image_stand_in import image_stand_in
from tests.localcloud.alarms import Mailbox
from tests.localcloud.cloud import LocalCloud, local_cloud
from tests.localcloud.scenario import FORTY, CloudRun, asked
from tests.localcloud.synthesis import SOURCE_BUCKET, synthesise
from tests.tiny_recordings import TinyCohort, write_cohort

TIMEOUT_SECONDS = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is slow, and the first one waits for the cloud."""
    for item in items:
        if item.path.parent.name == "localcloud":
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def forty(tmp_path_factory: pytest.TempPathFactory) -> TinyCohort:
    """Forty short cases of twenty subjects as ``.vital``; in the bucket below ``forty/``."""
    return write_cohort(tmp_path_factory.mktemp("forty"), 40, suffix=".vital", seconds=200)


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory, tiny_cohort: TinyCohort, forty: TinyCohort) -> Iterator[LocalCloud]:
    """The stack with short pauses, deployed, and a bucket with the recordings; each test names its runs itself."""
    folder = tmp_path_factory.mktemp("cloud")
    scratch = folder / "scratch"
    scratch.mkdir()
    with ExitStack() as stack:
        with ThreadPoolExecutor(1) as beside:
            image = beside.submit(stack.enter_context, image_stand_in())
            assembly = synthesise(folder)
        found = stack.enter_context(local_cloud(scratch, image=image.result()))
        found.deploy(assembly, "Casemill")
        found.client("s3").create_bucket(Bucket=SOURCE_BUCKET)
        found.upload(SOURCE_BUCKET, "vital", tiny_cohort.source)
        found.upload(SOURCE_BUCKET, "", tiny_cohort.clinical)
        found.upload(SOURCE_BUCKET, "forty", forty.source)
        found.upload(SOURCE_BUCKET, "forty-table", forty.clinical)
        yield found


@pytest.fixture(scope="package")
def mailbox(cloud: LocalCloud) -> Mailbox:
    """Everything that the stack's topic sends."""
    return cloud.mailbox()


@pytest.fixture(scope="package")
def new_run(cloud: LocalCloud, mailbox: Mailbox) -> Callable[..., CloudRun]:
    """Makes runs, not yet started: the arguments are those of :func:`tests.localcloud.scenario.asked`."""

    def make(data_set: str, cases: str, **options: Any) -> CloudRun:
        return CloudRun(cloud, mailbox, asked(cases, data_set=data_set, **options))

    return make


@pytest.fixture(scope="session")
def root_of_forty(forty: TinyCohort, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The root hash of the forty cases in shards of four, by the real ``casemill run`` on a folder."""
    out = tmp_path_factory.mktemp("one-machine")
    options = ("--shard-cases", FORTY["shard_cases"], "--workers", 1, "--name", "alone")
    answer = casemill("run", *forty.options(), "--out", out, *options)
    assert answer.code == 0, answer.err
    return str(json.loads((out / "datasets" / "alone" / "_SUCCESS").read_text())["root_hash"])
