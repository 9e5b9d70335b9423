"""What every compiled library is called with."""

from __future__ import annotations

import numpy as np
import pytest

from core.compile import sources
from core.library import address_of

WHOLE = np.arange(24, dtype=np.float64).reshape(4, 6)
READ_ONLY = np.frombuffer(bytes(16), np.uint8)


ARRAYS = {
    "whole": WHOLE,
    "from a row on": WHOLE[1:],
    "column": WHOLE[:, 2],
    "backwards": WHOLE[::-1],
    "turned": WHOLE.T,
    "empty": WHOLE[:0],
    "read-only": READ_ONLY[3:],
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_is_where_numpy_says(kind: str) -> None:
    assert address_of(ARRAYS[kind]) == ARRAYS[kind].ctypes.data


@pytest.mark.parametrize("source", [path.name for path in sources()])
def test_nothing_is_asked_that_zig_cannot_link_into_a_library(source: str) -> None:
    folder = next(path.parent for path in sources() if path.name == source)
    code = "".join(path.read_text("utf-8") for path in (*folder.glob("*.c"), *folder.glob("*.h")))
    assert "__builtin_cpu_supports(" not in code, "gcc's way to ask for the processor's kind needs a part of its own"
