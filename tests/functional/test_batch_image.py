"""The container's entry point in a stand-in of its image: array jobs, signals, reclaims, SageMaker, read-only root."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from core.recording.native import LIBRARY
from core.run.assemble import read_commits
from core.run.commit import read_commit
from core.run.layout import RunLayout
from core.run.models import Attempt
from core.run.pipeline import execute
from core.run.plan import Plan, PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.publish import publish
from core.run.source import open_source
from core.store import Store, open_store
from core.workloads.registry import build_workload
from tests.dockerfile import IMAGE_LIST, pins
from tests.image_stand_in import IS_ROOT, NOBODY, NoPythonError, StandIn, image_stand_in
from tests.metadata_service import metadata_service
from tests.tiny_recordings import SHORT_WINDOWS, TinyCohort, write_cohort

QUIET = {"AWS_EC2_METADATA_DISABLED": "true"}
PARTITIONS = 3
LONG_CASES = 40


@pytest.fixture(scope="module")
def image() -> Iterator[StandIn]:
    try:
        with image_stand_in() as stand_in:
            yield stand_in
    except NoPythonError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    found = Path(mkdtemp(prefix="casemill-work-"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@pytest.fixture(scope="module")
def cohort(folder: Path) -> TinyCohort:
    return write_cohort(folder / "cohort")


@pytest.fixture(scope="module")
def long_cohort(folder: Path) -> TinyCohort:
    """Enough work for a few seconds."""
    return write_cohort(folder / "long", LONG_CASES, seconds=3000)


def planned(cohort: TinyCohort, partitions: int, shard_cases: int) -> tuple[Plan, Any]:
    workload = build_workload("vitaldb", SHORT_WINDOWS)
    selection = {"cases": "all", "clinical": str(cohort.clinical), "where": None}
    options = PlanOptions(data_set="tiny", shard_cases=shard_cases, partitions=partitions)
    return make_plan(workload, open_source(str(cohort.source)), selection, options), workload


def output(image: StandIn, folder: Path, name: str, plan: Plan) -> Store:
    """A location with the plan in it, which the container may write to."""
    store = open_store(folder / name, create=True)
    write_plan(store, plan)
    image.give(folder / name)
    return store


def job(store: Store, plan: Plan, **more: str) -> dict[str, str]:
    return {"CASEMILL_OUTPUT": store.uri, "CASEMILL_RUN": plan.request.run_id, **QUIET, **more}


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def root_hash(store: Store, plan: Plan, workload: Any) -> str:
    publication = publish(store, plan, workload)
    assert publication.verification.passed, publication.verification
    return publication.manifest.root_hash


@pytest.fixture(scope="module")
def expected(folder: Path, cohort: TinyCohort) -> str:
    """The root hash of the usual local run."""
    plan, workload = planned(cohort, PARTITIONS, 2)
    store = open_store(folder / "local", create=True)
    return execute(store, plan, workload, build_workload, 1).manifest.root_hash


def test_the_image_holds_exactly_its_list(image: StandIn) -> None:
    program = "import json; from importlib.metadata import distributions as d; " \
        "print(json.dumps({x.metadata['Name'].lower().replace('_', '-'): x.version for x in d()}))"  # fmt: skip
    assert json.loads(image.run_python(program).stdout) == pins(IMAGE_LIST)


@pytest.mark.parametrize("module", ["tensorflow", "pytest", "boto3", "pandas", "moto", "aws_cdk", "pip", "setuptools"])
def test_what_is_not_needed_cannot_be_imported(image: StandIn, module: str) -> None:
    done = image.run_python(f"import {module}")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.skipif(not LIBRARY.path.exists(), reason="nothing could be compiled on this machine")
def test_the_walk_over_recordings_is_compiled(image: StandIn) -> None:
    done = image.run_python("from core.recording.native import LIBRARY; print(LIBRARY.in_use())")
    assert done.stdout == "compiled\n"


def test_the_container_may_write_to_scratch_only(image: StandIn) -> None:
    program = (
        "import os, sys, tempfile\n"
        "tempfile.TemporaryFile().close()\n"
        "print(tempfile.gettempdir(), *[p for p in sys.argv[1:] if os.access(p, os.W_OK)])"
    )
    places = [str(image.application), str(image.application / "core"), str(image.packages), str(image.folder)]
    done = image.run_python(program, *(places if IS_ROOT else []))
    assert (done.stdout.split(), done.returncode) == ([str(image.scratch)], 0)


def test_an_array_makes_what_a_local_run_makes(image: StandIn, folder: Path, cohort: TinyCohort, expected: str) -> None:
    plan, workload = planned(cohort, PARTITIONS, 2)
    store = output(image, folder, "array", plan)
    before = sorted(path for path in image.folder.rglob("*"))
    children = [
        image.start(**job(store, plan, AWS_BATCH_JOB_ARRAY_INDEX=str(index), AWS_BATCH_JOB_ATTEMPT="1"))
        for index in range(PARTITIONS + 1)
    ]
    outs = [child.communicate(timeout=120) for child in children]
    assert [child.returncode for child in children] == [0] * (PARTITIONS + 1), outs
    assert [err for _, err in outs] == [""] * (PARTITIONS + 1)
    lines = [events(out) for out, _ in outs]
    assert [line[0]["partitions"] for line in lines] == [[0], [1], [2], []]
    assert sum(line["event"] == "shard_committed" for found in lines for line in found) == len(plan.shards.shards)
    assert root_hash(store, plan, workload) == expected
    assert sorted(path for path in image.folder.rglob("*")) == before
    if IS_ROOT:
        record = RunLayout(plan.request.run_id).commit(plan.shards.shards[0].shard)
        assert (folder / "array" / record).stat().st_uid == NOBODY


def test_the_log_holds_ids_and_counts_only(image: StandIn, folder: Path, cohort: TinyCohort) -> None:
    plan, _ = planned(cohort, 1, 50)
    store = output(image, folder, "log", plan)
    lines = events(image.run(**job(store, plan)).stdout)
    assert [line["event"] for line in lines] == ["started", *["shard_committed"] * len(plan.shards.shards), "finished"]
    assert set(lines[1]) == {"time", "event", "shard", "new", "cases", "records", "seconds"}
    assert set(lines[0]) == {
        "time", "event", "run", "round", "partitions", "index", "batch_attempt", "instance_type", "zone", "capacity",
        "processors", "host_processors", "job",
    }  # fmt: skip


def test_sagemaker_hosts_share_the_run(image: StandIn, folder: Path, cohort: TinyCohort, expected: str) -> None:
    plan, workload = planned(cohort, PARTITIONS, 2)
    store = output(image, folder, "hosts", plan)
    for host in ("algo-1", "algo-2"):
        done = image.run(**job(store, plan, SM_HOSTS='["algo-1", "algo-2"]', SM_CURRENT_HOST=host))
        assert done.returncode == 0, done.stdout
    assert root_hash(store, plan, workload) == expected


def test_a_wrong_environment_is_a_bad_request(image: StandIn) -> None:
    done = image.run(CASEMILL_ROUND="zero")
    assert done.returncode == 64
    assert len(events(done.stdout)) == 3
    assert done.stderr == ""


def test_an_output_that_may_not_be_written_is_a_bad_request(image: StandIn, folder: Path, cohort: TinyCohort) -> None:
    if not IS_ROOT:
        pytest.skip("only root can make a folder that the container's user may not write to")
    plan, _ = planned(cohort, 1, 50)
    store = open_store(folder / "denied", create=True)
    write_plan(store, plan)
    done = image.run(**job(store, plan))
    assert done.returncode == 64, done.stdout
    assert events(done.stdout)[-1]["code"] == "storage_denied"


def started_shard(child: subprocess.Popen[str]) -> None:
    """Wait for the child's first committed shard."""
    assert child.stdout is not None
    for line in child.stdout:
        if json.loads(line)["event"] == "shard_committed":
            return
    raise AssertionError(child.stderr and child.stderr.read())


