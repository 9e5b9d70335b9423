"""What is done while a person waits: steps with their seconds, some of them commands beside the others."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from tests.command_line import REPOSITORY

LAST_LINES = 30


class FailedStepError(Exception):
    """A step that ended badly, with what it said."""


class Undisturbed:
    """A block in which a signal waits for the end: a process that has just been started can be ended only then."""

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: Callable[[], None] | None = None

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *failure: object) -> None:
        self._depth -= 1
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()

    def keep(self, act: Callable[[], None]) -> bool:
        """Whether what a signal asks for is put off to the end of the block."""
        if self._depth:
            self._waiting = act
        return self._depth > 0


class BackgroundCommand:
    """A command beside the other work, in a process group of its own that goes with it."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = list(command)
        number = len(list(folder.glob("*.log")))
        self._log = folder / f"command-{number}.log"

    def __enter__(self) -> BackgroundCommand:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(self, *failure: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def poll(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def wait(self) -> str:
        """What it printed, once it has ended.

        Raises
        ------
        FailedStepError
            It ended badly.
        """
        code = self.process.wait()
        said = self._log.read_text(errors="replace")
        if code:
            last = "\n".join(f"  {line}" for line in said.splitlines()[-LAST_LINES:])
            raise FailedStepError(f"{shlex.join(self._command)} ended with {code}:\n{last}")
        return said


class _Seconds(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_time or task.elapsed or 0:4.0f} s", style="dim")


class Steps:
    """Lines with a spinner on a terminal, and one line for each finished step elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), _Seconds())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._watched: dict[int, tuple[str, Callable[[], bool]]] = {}
        self._end = Event()
        self._watcher = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Steps:
        self._progress.start()
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._watcher.join()
        self._look()
        self._progress.stop()

    def begin(self, name: str, has_ended: Callable[[], bool]) -> None:
        """A step beside the others, done when ``has_ended`` says so."""
        self._watched[self._progress.add_task(name, total=1)] = (name, has_ended)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step that lasts for the block."""
        task = self._progress.add_task(name, total=1)
        yield
        self._finish(task, name)

    def _watch(self) -> None:
        while not self._end.wait(0.1):
            self._look()

    def _look(self) -> None:
        for task, (name, has_ended) in list(self._watched.items()):
            if has_ended():
                del self._watched[task]
                self._finish(task, name)

    def _finish(self, task: int, name: str) -> None:
        found = next(each for each in self._progress.tasks if each.id == task)
        self._progress.update(found.id, completed=1)
        if not self._console.is_terminal:
            self._console.print(f"  {name} ({found.finished_time or 0:.0f} s)")
            self._console.file.flush()
