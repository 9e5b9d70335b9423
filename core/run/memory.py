"""The memory of this process: the most that it has held, and what becomes of freed memory."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path


def peak_memory_bytes() -> int:
    """Peak resident memory of this process in bytes.

    Linux's ``VmHWM`` comes first: ``ru_maxrss`` of a spawned process starts with what its parent held.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def machine_memory_bytes() -> int | None:
    """Memory that this machine, or the container's limit, allows; None where it cannot be told."""
    found: list[int] = []
    try:
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError):
        return None
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        path = Path(limit)
        text = path.read_text(encoding="ascii").strip() if path.exists() else "max"
        if text.isdigit():
            found.append(int(text))
    return min(found)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""``M_TRIM_THRESHOLD`` and ``M_MMAP_THRESHOLD`` of glibc's malloc.h."""


def keep_freed_memory() -> bool:
    """Let this process keep what a case has freed for the next case; whether the C library can (glibc).

    A case frees its arrays and the next one asks for as much again. Given back in between, each page of 4 KiB must be
    cleared and mapped anew, which took an eighth of a packed case. The peak stays what it was; at the most 256 MiB
    are kept.
    """
    try:
        library = ctypes.CDLL(None)
        return bool(library.mallopt(_MMAP_THRESHOLD, 32 << 20)) and bool(library.mallopt(_TRIM_THRESHOLD, 256 << 20))
    except (OSError, AttributeError):
        return False  # another C library, which has its own ways
