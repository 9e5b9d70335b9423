"""Standard streams that are closed, full, gone, or of another encoding than ours."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def prepare_streams() -> None:
    """Make the three streams usable: a closed one becomes the null device, and no character can break one.

    Where a stream is closed, the next file that anybody opens would take its number, and be written into by prints.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  the process's own
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def takes_unicode(stream: TextIO) -> bool:
    """Whether every character can be written as it is."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def refusal_of(stream: TextIO) -> str:
    """Why a stream takes no more; empty where it does."""
    try:
        stream.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def give_up(stream: TextIO) -> None:
    """Send what is still held back, and all that follows, nowhere: the closing flush must not complain again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