def stopped(child: subprocess.Popen[str], since: float) -> tuple[dict[str, Any], float]:
    out, err = child.communicate(timeout=30)
    assert err == ""
    return events(out)[-1], time.monotonic() - since


def check_taken_up(image: StandIn, store: Store, plan: Plan, why: str) -> None:
    """Something was left to do, the attempt's record says why, and the next attempt does the rest."""
    layout = RunLayout(plan.request.run_id)
    committed = [shard.shard for shard in plan.shards.shards if read_commit(store, layout, shard.shard)]
    assert 0 < len(committed) < len(plan.shards.shards)
    (first,) = [Attempt.model_validate_json(store.get(item.key)) for item in store.list(layout.attempts(0))]
    assert (first.why, first.shards) == (why, len(committed))
    done = image.run(**job(store, plan, AWS_BATCH_JOB_ATTEMPT="2"))
    assert done.returncode == 0, done.stdout
    last = Attempt.model_validate_json(store.get(layout.attempt(0, 2)))
    assert (last.why, last.cases, last.restored) == ("finished", LONG_CASES, first.cases)


@pytest.fixture(scope="module")
def long_hashes(image: StandIn, folder: Path, long_cohort: TinyCohort) -> list[str]:
    plan, _ = planned(long_cohort, 1, 4)
    store = output(image, folder, "undisturbed", plan)
    assert image.run(**job(store, plan)).returncode == 0
    return [record.content_sha256 for record in read_commits(store, plan)]


