"""A case from a warm grid cache against the same case from its recording.

Measured from outside: ``casemill run`` with and without ``--grid-cache``, and the seconds of each case that the commit
records tell. So it needs nothing of the cache but the command line's option.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.errors import DisagreementError
from benchmarks.files import BenchFolder, link_cases
from benchmarks.measure import Times, ratio
from benchmarks.processes import REPOSITORY, TIME_LIMIT_S, command_line, environment
from benchmarks.sizes import Sizes
from benchmarks.table import Part, at_least, line, milliseconds, raw
from core.recording.writer import Layout
from core.run.models import CommitRecord

NAME, TITLE = "cache", "Grid cache"
OPTION = "--grid-cache"
GOAL = "case from a warm grid cache against the interleaved case"
CASES = 6


def measure_cache(folder: BenchFolder, sizes: Sizes) -> Part:
    """Without the cache, with it cold, with it warm, in turn; says so where this version has no cache."""
    env = environment(folder)
    if not _has_cache(env):
        return Part(name=NAME, title=TITLE, missing=(f"{GOAL} (goal ≥ 8 ×): casemill run has no {OPTION}",))
    recording = folder.recording(Layout.INTERLEAVED, sizes.case_s)
    seconds: dict[str, list[float]] = {"without": [], "cold": [], "warm": []}
    contents: set[str] = set()
    for _ in range(sizes.few_rounds):
        with folder.scratch() as scratch:
            link_cases(recording.path, scratch / "cases", CASES)
            for name, found in seconds.items():
                cache = [] if name == "without" else [OPTION, str(scratch / "cache")]
                records = run_cases(scratch / "cases", scratch / name, cache, env)
                found.append(case_seconds(records))
                contents.add(" ".join(record.content_sha256 for record in records))
    if len(contents) != 1:
        raise DisagreementError("with the grid cache the examples are others than without")
    times = {name: Times(tuple(found)) for name, found in seconds.items()}
    lines = (
        line(GOAL, ratio(times["without"], times["warm"]), "×", at_least(8), milliseconds(*times.items())),
        line("filling the cache: a case takes", ratio(times["cold"], times["without"]).scaled(100), "%"),
    )
    about = f"Seconds of a case as the commit records tell them, {CASES} interleaved cases a run, on one process."
    agreement = "the same examples without the cache, with it cold and with it warm"
    return Part(name=NAME, title=TITLE, about=about, lines=lines, agreements=(agreement,), times=raw(times))


def _has_cache(env: dict[str, str]) -> bool:
    # A wide terminal, so that the option is not cut.
    shown = subprocess.run([*command_line(), "run", "--help"], env={**env, "COLUMNS": "200"}, capture_output=True,
                           text=True, check=True, timeout=TIME_LIMIT_S)  # fmt: skip
    return OPTION in shown.stdout


def run_cases(source: Path, out: Path, cache: list[str], env: dict[str, str]) -> list[CommitRecord]:
    """The commit records of a run on one process, in the order of the shards."""
    command = [*command_line(), "run", "--source", str(source), "--out", str(out), "--workers", "1", *cache]
    done = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    # 1: so few cases make no split near 70/15/15; they are done all the same.
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return [CommitRecord.model_validate_json(path.read_bytes()) for path in sorted(out.glob("runs/*/shards/*.json"))]


def case_seconds(records: Sequence[CommitRecord]) -> float:
    """The median seconds of a case, as the worker measured it: from the recording to the packed member."""
    # Sorted by time, the slowest paid for what is loaded late.
    return median(sorted(seconds for record in records for seconds in record.made_by.case_seconds.values())[:-1])
