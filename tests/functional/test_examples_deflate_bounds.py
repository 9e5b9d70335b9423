"""Our deflate reads nothing before or behind its bytes, and writes nothing behind its room: there nobody may touch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.examples.deflate import LIBRARY
from tests.command_line import REPOSITORY

pytestmark = pytest.mark.skipif(
    not LIBRARY.path.exists() or sys.platform != "linux", reason="needs the compiled deflate and Linux's mprotect"
)

_PROGRAM = """
import ctypes, mmap, random, sys, zlib
from core.examples.deflate import LIBRARY, _Deflate

PAGE = mmap.PAGESIZE
SIZE = 12 * PAGE
libc = ctypes.CDLL(None, use_errno=True)

def fenced():
    area = mmap.mmap(-1, SIZE + 2 * PAGE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(area))
    for page in (base, base + PAGE + SIZE):
        assert libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0, ctypes.get_errno()
    return area, base + PAGE

data, data_at = fenced()
literals, literals_at = fenced()
repeats, repeats_at = fenced()
out, out_at = fenced()
if sys.argv[1] == "before":  # the pages do what the test takes them to do
    ctypes.string_at(data_at - 1, 1)
if sys.argv[1] == "behind":
    ctypes.string_at(out_at + SIZE, 1)
library = LIBRARY.load()
LEAST_ROOM = 256  # what one step of the search may give
rng = random.Random(7)
refused = matched = 0
for number in range(1200):
    size = rng.randrange(1, rng.choice((20, 3000, SIZE)) + 1)
    row = rng.choice((1, 4, 64, 900))
    body = bytearray()
    while len(body) < size:
        body += rng.randbytes(rng.randrange(1, 40)) if rng.random() < 0.4 else body[-row:] or b"x"
        if rng.random() < 0.2:
            body += body[-row:] * rng.randrange(30)
    body = bytes(body[:size])
    begins = number % 2 == 0  # right behind the first fence, else right before the second
    at = data_at if begins else data_at + SIZE - size
    ctypes.memmove(at, body, size)
    room = rng.choice((LEAST_ROOM, LEAST_ROOM + 1, SIZE // 12))
    places = {"literals": literals_at + SIZE - room, "repeats": repeats_at + SIZE - 12 * room}
    assert set(places) <= {name for name, _ in _Deflate._fields_}
    deflate = _Deflate(data=at, end=size, token_room=room, **places)
    for place in range(8):
        deflate.distances[place] = rng.choice((0, 1, row, 2 * row, size, size + 1, 32768, 32769, 1 << 40, -1))
    pieces = []

    def write(final):
        global refused
        # The least room with which it does not refuse, up against the fence.
        deflate.written = 0
        for out_room in (0, 8, 20, 4 * deflate.taken + 64, SIZE):
            if out_room > SIZE:
                continue
            deflate.out, deflate.out_room = out_at + SIZE - out_room, out_room
            taken = deflate.taken
            if not library.casemill_deflate_write(ctypes.byref(deflate), final):
                assert 0 <= deflate.written <= out_room
                pieces.append(ctypes.string_at(deflate.out, deflate.written))
                return
            assert deflate.taken == taken and deflate.written == 0
            refused += 1
        raise AssertionError("no room is enough")

    while library.casemill_deflate_find(ctypes.byref(deflate)):
        assert 0 < deflate.taken <= room
        write(0)
    write(1)
    assert zlib.decompress(b"".join(pieces), -15) == body, number
    matched += deflate.matched
assert matched > 1_000_000 and refused > 1000, (matched, refused)
"""


def run(how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _PROGRAM, how]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=240)


def test_the_pages_around_the_buffers_are_never_touched() -> None:
    done = run("deflate")
    assert done.returncode == 0, done.stderr
    for how in ("before", "behind"):
        assert run(how).returncode < 0, "touching the page must end the process"
