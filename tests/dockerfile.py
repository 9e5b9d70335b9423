"""Reads our Dockerfile (stages and instructions, without heredocs) and the lists of pinned packages."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.command_line import REPOSITORY

DOCKERFILE = REPOSITORY / "batch_image" / "Dockerfile"
IMAGE_LIST = REPOSITORY / "batch_image" / "requirements.txt"


@dataclass(frozen=True)
class Instruction:
    """``stage`` is empty before the first FROM."""

    stage: str
    name: str
    value: str


def read_dockerfile(path: Path = DOCKERFILE) -> list[Instruction]:
    """The instructions in order, continued lines joined."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
    found, stage = [], ""
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, value = line.partition(" ")
        if name == "FROM":
            stage = value.rpartition(" AS ")[2]
        found.append(Instruction(stage, name, value.strip()))
    return found


def values(instructions: list[Instruction], stage: str, name: str) -> list[str]:
    """The values of one kind of instruction in a stage."""
    return [item.value for item in instructions if (item.stage, item.name) == (stage, name)]


def variables(instructions: list[Instruction], stage: str) -> dict[str, str]:
    """What ENV sets."""
    pairs = [pair for value in values(instructions, stage, "ENV") for pair in shlex.split(value)]
    return dict(pair.split("=", 1) for pair in pairs)


def entry_point(instructions: list[Instruction], stage: str) -> list[str]:
    """ENTRYPOINT in exec form."""
    (value,) = values(instructions, stage, "ENTRYPOINT")
    words: list[str] = json.loads(value)
    return words


def copied_sources(instructions: list[Instruction], stage: str) -> list[tuple[str, str]]:
    """What COPY takes from the build's context, with its target."""
    pairs = [tuple(value.split()) for value in values(instructions, stage, "COPY") if not value.startswith("--from")]
    return [(source, target) for source, target in pairs]


def pins(path: Path) -> dict[str, str]:
    """Name and version of every line that applies to the image's Python on Linux."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.rstrip(" \\")
        if not text or text[0] in "# " or text.startswith("--"):
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(
            {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux"}
        ):
            found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found
