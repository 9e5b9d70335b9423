"""What every compiled library is called with."""

from __future__ import annotations

import numpy as np
import pytest

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
