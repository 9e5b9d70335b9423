"""``make build``: the folder that the functions are deployed from: our code, and the lock's wheels for Lambda.

No container engine is needed: every package has a wheel. What no function ever loads is left out, because Lambda takes
250 MB at the most.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
LARGEST_BYTES = 250 * 1024 * 1024
"""Unzipped, layers included (Lambda quotas; its own error message says 262144000 bytes)."""

PYTHON = "3.13"
"""Of ``cdk/functions.py``. From 3.12 on Lambda's machine is Amazon Linux 2023; the one of 3.11 has a C library too old
for the wheels of pyarrow (manylinux_2_28)."""

PLATFORMS = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}

SOURCES = ("core", "handlers")

LIBRARY = ROOT / "core" / "report" / "assets" / "vega.min.js"
"""Made when Casemill is installed (setup.py), and no part of the repository."""

UNUSED = (
    "**/__pycache__",
    "**/*.pyi",
    "**/*.pxd",
    "**/*.pxi",
    "**/*.pyx",
    "**/*.h",
    "**/*.hpp",
    "bin",
    "numpy/**/tests",
    "numpy/f2py",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/tests",
    "pyarrow/*flight*",
    "pyarrow/*s3*",
    "pyarrow/*orc*",
    "pyarrow/*gandiva*",
    "pyarrow/libarrow_python*.so",
    "pyarrow/libarrow_python*.so.*.*",
    "duckdb/experimental",
    "adbc_driver_duckdb",
    # Of the command line only.
    "markdown_it",
    "mdurl",
    "pygments",
    "rich",
    "shellingham",
    "typer",
)
"""Patterns below the package's folder; a test imports every function from what is left."""


def main() -> None:
    """Assemble the package, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "functions" / "workflow")
    parser.add_argument("--architecture", choices=sorted(PLATFORMS), default="x86_64")
    parser.add_argument("--python", default=PYTHON, help="another version is for trying it out on this machine")
    asked = parser.parse_args()
    size = assemble(asked.out, asked.architecture, asked.python)
    sys.stdout.write(f"{asked.out}: {size / 1e6:,.1f} MB for {asked.architecture}\n")


def assemble(out: Path, architecture: str = "x86_64", python: str = PYTHON) -> int:
    """Make the folder anew; gives its size in bytes.

    Raises
    ------
    SystemExit
        A package cannot be had, or all together are too large.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    _install(out, architecture, python)
    for pattern in UNUSED:
        for path in sorted(out.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    left_out = shutil.ignore_patterns("__pycache__", "*.so", "requirements*", "command_line")
    if not LIBRARY.exists():
        subprocess.run([sys.executable, str(LIBRARY.parents[1] / "library.py")], check=False)
    if not LIBRARY.exists():
        raise SystemExit("the plotting library of the runs' pages could not be made (vl-convert-python; see above)")
    for name in SOURCES:
        shutil.copytree(ROOT / name, out / name, ignore=left_out)
    size = sum(path.stat().st_size for path in _files(out))
    if size > LARGEST_BYTES:
        raise SystemExit(f"{out} takes {size / 1e6:,.0f} MB; Lambda takes {LARGEST_BYTES / 1e6:,.0f} MB at the most")
    return size


def _install(out: Path, architecture: str, python: str) -> None:
    command = [
        sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:",
        "--require-hashes", "--python-version", python, "--python-platform", PLATFORMS[architecture],
        "--target", str(out), "--requirement", str(ROOT / "handlers" / "requirements.txt"),
    ]  # fmt: skip
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit("the packages of the lock could not be installed (handlers/requirements.txt; see above)")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
