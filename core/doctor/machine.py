"""This machine: its processors, memory, disks and limits. Pure in its judgements; what is there comes in as figures.

Not looked at, because nothing depends on them: the clock, the time zone (outputs hold no wall clock), the host's name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from core.doctor.findings import Finding, ok, problem, warning

GIB = 1 << 30
MEMORY_BYTES = GIB
"""A worker's share below which large cases may not fit: 1 GiB is what a job in the cloud is sure of (settings.py)."""

SCRATCH_BYTES = GIB
FEW_BYTES = 5 * GIB
"""Free space below which nobody knows whether a data set fits, where no cohort was given to compare with."""

OPEN_FILES = 1024
"""The usual limit of Linux; 256, that of macOS, is too few for many workers with an object and a shard each."""


def processors_and_memory(processors: int, memory_bytes: int | None) -> list[Finding]:
    """``memory_bytes``: what the machine or the container's limit allows; None where it cannot be told."""
    found = [ok("processors", f"{processors}: casemill run starts as many workers")]
    if memory_bytes is None:
        return [
            *found,
            warning("memory", "this system does not say", "Rehearse a run: it measures what a worker needs."),
        ]
    each = memory_bytes / processors
    said = f"{memory_bytes / GIB:.1f} GiB, {each / GIB:.1f} GiB for each worker"
    if each >= MEMORY_BYTES:
        return [*found, ok("memory", said)]
    fit = max(memory_bytes // MEMORY_BYTES, 1)
    return [
        *found,
        warning("memory", said, f"Give --workers {fit}, or rehearse a run: it measures what a worker needs."),
    ]


def open_files(limit: int | None) -> Finding:
    """``limit``: the soft limit of files that a process may have open; None where there is none."""
    if limit is None or limit >= OPEN_FILES:
        return ok("open files", "no limit" if limit is None else f"{limit:,} at once")
    return warning("open files", f"only {limit:,} at once", f"Raise it before a run: ulimit -n {OPEN_FILES * 4}.")


def scratch(folder: Path | None = None) -> Finding:
    """The folder for temporary files: some objects go through it."""
    looked_at = "scratch folder"
    try:
        place = folder or Path(tempfile.gettempdir())
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        where = error.filename or folder or "TMPDIR"
        said = f"{where}: {error.strerror or error}"
        return problem(looked_at, said, "Set TMPDIR to a folder that can be written to.")
    said = f"{place}, {size_text(free)} free"
    if free < SCRATCH_BYTES:
        return warning(looked_at, said, "Free some, or set TMPDIR to a folder with more space.")
    return ok(looked_at, said)


def output(folder: Path, cohort_bytes: int | None) -> list[Finding]:
    """The output folder, or where it will be made: can be written to, has room, and can create without replacing.

    ``cohort_bytes``: the source's size, which a data set with its saved segments stays below as a rule.
    """
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    looked_at = "output"
    if not place.is_dir():
        return [problem(looked_at, f"{place} is a file, not a folder", "Give another --out.")]
    free = shutil.disk_usage(place).free
    said = f"{folder.absolute()}, {size_text(free)} free"
    if cohort_bytes is not None:
        said += f" for {size_text(cohort_bytes)} of source data"
    short = free < (FEW_BYTES if cohort_bytes is None else cohort_bytes)
    advice = "Free some, or give another --out; casemill rehearse measures what a run needs."
    room = warning(looked_at, said, advice) if short else ok(looked_at, said)
    return [room, creates_without_replacing(place)]


def size_text(size: int) -> str:
    """Bytes in the larger of the two units that tell something."""
    return f"{size / GIB:,.1f} GiB" if size >= GIB else f"{size / (1 << 20):,.1f} MiB"


def creates_without_replacing(place: Path) -> Finding:
    """A commit record is created and never replaced, on which everything rests; some network drives cannot do it."""
    looked_at = "file system"
    try:
        with tempfile.TemporaryDirectory(prefix=".casemill-doctor-", dir=place) as trial:
            first = Path(trial) / "first"
            first.touch()
            os.link(first, Path(trial) / "second")
            try:
                os.link(first, Path(trial) / "second")
            except FileExistsError:
                return ok(looked_at, "writes, and creates without replacing")
    except OSError as error:
        return problem(looked_at, f"{place}: {error.strerror or error}", "Give an --out on another disk.")
    return problem(looked_at, f"{place}: a file that exists was replaced", "Give an --out on another disk.")
