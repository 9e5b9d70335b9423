"""Workers killed at random moments: the same root hash, one outcome a case, at most a segment done again.

The short form is part of ``make test``; ``make chaos`` runs the long one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.s3_server import s3_server

LONG = os.environ.get("CASEMILL_CHAOS") == "long"


@dataclass(frozen=True)
class Dose:
    """How much disturbance."""

    kills: int
    terms: int


FOLDER = Dose(150, 70) if LONG else Dose(12, 6)
S3 = Dose(60, 35) if LONG else Dose(6, 3)
RIVALS = Dose(30, 15) if LONG else Dose(6, 3)
TRAJECTORY = Dose(60, 30) if LONG else Dose(10, 3)


def experiment(
    output: str,
    folder: Path,
    dose: Dose,
    *,
    seed: int,
    rivals: int = 1,
    environment: dict[str, str] | None = None,
    workload: str = "toy",
) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "tests.chaos.kill_lab", output, "--folder", str(folder), "--seed", str(seed),
        "--kills", str(dose.kills), "--terms", str(dose.terms), "--rivals", str(rivals),
        "--workload", workload,
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=500, check=False, env={**os.environ, **(environment or {})}
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    sys.stdout.write(f"\n{ {name: value for name, value in found.items() if name != 'root_hashes'} }\n")
    return found


def assert_sound(found: dict[str, Any], dose: Dose) -> None:
    assert found["problems"] == []
    assert found["kills"] >= dose.kills
    assert found["terms"] >= dose.terms
    assert len(found["root_hashes"]) == found["runs"] >= 2
    assert len(set(found["root_hashes"])) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_on_a_folder(tmp_path: Path) -> None:
    found = experiment(str(tmp_path / "out"), tmp_path / "log", FOLDER, seed=1)
    assert_sound(found, FOLDER)
    assert found["redone"] <= found["redone_bound"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rivals", [2, 3])
def test_kills_with_rivals_on_the_same_partition(tmp_path: Path, rivals: int) -> None:
    found = experiment(str(tmp_path / "out"), tmp_path / "log", RIVALS, seed=2 + rivals, rivals=rivals)
    assert_sound(found, RIVALS)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_on_an_emulated_s3(tmp_path: Path) -> None:
    with s3_server() as server:
        output = f"s3://{server.new_bucket()}/out"
        found = experiment(output, tmp_path / "log", S3, seed=3, environment=server.environment)
    assert_sound(found, S3)
    assert found["redone"] <= found["redone_bound"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_of_trajectories(tmp_path: Path) -> None:
    """A workload that divides and judges its records ends as well, with every gate held."""
    found = experiment(str(tmp_path / "out"), tmp_path / "log", TRAJECTORY, seed=8, workload="trajectory")
    assert_sound(found, TRAJECTORY)
