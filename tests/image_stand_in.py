"""The image without a container engine: the Dockerfile's packages, files, variables and entry point, in a folder.

A process in it runs as an unprivileged user (where the tests may change users) and finds everything but its scratch
folder read-only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from core.compile import library_of, sources, system_compiler
from tests.command_line import REPOSITORY
from tests.dockerfile import copied_sources, entry_point, read_dockerfile, values, variables

NOBODY = 65534
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


class NoPythonError(Exception):
    """No Python of the image's version that the unprivileged user may run."""


@dataclass(frozen=True)
class StandIn:
    """Where the image's ``/opt/casemill``, ``/app`` and ``/scratch`` stand."""

    folder: Path

    @property
    def packages(self) -> Path:
        return self.folder / "packages"

    @property
    def application(self) -> Path:
        return self.folder / "app"

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    @property
    def python(self) -> Path:
        return self.packages / "bin" / "python"

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of the image and of the job; nothing of the tests' own."""
        places = {"/opt/casemill": self.packages, "/app": self.application, "/scratch": self.scratch}
        found = {}
        for name, value in variables(read_dockerfile(), "worker").items():
            for inside, outside in places.items():
                value = value.replace(inside, str(outside))
            found[name] = value
        return {**found, **more}

    def entry(self) -> list[str]:
        """The entry point's words."""
        words = entry_point(read_dockerfile(), "worker")
        return [str(self.python), *words[1:]]

    def settings(self, **more: str) -> dict[str, Any]:
        """What :mod:`subprocess` is told."""
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if IS_ROOT else {}
        return {"env": self.environment(**more), "cwd": self.scratch, "text": True, **user}

    def start(self, **more: str) -> subprocess.Popen[str]:
        """The entry point with these variables."""
        return subprocess.Popen(self.entry(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **self.settings(**more))

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        """The entry point to its end."""
        return subprocess.run(self.entry(), capture_output=True, timeout=120, check=False, **self.settings(**more))

    def run_python(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A piece of Python in the image."""
        command = [str(self.python), "-c", program, *arguments]
        return subprocess.run(command, capture_output=True, timeout=60, check=False, **self.settings())

    def give(self, folder: Path) -> None:
        """Make the unprivileged user the owner of a folder."""
        if IS_ROOT:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)


@contextmanager
def image_stand_in() -> Iterator[StandIn]:
    """Build it, and remove it at the end.

    Raises
    ------
    NoPythonError
        See there.
    """
    # Not below the tests' own folder, which only their user may enter.
    folder = Path(mkdtemp(prefix="casemill-image-"))
    try:
        folder.chmod(0o755)
        stand_in = StandIn(folder)
        stand_in.scratch.mkdir()
        stand_in.give(stand_in.scratch)
        _copy_application(stand_in)
        _install_packages(stand_in)
        yield stand_in
    finally:
        shutil.rmtree(folder)


def _copy_application(stand_in: StandIn) -> None:
    pairs = [pair for pair in copied_sources(read_dockerfile(), "build") if not pair[0].endswith("requirements.txt")]
    stand_in.application.mkdir()
    for source, target in pairs:
        origin, copy = REPOSITORY / source, stand_in.application / target
        if origin.is_dir():
            shutil.copytree(origin, copy, ignore=shutil.ignore_patterns("__pycache__", ".*", "*.so"))
        else:
            shutil.copy(origin, copy)
    _compile_libraries(stand_in)
    subprocess.run(["chmod", "-R", "a=rX", stand_in.application], check=True)


def _compile_libraries(stand_in: StandIn) -> None:
    """What the image's compiler does, which is a large download: the machine's, else what the installation compiled."""
    (line,) = (line for line in values(read_dockerfile(), "build", "RUN") if "compile.py" in line)
    script = line.split()[1]
    if system_compiler():
        subprocess.run([sys.executable, script], cwd=stand_in.application, check=True)
        return
    for library in filter(Path.exists, map(library_of, sources())):
        shutil.copy(library, stand_in.application / library.relative_to(REPOSITORY))


def _install_packages(stand_in: StandIn) -> None:
    subprocess.run([_python(), "-m", "venv", "--without-pip", stand_in.packages], check=True)
    # The image has no installer, so the test's own installs into it. Compiled, as the image is: its user may not write.
    install = [sys.executable, "-m", "uv", "pip", "install", "--python", stand_in.python, "--quiet", "--no-deps"]
    listed = ["--require-hashes", "--requirement", REPOSITORY / "batch_image" / "requirements.txt"]
    settled = ["--only-binary", ":all:", "--link-mode", "copy", "--compile-bytecode"]
    subprocess.run([*install, *settled, *listed], check=True)
    subprocess.run(["chmod", "-R", "a+rX", stand_in.packages], check=True)


def _python() -> str:
    """A Python of the image's version that the unprivileged user may run."""
    arguments = dict(value.split("=", 1) for value in values(read_dockerfile(), "", "ARG"))
    version = arguments["PYTHON_TAG"].partition("-")[0]
    own = os.path.realpath(sys.executable)
    candidates = [f"/usr/local/bin/python{version}", f"/usr/bin/python{version}", shutil.which(f"python{version}"), own]
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if IS_ROOT else {}
    program = "import sys; print(*sys.version_info[:2], sep='.')"
    for candidate in filter(None, candidates):
        try:
            done = subprocess.run(
                [candidate, "-c", program], capture_output=True, text=True, check=False, cwd="/", **user
            )
        except OSError:
            continue
        if done.stdout.strip() == version:
            return candidate
    raise NoPythonError(f"no Python {version} that user {NOBODY if IS_ROOT else 'here'} may run")
