"""What the code version stands for: all code that can change a byte of a data set."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

import core
from core.code_version import WITHOUT, code_version, left_out, version_of

PACKAGE = Path(core.__file__).parent
LEFT_OUT = tuple(
    f"core.{path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')}" for path in left_out(PACKAGE)
)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Imports inside of functions are among them."""
    return grimp.build_graph("batch_image", "core", "handlers", exclude_type_checking_imports=True, cache_dir=None)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(PACKAGE, tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.min.js"))
    )


def is_left_out(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in LEFT_OUT)


def left_out_of(graph: grimp.ImportGraph, *modules: str) -> set[str]:
    """The folders without a say that these modules come to import, at any remove."""
    upstream = {found for module in modules for found in graph.find_upstream_modules(module)}
    return {name for name in LEFT_OUT if any(found == name or found.startswith(f"{name}.") for found in upstream)}


def counting(graph: grimp.ImportGraph) -> list[str]:
    own = [module for module in graph.modules if module.partition(".")[0] in ("core", "batch_image")]
    return [module for module in own if not is_left_out(module)]


def test_the_version_is_the_installed_package_s() -> None:
    assert code_version() == version_of(PACKAGE)
    assert re.fullmatch(r"[0-9.]+\+[0-9a-f]{12}", code_version())


def test_what_is_left_out_is_there() -> None:
    assert [path for path in left_out(PACKAGE) if not path.exists()] == []
    assert {"core.cli", "core.workloads.vitaldb.demo", "core.workloads.vitaldb.commands"} < {*LEFT_OUT}


def test_nothing_that_counts_imports_what_is_left_out(graph: grimp.ImportGraph) -> None:
    """So no code without a say is on the way to an example, nor to a sealed document."""
    modules = counting(graph)
    assert {"core.run.worker", "core.run.documents", "core.workloads.vitaldb.workload"} < set(modules)
    found = {
        (module, imported)
        for module in modules
        for imported in graph.find_modules_directly_imported_by(module)
        if is_left_out(imported)
    }
    assert found == set()


def test_what_is_imported_by_name_only_cannot_be_left_out_code(graph: grimp.ImportGraph) -> None:
    """Such imports are not in the graph: a workload's, by its folder, and TensorFlow."""
    paths = (PACKAGE.parent / f"{module.replace('.', '/')}.py" for module in counting(graph))
    by_name = {
        path.relative_to(PACKAGE).as_posix()
        for path in paths
        if path.exists() and re.search(r"\bimport_module\(|\b__import__\(|\bentry_points\(", path.read_text())
    }
    assert by_name == {"dataset.py", "workloads/registry.py"}


@pytest.mark.parametrize(
    ("function", "uses"),
    [
        ("plan", {"core.cost"}),  # the width of an array: which worker makes an example changes none
        ("inspect", set()),
        ("verify", set()),
        ("publish", {"core.cost", "core.report"}),  # cost.json and report.html, which are not sealed
    ],
)
def test_the_functions_use_it_for_what_is_no_data_set(graph: grimp.ImportGraph, function: str, uses: set[str]) -> None:
    assert left_out_of(graph, f"handlers.{function}") == uses


def kinds(package: Path) -> Iterator[Path]:
    yield from (path for path in sorted(package.rglob("*")) if path.suffix in (".py", ".c", ".h", ".toml"))


def test_a_change_counts_wherever_it_could_matter_and_nowhere_else(package: Path) -> None:
    """One changed file of each folder and kind, with a say and without."""
    assert version_of(package) == code_version()
    beside = left_out(package)
    seen = {(path.parent, path.suffix, any(map(path.is_relative_to, beside))): path for path in kinds(package)}
    for (_, _, without), path in seen.items():
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert (version_of(package) == code_version()) == without, path
        path.write_bytes(content)
    assert {"commands.py", "times.toml"} < {path.name for path in seen.values()}
    folders = {folder.relative_to(package).as_posix() for folder, _, _ in seen}
    assert {"examples", "recording", "run", "workloads/trajectory", "workloads/vitaldb/profiles"} < folders


def test_a_new_file_counts_but_in_the_folders_left_out(package: Path) -> None:
    for name in (*WITHOUT, "workloads/vitaldb/demo"):
        (package / name / "new.py").write_text("")
    (package / "workloads/trajectory/commands.py").write_text("")
    assert version_of(package) == code_version()
    (package / "workloads" / "new.py").write_text("")
    assert version_of(package) != code_version()
