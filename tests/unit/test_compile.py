"""Compiling the C sources: every one, with what it was made of in it, and with words where it fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import compile as compiling
from core.compile import CompileError, compile_library, library_of, source_digest, sources, system_compiler
from core.library import LibraryError
from core.workloads.vitaldb import grid_native
from tests.command_line import REPOSITORY
from tests.unit.test_library import EVERY

needs_compiler = pytest.mark.skipif(not system_compiler(), reason="there is no compiler")


@needs_compiler
def test_the_script_compiles_every_source(tmp_path: Path) -> None:
    headers = [path for source in sources() for path in source.parent.glob("*.h")]
    for source in (REPOSITORY / "core" / "compile.py", *sources(), *headers):
        target = tmp_path / source.relative_to(REPOSITORY / "core")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    subprocess.run([sys.executable, "-I", "-S", tmp_path / "compile.py"], check=True)
    for library in EVERY:
        made = library.load(tmp_path / library.path.relative_to(REPOSITORY / "core"))
        assert made.casemill_digest().decode() == source_digest(library.source)
    (tmp_path / "examples" / "deflate.c").write_text("no C")
    done = subprocess.run([sys.executable, tmp_path / "compile.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "deflate.c cannot be compiled" in done.stderr


@needs_compiler
def test_a_library_tells_a_header_that_has_changed(tmp_path: Path) -> None:
    library = grid_native.LIBRARY
    source, header = tmp_path / "grid.c", tmp_path / "grid_samples.h"
    for copy in (source, header):
        shutil.copy(library.source.with_name(copy.name), copy)
    header.write_text(f"{header.read_text()}\n")
    compile_library(source, library_of(source))
    with pytest.raises(LibraryError, match="compiled from another"):
        library.load(library_of(source))
    assert source_digest(source) != source_digest(library.source)
    header.write_text("no C")
    with pytest.raises(CompileError):
        compile_library(source, library_of(source))


@needs_compiler
def test_what_does_not_compile_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "deflate.c"
    source.write_text("no C")
    with pytest.raises(CompileError):
        compile_library(source, library_of(source))
    assert list(tmp_path.iterdir()) == [source]


def test_compiling_says_why_it_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = sources()[0]
    monkeypatch.setattr(compiling, "compile_commands", lambda source, target: [])
    with pytest.raises(CompileError, match="no C compiler"):
        compile_library(source, tmp_path / "x.so")
    program = "import sys; sys.exit('syntax error')"
    monkeypatch.setattr(compiling, "compile_commands", lambda source, target: [[sys.executable, "-c", program]])
    with pytest.raises(CompileError, match="syntax error"):
        compile_library(source, tmp_path / "x.so")
    assert list(tmp_path.iterdir()) == []
