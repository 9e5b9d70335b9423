"""What holds for each compiled library alike: when it is used, what does without it, and what it is called with."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from isal import isal_zlib

from core.compile import PLAIN, sources, system_compiler
from core.examples import deflate, pack_native
from core.library import CompiledLibrary, LibraryError, address_of
from core.recording import inflate_native, native
from core.workloads.vitaldb import grid_native
from tests.command_line import REPOSITORY

EVERY = (deflate.LIBRARY, pack_native.LIBRARY, inflate_native.LIBRARY, native.LIBRARY, grid_native.LIBRARY)
WITHOUT = {"deflate": "isal", "pack": "numpy", "inflate": "isal", "walk": "plain Python", "grid": "numpy"}
"""What works where there is no library, as users read it."""

_IMPORTS = """
import sys
from importlib import import_module

loaded = []
sys.addaudithook(lambda event, given: loaded.append(given[0]) if event == "ctypes.dlopen" else None)
libraries = [import_module(name).LIBRARY for name in sys.argv[1:]]
print(sum(str(one.path) in loaded for one in libraries))
for one in libraries:
    one.usable()
print(sum(str(one.path) in loaded for one in libraries))
"""


@pytest.fixture(params=sources(), ids=lambda source: source.stem)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> CompiledLibrary:
    """The library of each source; one that is new must stand in ``EVERY`` and ``WITHOUT``."""
    monkeypatch.delenv(PLAIN, raising=False)
    return {one.source: one for one in EVERY}[request.param]


@pytest.fixture
def compiled(library: CompiledLibrary) -> CompiledLibrary:
    """The same, where it could be compiled."""
    if not library.path.exists():
        pytest.skip("nothing could be compiled on this machine")
    return library


def parts_of(source: Path) -> list[Path]:
    """The source, and whatever is included from beside it."""
    found = [source]
    for path in found:
        beside = (source.with_name(name) for name in re.findall(r'#include "([^"]+)"', path.read_text()))
        found += [other for other in beside if other not in found]
    return found


def assert_left(library: CompiledLibrary, reason: str) -> None:
    """It is not used, for this reason and no other."""
    with pytest.raises(LibraryError) as refused:
        library.load()
    assert re.fullmatch(reason, str(refused.value))
    assert library.usable() is None
    assert library.in_use() == f"{library.without}: {refused.value}"


def test_every_library_names_what_works_without_it() -> None:
    assert {one.source.stem: one.without for one in EVERY} == WITHOUT
    assert len(EVERY) == len(sources())


@pytest.mark.skipif(not system_compiler(), reason="there is no compiler")
def test_it_is_used_where_there_is_a_compiler(library: CompiledLibrary) -> None:
    assert library.in_use() == "compiled", f"install the package again: {library.source.name} is newer"
    assert library.usable() is not None


def test_it_can_be_forbidden(compiled: CompiledLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("1", "yes", "00"):
        monkeypatch.setenv(PLAIN, value)
        assert compiled.usable() is None
        assert compiled.in_use() == f"{WITHOUT[compiled.source.stem]}: CASEMILL_PLAIN is set"
    for value in ("", "0"):
        monkeypatch.setenv(PLAIN, value)
        assert compiled.usable() is not None
        assert compiled.in_use() == "compiled"


def test_it_is_left_where_it_was_never_compiled(library: CompiledLibrary, tmp_path: Path) -> None:
    elsewhere = replace(library, source=tmp_path / library.source.name)
    assert_left(elsewhere, "it was not compiled when the package was installed")


def test_what_is_no_library_is_left(library: CompiledLibrary, tmp_path: Path) -> None:
    elsewhere = replace(library, source=tmp_path / library.source.name)
    elsewhere.path.write_bytes(b"no library")
    assert_left(elsewhere, "it cannot be loaded: .+")
    with pytest.raises(LibraryError, match=r"it cannot be loaded.+casemill_digest"):
        library.load(Path(isal_zlib.__file__))


def test_one_that_was_compiled_from_another_source_is_left(compiled: CompiledLibrary, tmp_path: Path) -> None:
    for part in parts_of(compiled.source):
        shutil.copy(part, tmp_path)
    shutil.copy(compiled.path, tmp_path)
    source = tmp_path / compiled.source.name
    assert replace(compiled, source=source).usable() is not None
    for part in parts_of(source):
        code = part.read_text()
        part.write_text(f"{code}\n")
        assert_left(replace(compiled, source=source), f"it was compiled from another {source.name}: install .+")
        part.write_text(code)


def test_one_whose_structure_has_another_size_is_left(compiled: CompiledLibrary) -> None:
    class Larger(ctypes.Structure):
        _fields_ = (("same", compiled.structure), ("more", ctypes.c_int64))

    assert_left(replace(compiled, structure=Larger), "it was compiled from another .+")
    assert_left(replace(compiled, size_function="casemill_other_bytes"), "it cannot be loaded: .*casemill_other_bytes")


def test_one_that_cannot_be_used_here_is_left(compiled: CompiledLibrary) -> None:
    def refuse(library: ctypes.CDLL) -> None:
        raise LibraryError("it is not for this machine")

    assert_left(replace(compiled, prepare=refuse), "it is not for this machine")


@pytest.mark.parametrize("refused", [False, True])
def test_it_is_loaded_once_when_it_is_first_asked_for(compiled: CompiledLibrary, refused: bool) -> None:
    loaded = []

    def prepare(library: ctypes.CDLL) -> None:
        loaded.append(library)
        if refused:
            raise LibraryError("it is not for this machine")

    counted = replace(compiled, prepare=prepare)
    assert not loaded
    for _ in range(3):
        assert counted.usable() is (None if refused else loaded[0])
        assert (counted.in_use() == "compiled") is not refused
    assert len(loaded) == 1


def test_none_is_loaded_where_it_is_only_imported() -> None:
    there = [one for one in EVERY if one.path.exists()]
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS, *(one.prepare.__module__ for one in there)],
        cwd=REPOSITORY, env={**os.environ, PLAIN: ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["0", str(len(there))]


WHOLE = np.arange(24, dtype=np.float64).reshape(4, 6)
READ_ONLY = np.frombuffer(bytes(16), np.uint8)


ARRAYS = {
    "whole": WHOLE,
    "from a row on": WHOLE[1:],
    "column": WHOLE[:, 2],
    "backwards": WHOLE[::-1],
    "turned": WHOLE.T,
    "empty": WHOLE[:0],
    "read-only": READ_ONLY[3:],
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_is_where_numpy_says(kind: str) -> None:
    assert address_of(ARRAYS[kind]) == ARRAYS[kind].ctypes.data


@pytest.mark.parametrize("source", [path.name for path in sources()])
def test_nothing_is_asked_that_zig_cannot_link_into_a_library(source: str) -> None:
    folder = next(path.parent for path in sources() if path.name == source)
    code = "".join(path.read_text("utf-8") for path in (*folder.glob("*.c"), *folder.glob("*.h")))
    assert "__builtin_cpu_supports(" not in code, "gcc's way to ask for the processor's kind needs a part of its own"