@pytest.mark.parametrize(
    ("number", "code", "why"), [(signal.SIGTERM, 75, "reclaimed"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_in_the_middle(
    image: StandIn, folder: Path, long_cohort: TinyCohort, long_hashes: list[str], number: int, code: int, why: str
) -> None:
    plan, _ = planned(long_cohort, 1, 4)
    store = output(image, folder, f"signal-{why}", plan)
    child = image.start(**job(store, plan, AWS_BATCH_JOB_ATTEMPT="1"))
    started_shard(child)
    child.send_signal(number)
    line, seconds = stopped(child, time.monotonic())
    assert (child.returncode, line["event"], line["why"]) == (code, "stopped", why)
    assert seconds < 10
    check_taken_up(image, store, plan, why)
    assert [record.content_sha256 for record in read_commits(store, plan)] == long_hashes


def test_a_spot_notice_in_the_middle(
    image: StandIn, folder: Path, long_cohort: TinyCohort, long_hashes: list[str]
) -> None:
    plan, _ = planned(long_cohort, 1, 4)
    store = output(image, folder, "notice", plan)
    with metadata_service() as service:
        surroundings = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.endpoint, "AWS_EC2_METADATA_DISABLED": "false"}
        child = image.start(**job(store, plan, **surroundings, CASEMILL_NOTICE_SECONDS="0.05"))
        started_shard(child)
        service.announce()
        line, _ = stopped(child, time.monotonic())
    assert (child.returncode, line["event"], line["why"]) == (75, "stopped", "reclaimed")
    first = next(iter(read_commits_there(store, plan)))
    assert (first.made_by.instance_type, first.made_by.capacity) == ("c7i.large", "spot")
    check_taken_up(image, store, plan, "reclaimed")
    assert [record.content_sha256 for record in read_commits(store, plan)] == long_hashes


def read_commits_there(store: Store, plan: Plan) -> list[Any]:
    layout = RunLayout(plan.request.run_id)
    found = [read_commit(store, layout, shard.shard) for shard in plan.shards.shards]
    return [record for record in found if record]


def test_signals_are_heard_from_the_first_moment(image: StandIn, folder: Path, cohort: TinyCohort) -> None:
    """SIGTERM while the entry point is still importing: the default action would end it with another code."""
    plan, _ = planned(cohort, 1, 50)
    store = output(image, folder, "early", plan)
    program = (
        "import os, signal, sys, runpy, threading, importlib.abc\n"
        "class Watch(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'numpy': os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.meta_path.insert(0, Watch())\n"
        "runpy.run_module('batch_image.entrypoint', run_name='__main__')\n"
    )
    settings = image.settings(**job(store, plan))
    done = subprocess.run([str(image.python), "-c", program], capture_output=True, timeout=60, check=False, **settings)
    assert done.returncode == 75, (done.stdout, done.stderr)
    assert events(done.stdout)[-1]["why"] == "reclaimed"


def test_a_read_only_root(image: StandIn, folder: Path, cohort: TinyCohort, expected: str) -> None:
    """The whole file system read-only but for scratch and output, as ``readonlyRootFilesystem`` has it."""
    probe = ["unshare", "--mount", "true"]
    if not IS_ROOT or not shutil.which("unshare") or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("only root, where mounting is allowed, can make the file system read-only")
    plan, workload = planned(cohort, PARTITIONS, 2)
    store = output(image, folder, "read-only", plan)
    script = (
        'for place in "$1" "$2"; do mount --bind "$place" "$place"; done; mount -o remount,bind,ro /; shift 2\n'
        'if touch /casemill-probe 2>/dev/null; then echo "the root can be written to"; exit 1; fi\n'
        f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "$@"\n'
    )
    variables = image.environment(**job(store, plan, SM_HOSTS='["one"]', SM_CURRENT_HOST="one"))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", image.scratch, folder / "read-only", *image.entry()],
        capture_output=True, text=True, timeout=60, check=False, cwd="/",
        env={**variables, "PATH": f"{variables['PATH']}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert root_hash(store, plan, workload) == expected
