"""The functions' package, assembled for this machine's Python: every function loads from it alone, and it fits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cdk.assemble import LARGEST_BYTES, assemble
from tests.localcloud.lambdas import lay_out_runtime

pytestmark = pytest.mark.slow

FUNCTIONS = ("plan", "inspect", "guard", "verify", "publish", "notify")

LOADED = """
import importlib, sys
sys.path[:0] = sys.argv[1:3]
for name in sys.argv[3:]:
    assert callable(importlib.import_module(f"handlers.{name}").handler)
from core.workloads.registry import build_workload
build_workload("vitaldb", {})
import jinja2  # only the page of a run loads it
from core.report.library import BUNDLE
assert BUNDLE.is_relative_to(sys.argv[1]) and BUNDLE.exists()
import duckdb  # only who filters by the clinical table loads it
print(duckdb.sql("select 41 + 1").fetchall(), sys.modules["core"].__file__)
"""
"""Runs without the environment's own packages (-S): what is missing in the package is missing."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The folder and its size in bytes."""
    out = tmp_path_factory.mktemp("package") / "workflow"
    return out, assemble(out, python=f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What AWS's own runtime brings along."""
    return lay_out_runtime(tmp_path_factory.mktemp("runtime"))


def test_every_function_loads_from_the_package_alone(package: tuple[Path, int], runtime: Path) -> None:
    folder, _ = package
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOADED, str(folder), str(runtime), *FUNCTIONS],
        capture_output=True, text=True, check=False, cwd="/", env={"PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[(42,)]", str(folder / "core" / "__init__.py")]


def test_lambda_takes_the_package(package: tuple[Path, int]) -> None:
    folder, size = package
    assert 50_000_000 < size <= LARGEST_BYTES == 262_144_000
    assert not [path for path in folder.rglob("*.so") if "core" in path.relative_to(folder).parts]


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdk.assemble.LARGEST_BYTES", 1000)
    monkeypatch.setattr("cdk.assemble._install", lambda *arguments: None)
    with pytest.raises(SystemExit, match="MB at the most"):
        assemble(tmp_path / "out")


def test_the_lock_has_wheels_for_both_architectures_with_their_hashes() -> None:
    """Every package of the functions is pinned with hashes; boto3 comes with AWS's runtime."""
    lock = (Path(__file__).parents[2] / "handlers" / "requirements.txt").read_text(encoding="utf-8")
    packages = [line.split("==")[0] for line in lock.splitlines() if "==" in line]
    assert {"aws-lambda-powertools", "obstore", "pyarrow", "pydantic", "numpy", "duckdb"} <= set(packages)
    assert not {"boto3", "botocore", "aws-cdk-lib"} & set(packages)
    assert lock.count("==") <= lock.count("--hash=sha256:")
