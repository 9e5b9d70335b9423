"""What the usual reader (vitaldb on PyPI) makes of each file of a demo cohort, beside what Casemill makes of it.

Run it as ``python -m tests.usual_reader DEMO_FOLDER``; it prints a Markdown table. Each file is read in a process of
its own with a time limit and a memory limit, because the usual reader has neither.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

from core.recording.read import read_recording
from core.workloads.vitaldb.demo.truth import CaseTruth, read_truth
from core.workloads.vitaldb.profiles import resolve_profiles

TIME_LIMIT_S = 30
MEMORY_LIMIT_BYTES = 4 << 30

WANTED = frozenset(track for profile in resolve_profiles("auto") for track in profile.tracks)

_CHILD = """
import json, sys, vitaldb
wanted = set(json.loads(sys.argv[2]))
recording = vitaldb.VitalFile(sys.argv[1])
kept = sum(len(track.recs) for name, track in recording.trks.items() if name in wanted)
print(json.dumps(kept))
"""


def usual_records(path: Path) -> str:
    """Wanted records that the usual reader keeps, or how it ended."""
    command = [sys.executable, "-c", _CHILD, str(path), json.dumps(sorted(WANTED))]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False, preexec_fn=_limit_memory
        )
    except subprocess.TimeoutExpired:
        return f"no end in {TIME_LIMIT_S} s"
    if done.returncode == 0:
        return done.stdout.strip().splitlines()[-1]
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:60]


def our_records(truth: CaseTruth, path: Path) -> str:
    """Wanted records that Casemill keeps, or the reason code."""
    from core.errors import ContentError

    try:
        return str(read_recording(path.name, [path.read_bytes()], WANTED).loss.records_kept)
    except ContentError as error:
        return error.code


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))


def main(folder: Path) -> None:
    """Print the table for every labelled fault."""
    rows = [
        "| fault | outcome | wanted records written | Casemill keeps | usual reader keeps |",
        "|---|---|---|---|---|",
    ]
    for truth in read_truth(folder / "ground_truth.json"):
        if truth.fault is None or truth.file is None:
            continue
        path = folder / truth.file
        written = "" if truth.loss is None else str(truth.loss.records_kept)
        outcome = truth.outcome.value + (f" ({truth.reason})" if truth.reason else "")
        rows.append(f"| {truth.fault} | {outcome} | {written} | {our_records(truth, path)} | {usual_records(path)} |")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
