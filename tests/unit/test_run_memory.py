"""Freed memory stays with the process: the next case need not fetch its pages again."""

from __future__ import annotations

import subprocess
import sys
from platform import libc_ver

import pytest

FAULTS = """
import resource, sys
import numpy as np
from core.run.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def case():
    arrays = [np.ones(500_000), np.ones(300_000), np.ones(400_000)]
    return bytes(3_000_000), arrays
for _ in range(3):
    case()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    case()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(libc_ver()[0] != "glibc", reason="glibc's own settings")
def test_pages_are_not_fetched_again() -> None:
    # 12.6 MB a case are 3,076 pages.
    assert faults("keep") < 500 < 5_000 < faults("not")
