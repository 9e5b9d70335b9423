"""Programs in processes of their own: peak memory and start-up are theirs alone, not those of the benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.files import BenchFolder

REPOSITORY = Path(__file__).parents[1]
TIME_LIMIT_S = 600


def environment(folder: BenchFolder) -> dict[str, str]:
    """As a user has it: byte code is kept, here below the bench folder."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder.root / "bytecode")}


def timed(command: list[str], env: Mapping[str, str]) -> float:
    """Seconds of a whole program from start to end."""
    started = time.perf_counter()
    subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, check=True, timeout=TIME_LIMIT_S)
    return time.perf_counter() - started


def told(command: list[str], env: Mapping[str, str]) -> dict[str, Any]:
    """What a child of :mod:`benchmarks.child` says of itself in the last line of its output."""
    done = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def child(task: str, *arguments: object) -> list[str]:
    """The command of one task of :mod:`benchmarks.child`."""
    return [sys.executable, "-m", "benchmarks.child", task, *map(str, arguments)]


def command_line() -> list[str]:
    """The ``casemill`` command as it is installed beside this Python."""
    script = Path(sys.executable).parent / "casemill"
    return [str(script)] if script.exists() else [sys.executable, "-m", "core.cli"]
