"""What a worker loads before its first case, and how many threads it computes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import core
from core.code_version import left_out
from core.run.threads import PLUGINS_VARIABLE, VARIABLES, limit_threads, threads_limited
from tests.tiny_recordings import SHORT_WINDOWS, TinyCohort, write_cohort

HEAVY = frozenset(
    {"aws_cdk", "boto3", "duckdb", "jinja2", "matplotlib", "pandas", "pyarrow", "rich", "tensorflow", "typer"}
)

LOCAL = """
import json, sys
from core.run import local
from core.run.local import LocalJob
from core.workloads.registry import build_workload
report = local._work(LocalJob({output!r}, {run!r}, build_workload), 0)
"""

CONTAINER = """
import io, json, os, sys
from batch_image.entrypoint import main
from contextlib import redirect_stdout
os.environ.update(CASEMILL_OUTPUT={output!r}, CASEMILL_RUN={run!r}, AWS_EC2_METADATA_DISABLED="true")
with redirect_stdout(io.StringIO()):
    assert main() == 0
"""

LOADED = """
from pathlib import Path
from core.run.threads import VARIABLES
threads = [Path(f"/proc/self/task/{{task}}/comm").read_text().strip() for task in os.listdir("/proc/self/task")]
print(json.dumps({{
    "modules": sorted({{name.partition(".")[0] for name in sys.modules}}),
    "core": sorted(name for name in sys.modules if name.startswith("core.")),
    "limits": [os.environ.get(name) for name in VARIABLES], "threads": threads,
}}))
"""


def planned(cohort: TinyCohort, output: Path) -> str:
    from core.run.plan import PlanOptions, make_plan
    from core.run.plan_store import write_plan
    from core.run.source import open_source
    from core.store import open_store
    from core.workloads.vitaldb.workload import VitaldbWorkload

    selection = {"cases": "all", "clinical": str(cohort.clinical), "where": None}
    plan = make_plan(VitaldbWorkload(SHORT_WINDOWS), open_source(str(cohort.source)), selection, PlanOptions())
    write_plan(open_store(output, create=True), plan)
    return plan.request.run_id


@pytest.mark.parametrize("start", [LOCAL, CONTAINER], ids=["local", "container"])
def test_a_worker_loads_nothing_that_it_does_not_need(start: str, tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    cohort = write_cohort(tmp_path / "cohort", 4, suffix=".vital")
    output = tmp_path / "out"
    code = (start + "import os" + LOADED).format(output=str(output), run=planned(cohort, output))
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(told.stdout)
    assert not HEAVY & set(loaded["modules"])
    assert "core.run.worker" in loaded["core"]
    package = Path(core.__file__).parent
    places = [path.relative_to(package.parent).with_suffix("").as_posix() for path in left_out(package)]
    silent = tuple(f"{place}/".replace("/", ".") for place in places)
    assert not [name for name in loaded["core"] if f"{name}.".startswith(silent)], "the code version says nothing of it"
    if start is CONTAINER and sys.platform == "linux":
        assert loaded["limits"] == ["1"] * len(VARIABLES)


def test_the_limits_reach_the_processes_that_are_started_and_no_further() -> None:
    environ = {"OMP_NUM_THREADS": "3", "HOME": "/"}
    with threads_limited(environ):
        assert environ["OMP_NUM_THREADS"] == "3"  # who sets it means it
        assert {environ[name] for name in VARIABLES if name != "OMP_NUM_THREADS"} == {"1"}
    assert environ == {"OMP_NUM_THREADS": "3", "HOME": "/"}
    assert limit_threads(environ) == [*(name for name in VARIABLES if name != "OMP_NUM_THREADS"), PLUGINS_VARIABLE]
    assert environ[PLUGINS_VARIABLE] == "__all__"


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads as Linux shows them")
def test_the_libraries_go_by_the_limits() -> None:
    code = (
        "import os, numpy; from core.run.threads import limit_threads; from obstore.store import MemoryStore\n"
        "import obstore; obstore.put(MemoryStore(), 'a', b'')\n"
        "print(len(os.listdir('/proc/self/task')))"
    )
    environ = {**os.environ}
    limit_threads(environ)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    # The interpreter's, and one of the object store's runtime.
    assert int(told.stdout) == 2


def test_help_does_not_load_what_only_commands_need() -> None:
    code = "import sys\nfrom core.cli import main\nprint(sorted({name.partition('.')[0] for name in sys.modules}))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ("numpy", "pyarrow", "pydantic", "duckdb", "obstore"):
        assert f"'{name}'" not in told.stdout


def test_the_console_script_loads_nothing_before_it_is_called() -> None:
    """Spawned workers import the script of their parent."""
    code = "import sys\nimport core.cli.entry\nprint(sorted(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'typer'" not in told.stdout
    assert "'core.cli.main'" not in told.stdout
