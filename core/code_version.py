"""Which code made an output: the release and a digest of the source itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from core import __version__

WITHOUT = ("cli", "compare", "cost", "doctor", "report")
"""Folders of the package that make no byte of a data set: the commands, and what compares, prices, examines and shows.
All else counts, also what hardly matters. A test holds that nothing that counts imports them; the Plan function asks
``cost`` for the width of an array, which changes no example (design, rule 1)."""

WITHOUT_OF_A_WORKLOAD = ("commands.py", "demo", "times.toml")
"""The same in each workload's folder: its commands, its maker of demo cohorts, and how long its work takes."""


@cache
def code_version() -> str:
    """``0.1.0+1a2b3c4d5e6f``: version and SHA-256 over the Python, C and TOML files that a data set comes from.

    The digest is in the run's id: changed code starts a new run and never resumes the shards of another code.
    """
    return version_of(Path(__file__).parent)


def version_of(package: Path) -> str:
    """The same of the package in a folder."""
    return f"{__version__}+{digest_of_code(package, (package,), left_out(package))[:12]}"


def left_out(package: Path) -> list[Path]:
    """Folders and files of the package without a say."""
    of_workloads = (path for name in WITHOUT_OF_A_WORKLOAD for path in package.glob(f"workloads/*/{name}"))
    return [*(package / name for name in WITHOUT), *sorted(of_workloads)]


def digest_of_code(root: Path, folders: Iterable[Path], without: Iterable[Path] = ()) -> str:
    """SHA-256, in hex, over names (below ``root``) and contents of the Python, C and TOML files in some folders."""
    digest = hashlib.sha256()
    excluded = tuple(without)
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix in (".c", ".h", ".py", ".toml") and not any(path.is_relative_to(folder) for folder in excluded):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
