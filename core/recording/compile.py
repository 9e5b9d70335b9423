"""The library of ``walk.c``: where it stands, and how it is made (:mod:`core.compile`)."""

from __future__ import annotations

from pathlib import Path

from core import compile as compiling
from core.compile import CompileError, library_of, system_compiler

__all__ = ["LIBRARY", "SOURCE", "CompileError", "compile_walk", "source_digest", "system_compiler"]

SOURCE = Path(__file__).with_name("walk.c")
LIBRARY = library_of(SOURCE)


def source_digest() -> str:
    """SHA-256 of ``walk.c``, first 16 digits: what a library says that it was made of."""
    return compiling.source_digest(SOURCE)


def compile_walk(target: Path = LIBRARY) -> None:
    """Make the library at ``target``; errors as :func:`core.compile.compile_library`."""
    compiling.compile_library(SOURCE, target)
