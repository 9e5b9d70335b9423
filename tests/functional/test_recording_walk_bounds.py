"""The compiled walk never looks behind its buffer: there begins a page that nobody may read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.recording.native import LIBRARY
from tests.command_line import REPOSITORY

pytestmark = pytest.mark.skipif(
    not LIBRARY.path.exists() or sys.platform != "linux", reason="needs the compiled walk and Linux's mprotect"
)

_PROGRAM = """
import ctypes, mmap, random, sys
import numpy as np
from core.recording.declare import Register
from core.recording.native import LIBRARY, NativeRecords
from tests.recording_bytes import device, numeric, packet, record, text, track, wave

PAGE = mmap.PAGESIZE
SIZE = 4 * PAGE
area = mmap.mmap(-1, SIZE + PAGE)
base = ctypes.addressof(ctypes.c_char.from_buffer(area))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.mprotect(ctypes.c_void_p(base + SIZE), ctypes.c_size_t(PAGE), 0) == 0, ctypes.get_errno()
if sys.argv[1] == "reach":  # the page does what the test takes it to do
    ctypes.string_at(base + SIZE, 1)
rng = random.Random(7)
parts = [device(1, "A")] + [track(code, f"X{code}", code=code) for code in range(1, 9)]
parts += [numeric(code, 1e9 + code, 50, code) for code in range(1, 9)] + [text(9, 1e9, "x"), wave(10, 1e9)]
parts += [record(2, 1e9, bytes(8), info=18), record(2, 1e9, b""), packet(1, b""), packet(1, bytes(11)), packet(0, b"")]
library = LIBRARY.load()
taken = 0
for number in range(6000):
    body = bytearray(b"".join(rng.choices(parts, k=rng.randrange(1, 25))))
    for _ in range(rng.randrange(4)):
        body[rng.randrange(len(body))] = rng.choice((0, 1, 4, 255, rng.randrange(256)))
    body = bytes(body[: rng.randrange(1, len(body) + 1)])
    held = bytearray(max(len(body), 64))
    records = NativeRecords(Register(None), library, held)
    for at, code in enumerate(range(1, 9), 1):
        records.register.in_force[code] = records.register.track(track(code, f"X{code}", code=code)[5:])[1]
    records._find_columns()
    # Python reads declarations from its own copy; the library reads up to the forbidden page.
    held[: len(body)] = body
    area[SIZE - len(body) : SIZE] = body
    records._walk.buffer = base + SIZE - len(body)
    rest = records.walk(held, 0, len(body))
    assert 0 <= rest <= len(body)
    taken += records.read
assert taken > 10_000, taken
"""


def run(how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _PROGRAM, how]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=240)


def test_the_page_behind_the_buffer_is_never_touched() -> None:
    done = run("walk")
    assert done.returncode == 0, done.stderr
    assert run("reach").returncode < 0, "reading the page must end the process"
