"""Compiles Casemill's C sources, each beside itself: with the system's C compiler, else with the one in ``ziglang``.

Run when the package is installed (``setup.py``) and when the image is built: ``python core/compile.py``.
It needs neither Casemill's packages nor Python's headers.
"""

from __future__ import annotations

import hashlib
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

PLAIN = "CASEMILL_PLAIN"
"""The environment variable that forces the work to be done without compiled libraries (any value but empty and 0)."""

COMPILERS = ("cc", "gcc", "clang")

# No contraction to fused operations: results must not differ between processors (design, rule 1).
OPTIONS = ("-std=c99", "-O2", "-fPIC", "-shared", "-ffp-contract=off", "-fvisibility=default", "-Wall", "-Wextra")

_INCLUDED = re.compile(rb'^#include "([^"]+)"', re.MULTILINE)

PORTABLE = ("-mcpu=baseline",)
"""What zig needs to be told: without it the code is for the processor that compiles it, and no other."""


class CompileError(Exception):
    """No library: there is no compiler, or it failed; the text says which."""


def sources() -> tuple[Path, ...]:
    """The C sources below this folder."""
    return tuple(sorted(Path(__file__).parent.rglob("*.c")))


def library_of(source: Path) -> Path:
    """Where the library of a source stands: ``libwalk.so`` beside ``walk.c``."""
    return source.with_name(f"lib{source.stem}.so")


def source_digest(source: Path) -> str:
    """SHA-256 of a source and of what it includes from beside it, first 16 digits: what a library says that it was
    made of."""
    code = source.read_bytes()
    parts = [source.with_name(name.decode()).read_bytes() for name in _INCLUDED.findall(code)]
    return hashlib.sha256(b"".join((code, *parts))).hexdigest()[:16]


def system_compiler() -> str | None:
    """The path of the system's C compiler."""
    return next(filter(None, map(which, COMPILERS)), None)


def compile_commands(source: Path, target: Path) -> list[list[str]]:
    """The command of every compiler that is here, the system's first."""
    compiler = system_compiler()
    found = [[compiler]] if compiler else []
    if find_spec("ziglang"):
        found.append([sys.executable, "-m", "ziglang", "cc", *PORTABLE])
    digest = f'-DCASEMILL_DIGEST="{source_digest(source)}"'
    return [[*command, *OPTIONS, digest, "-o", str(target), str(source)] for command in found]


def compile_library(source: Path, target: Path) -> None:
    """Make the library of ``source`` at ``target``, in place of an older one.

    Raises
    ------
    CompileError
        See there.
    """
    import subprocess  # not at the top: whoever loads a library imports this module for the digest alone

    failures = []
    unfinished = target.with_name(f"{target.name}.tmp")
    for command in compile_commands(source, unfinished):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            # At once: a process that has the old library loaded keeps it.
            unfinished.replace(target)
            return
        failures.append(f"{command[0]}: {done.stderr.strip() or done.returncode}")
    unfinished.unlink(missing_ok=True)
    raise CompileError("\n".join(failures) or "there is no C compiler, and no package ziglang")


if __name__ == "__main__":
    for one in sources():
        try:
            compile_library(one, library_of(one))
        except CompileError as error:
            sys.exit(f"{one.name} cannot be compiled: {error}")
