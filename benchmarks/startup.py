"""Start-up: what a user waits for before anything happens. Byte code is there, as it is after the first start."""

from __future__ import annotations

import sys
import time

from benchmarks.files import BenchFolder
from benchmarks.measure import Times, in_turn, spread
from benchmarks.processes import child, command_line, environment, timed, told
from benchmarks.sizes import Sizes
from benchmarks.table import Part, at_most, line, raw


def measure_startup(folder: BenchFolder, sizes: Sizes) -> Part:
    """Whole programs in turn, and the import that the worker tells of itself."""
    env = environment(folder)
    imports: list[float] = []
    times = in_turn(
        {
            "casemill --help": lambda: timed([*command_line(), "--help"], env),
            "a worker's imports": lambda: imports.append(told(child("import"), env)["seconds"]),
            "import numpy": lambda: timed([sys.executable, "-c", "import numpy"], env),
            "bare Python": lambda: timed([sys.executable, "-c", ""], env),
        },
        sizes.rounds,
        clock=time.perf_counter,  # the time of other processes
    )
    # Before each one that counts comes one that does not.
    own = Times(tuple(imports[1::2]))
    lines = (
        line("import of the worker", spread(own), "s", at_most(0.3), "within the process"),
        line("casemill --help", spread(times["casemill --help"]), "s", at_most(0.5), "whole program"),
        line("a process that imports the worker", spread(times["a worker's imports"]), "s", detail="whole program"),
        line("a process that imports numpy", spread(times["import numpy"]), "s", detail="whole program"),
        line("bare Python", spread(times["bare Python"]), "s", detail="whole program"),
    )
    return Part(name="startup", title="Start-up", lines=lines, times=raw({**times, "import of the worker": own}))
