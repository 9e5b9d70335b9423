"""``casemill doctor`` of a machine: each judgement on figures of its own, and the command on this machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.doctor import installation, machine
from core.doctor.findings import Finding, State, healthy, ok, problem, verdict, warning
from core.doctor.installation import base_requirements, compiled, examine_installation, packages, python
from tests.command_line import Answer
from tests.tiny_recordings import TinyCohort

Command = Callable[..., Answer]
GIB = 1 << 30
LOCK = "a-b==1.0\nnumpy==2.2.6 ; python_full_version < '3.11'\nnumpy==2.4.6 ; python_full_version >= '3.11'\nc[x]==3\n"


def test_the_verdict_counts_and_only_problems_are_unhealthy() -> None:
    found = [ok("a", "1"), warning("b", "2", "do"), problem("c", "3", "do")]
    assert verdict(found) == "3 things looked at: 1 ok, 1 warnings, 1 problems"
    assert not healthy(found)
    assert healthy(found[:2])


@pytest.mark.parametrize(
    ("found", "state"), [((3, 9, 18), State.PROBLEM), ((3, 10, 0), State.OK), ((4, 0, 0), State.OK)]
)
def test_python(found: tuple[int, ...], state: State) -> None:
    assert python(found).state is state


@pytest.mark.parametrize(
    ("there", "lock", "state", "says"),
    [
        ({"numpy": "2.4.6", "A_b": "1.0"}, LOCK, State.OK, "2 at the versions of the lock"),
        ({"numpy": "2.2.6", "A_b": "1.0"}, LOCK, State.OK, "of the lock"),
        ({"numpy": "2.3.0", "A_b": "1.0"}, LOCK, State.WARNING, "numpy 2.3.0 (the lock has 2.2.6, 2.4.6)"),
        ({"numpy": None, "A_b": "1.0"}, LOCK, State.PROBLEM, "missing: numpy"),
        ({"numpy": "2.3.0"}, None, State.OK, "no lock"),
    ],
)
def test_packages(there: dict[str, str | None], lock: str | None, state: State, says: str) -> None:
    found = packages(list(there), lock, there.get)
    assert found.state is state
    assert says in found.found
    assert bool(found.fix) == (state is not State.OK)


def test_conditions_are_left_out_of_what_is_needed() -> None:
    assert base_requirements(["duckdb>=1.4", "tomli>=2; python_version < '3.11'", "boto3; extra == 'aws'"]) == [
        "duckdb"
    ]


@pytest.mark.parametrize("reason", ["plain Python: it was not compiled", "isal: CASEMILL_PLAIN is set"])
def test_a_library_that_is_not_in_use_says_why(reason: str) -> None:
    found = compiled("compressing shards", reason)
    assert (found.state, found.found) == (State.WARNING, reason)
    assert ("Unset" in found.fix) == ("is set" in reason)


def test_what_is_in_use_is_what_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEMILL_PLAIN", "1")
    assert all("CASEMILL_PLAIN is set" in item.found for item in installation.compiled_libraries())


@pytest.mark.parametrize(
    ("processors", "memory", "state", "says"),
    [
        (4, 8 * GIB, State.OK, "2.0 GiB for each"),
        (8, 4 * GIB, State.WARNING, "0.5 GiB"),
        (2, None, State.WARNING, "not say"),
    ],
)
def test_memory(processors: int, memory: int | None, state: State, says: str) -> None:
    _, found = machine.processors_and_memory(processors, memory)
    assert found.state is state
    assert says in found.found
    if memory == 4 * GIB:
        assert "--workers 4" in found.fix


@pytest.mark.parametrize(("limit", "state"), [(256, State.WARNING), (1024, State.OK), (None, State.OK)])
def test_open_files(limit: int | None, state: State) -> None:
    assert machine.open_files(limit).state is state


def test_the_scratch_folder(tmp_path: Path) -> None:
    assert machine.scratch(tmp_path).state in (State.OK, State.WARNING)
    missing = machine.scratch(tmp_path / "none")
    assert (missing.state, "TMPDIR" in missing.fix) == (State.PROBLEM, True)
    assert list(tmp_path.iterdir()) == []


def test_room_for_a_cohort(tmp_path: Path) -> None:
    room, files = machine.output(tmp_path / "to" / "come", 1 << 60)
    assert (room.state, files.state) == (State.WARNING, State.OK)
    assert "of source data" in room.found
    assert machine.output(tmp_path, 1)[0].state is State.OK
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_an_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (found,) = machine.output(tmp_path / "file" / "out", None)
    assert found.state is State.PROBLEM


@pytest.mark.parametrize("fault", ["refused", "replaced"])
def test_a_file_system_that_cannot_create_without_replacing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def link(source: object, target: object) -> None:
        if fault == "refused":
            raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", link)
    found = machine.creates_without_replacing(tmp_path)
    assert found.state is State.PROBLEM
    assert ("replaced" if fault == "replaced" else "not supported") in found.found
    assert "another disk" in found.fix


def test_the_command_on_this_machine(command: Command, tiny_cohort: TinyCohort, tmp_path: Path) -> None:
    answer = command("doctor", "--source", tiny_cohort.source, "--out", tmp_path, "--json")
    said: dict[str, Any] = json.loads(answer.out)
    assert answer.code == (0 if said["healthy"] else 1)
    found = {item["looked_at"]: item for item in said["findings"]}
    assert found["source"]["found"].startswith(f"{tiny_cohort.source}: 12 files")
    assert {"Python", "packages", "memory", "scratch folder", "file system", "open files"} <= set(found)
    text = command("doctor", "--source", tmp_path / "none", "--out", tmp_path)
    assert text.code == 1
    assert re.search(rf"^problem source +{tmp_path}/none: no such folder$", text.out, re.MULTILINE)
    assert text.out.splitlines()[-1].endswith("1 problems")


def test_options_that_mean_nothing(command: Command) -> None:
    answer = command("doctor", "--write")
    assert answer.code == 64
    assert "--write: means nothing without --aws" in answer.err


def test_every_finding_that_is_not_well_says_what_to_do() -> None:
    findings: list[Finding] = examine_installation()
    assert all(item.fix for item in findings if item.state is not State.OK)
