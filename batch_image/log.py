"""The container's log: one line of JSON per event, with ids and counts only."""

from __future__ import annotations

import json
import sys
import time
from pathlib import PurePath
from traceback import walk_tb
from types import TracebackType

Value = str | int | float | bool | None | list[int] | list[str]


def log(event: str, **values: Value) -> None:
    """Print the event to standard output, at once."""
    line = {"time": round(time.time(), 3), "event": event, **values}
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def places(trace: TracebackType | None) -> list[str]:
    """Where an error came through, without its message: that may quote a case's data."""
    return [f"{PurePath(frame.f_code.co_filename).name}:{line}" for frame, line in walk_tb(trace)]
