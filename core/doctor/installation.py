"""What is installed: Python, the packages at the versions of the lock, and the compiled libraries."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from core.code_version import code_version
from core.doctor.findings import Finding, ok, problem, warning

LEAST_PYTHON = (3, 10)
LOCK = Path(__file__).parents[2] / "requirements.txt"
"""The lock; it is only there where Casemill is installed from its own folder."""

_INSTALL = "Install it again: make setup, or pip install --constraint requirements.txt -e ."
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def examine_installation() -> list[Finding]:
    """Everything that was installed, in the order in which it would stop a run."""
    lock = LOCK.read_text(encoding="utf-8") if LOCK.exists() else None
    return [
        python(sys.version_info[:3]),
        ok("casemill", code_version()),
        packages(base_requirements(requires("casemill") or ()), lock, installed_version),
        *compiled_libraries(),
        optional("TensorFlow", ("tensorflow", "tensorflow-cpu"), "core.dataset.load", "train"),
        optional("AWS SDK", ("boto3",), "the commands for the cloud", "aws"),
    ]


def python(found: Sequence[int]) -> Finding:
    """``found``: the version's three numbers."""
    said = f"{'.'.join(map(str, found))} on {platform.system()} {platform.machine()}"
    if tuple(found[:2]) < LEAST_PYTHON:
        return problem("Python", said, f"Use Python {'.'.join(map(str, LEAST_PYTHON))} or newer.")
    return ok("Python", said)


def base_requirements(lines: Sequence[str]) -> list[str]:
    """Names of the packages without which nothing works, of a distribution's requirements."""
    # What has a condition is either an extra's, or for another Python than most.
    return [found[0] for line in lines if ";" not in line and (found := _NAME.match(line))]


def installed_version(name: str) -> str | None:
    """None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def packages(names: Sequence[str], lock: str | None, installed: Callable[[str], str | None]) -> Finding:
    """``lock``: text of ``requirements.txt``, where a package may stand several times, for several Pythons."""
    found: Mapping[str, str | None] = {name: installed(name) for name in names}
    missing = [name for name, there in found.items() if there is None]
    if missing:
        return problem("packages", f"missing: {', '.join(missing)}", _INSTALL)
    if lock is None:
        return ok("packages", f"{len(found)} installed; there is no lock to compare them with")
    pins: dict[str, set[str]] = {}
    for name, pinned in _PIN.findall(lock):
        pins.setdefault(_plain(name), set()).add(pinned)
    others = [
        f"{name} {there} (the lock has {', '.join(sorted(pins[_plain(name)]))})"
        for name, there in found.items()
        if _plain(name) in pins and there not in pins[_plain(name)]
    ]
    if others:
        return warning("packages", "; ".join(others), f"Other versions are not tested. {_INSTALL}")
    return ok("packages", f"{len(found)} at the versions of the lock")


def compiled_libraries() -> list[Finding]:
    """What is compiled: each part is done by Python or a package where there is no library, with the same result."""
    from core.examples import deflate, pack_native
    from core.recording import inflate_native, native

    return [
        compiled("inflating recordings", inflate_native.LIBRARY.in_use()),
        compiled("reading recordings", native.LIBRARY.in_use()),
        compiled("laying out examples", pack_native.LIBRARY.in_use()),
        compiled("compressing shards", deflate.LIBRARY.in_use()),
    ]


def compiled(looked_at: str, in_use: str) -> Finding:
    """``in_use``: ``compiled``, or what is used instead and why."""
    if in_use == "compiled":
        return ok(looked_at, in_use)
    advice = "Slower, with the same records. With a C compiler at hand, install Casemill again: pip install -e ."
    if "is set" in in_use:
        advice = "Slower, with the same records. Unset CASEMILL_PLAIN."
    return warning(looked_at, in_use, advice)


def optional(looked_at: str, names: Sequence[str], needed_by: str, extra: str) -> Finding:
    """What only some need."""
    there = next((f"{name} {found}" for name in names if (found := installed_version(name))), None)
    return ok(looked_at, there or f"not installed; only {needed_by} needs it (pip install -e '.[{extra}]')")


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
