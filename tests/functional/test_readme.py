"""The README's commands and its Python, in the order they stand, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def commands() -> list[str]:
    """Each ``casemill`` command that needs no network, with its continuation lines joined."""
    joined = "\n".join(blocks("sh")).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("casemill ") and "s3://" not in line]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_commands_and_python_run_as_printed(tmp_path: Path) -> None:
    casemill = tmp_path / "bin" / "casemill"
    casemill.parent.mkdir()
    casemill.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m core.cli "$@"\n')
    casemill.chmod(0o700)
    environment = {
        **os.environ,
        "PATH": f"{casemill.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(README.parent),
    }
    assert len(commands()) >= 8
    demo_data, *others = commands()
    # Whoever follows the page has a run in demo/out already.
    earlier = "casemill run --source demo/cohort/vital_files --cases 1 --out demo/out"
    for command in (demo_data, earlier, *others):
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    program = "\n".join(blocks("python"))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "(256, 300, 16) (256, 8)" in done.stdout


def test_the_two_commands_are_those_of_continuous_integration() -> None:
    script = (README.parent / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("make demo", "make test"):
        assert any(command in block for block in blocks("sh"))
        assert f"\n{command}\n" in script
