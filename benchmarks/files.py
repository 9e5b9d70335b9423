"""The bench folder: recordings are made once and found again by what they were made of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import core
from benchmarks.layouts import Facts, write_recording, write_short_recording
from core.code_version import digest_of_code
from core.recording.writer import Layout

KEY = "0001.vital"


@dataclass(frozen=True)
class BenchRecording:
    """One recording, alone in its folder under the name :data:`KEY`."""

    folder: Path
    seconds: int
    facts: Facts

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / KEY


@dataclass(frozen=True)
class BenchFolder:
    """Where everything that the benchmarks make stands: recordings to keep, scratch folders to remove."""

    root: Path

    def short_recording(self, seconds: int) -> Path:
        """A plain recording without waves, made if it is not there."""
        path = self.kept(f"short-{seconds}") / KEY
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_short_recording(path, seconds)
        return path

    def recording(self, layout: Layout, seconds: int) -> BenchRecording:
        """The recording of this layout and length, made if it is not there."""
        folder = self.kept(f"{layout.value}-{seconds}")
        facts = folder / "facts.json"
        if not facts.exists():
            folder.mkdir(parents=True, exist_ok=True)
            found = write_recording(folder / KEY, layout, seconds)
            facts.write_text(json.dumps(vars(found)))
        return BenchRecording(folder, seconds, Facts(**{**json.loads(facts.read_text()), "layout": layout}))

    def kept(self, name: str) -> Path:
        """A folder for what can be used again as long as neither the core nor the benchmarks change."""
        return self.root / "files" / _code() / name

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that is removed at the end."""
        (self.root / "scratch").mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(dir=self.root / "scratch"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def forget_others(self) -> None:
        """Remove what other code has made."""
        for folder in (self.root / "files").glob("*"):
            if folder.name != _code():
                shutil.rmtree(folder)


def link_cases(recording: Path, folder: Path, cases: int) -> None:
    """The same recording as cases 1 to ``cases``, without copies where the file system allows it."""
    folder.mkdir(parents=True)
    for number in range(1, cases + 1):
        os.link(recording, folder / f"{number:04d}.vital")


@cache
def _code() -> str:
    """Of everything: the demo cohorts are among what is kept, and the code version leaves their maker out."""
    package = Path(core.__file__).parent
    own = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        own.update(path.read_bytes())
    return f"{digest_of_code(package, (package,))[:12]}-{own.hexdigest()[:8]}"
