"""The process that started the workers is killed: they save what they have and end, and the run can be taken up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.run.local import ORPHAN_SECONDS
from tests.command_line import REPOSITORY

_RUN = """
import sys
from core.run.pipeline import execute
from core.run.plan import checked_options, make_plan
from core.store import open_store
from tests.toy_workload import ToyWorkload, build_toy

if __name__ == "__main__":
    workload = ToyWorkload({"cases": 24, "seconds": float(sys.argv[2])})
    options = checked_options(data_set="toy", shard_cases=12)
    plan = make_plan(workload, None, {}, options)
    print(execute(open_store(sys.argv[1], create=True), plan, workload, build_toy, 2).manifest.root_hash)
"""


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(_RUN)
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(script), str(out), "0.3"]
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    patience = time.monotonic() + 60
    while not list(out.glob("runs/*/progress/*.json")) and time.monotonic() < patience:
        time.sleep(0.1)
    workers = children(parent.pid)
    assert len(workers) >= 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    patience = time.monotonic() + ORPHAN_SECONDS + 20
    while any(map(is_alive, workers)) and time.monotonic() < patience:
        time.sleep(0.2)
    assert not [pid for pid in workers if is_alive(pid)]
    assert list(out.glob("runs/*/staging/*/*.seg")), "what was finished is saved"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    command[2:] = [str(tmp_path / "undisturbed"), "0.0"]
    assert done.stdout == subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
