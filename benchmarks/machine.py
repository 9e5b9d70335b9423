"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from core.code_version import code_version
from core.run.memory import machine_memory_bytes

PACKAGES = ("numpy", "isal", "google-crc32c", "obstore", "pyarrow", "vitaldb", "pandas", "tensorflow-cpu", "tensorflow")


def describe_machine() -> dict[str, str]:
    """Processor, memory, system and versions in words."""
    memory = machine_memory_bytes()
    return {
        "processor": f"{_processor()}, {_cores()} cores",
        "memory": "unknown" if memory is None else f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Python": sys.version.split()[0],
        "packages": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
        "casemill": code_version(),
    }


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(name)
    except PackageNotFoundError:
        return ""
