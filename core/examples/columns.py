"""How the values of a schema's field stand in memory: one array per field, one row per record."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.errors import BugError
from core.schema import Field, Kind

_DTYPES: dict[Kind, np.dtype[Any]] = {
    Kind.FLOAT: np.dtype(np.float32),
    Kind.INT64: np.dtype(np.int64),
    Kind.BYTES: np.dtype(np.uint8),
}


def column_dtype(field: Field) -> np.dtype[Any]:
    """The dtype of the field's column: float32, int64, or uint8 for byte strings."""
    return _DTYPES[field.kind]


def row_shape(field: Field) -> tuple[int, ...]:
    """The shape of one row of the field's column; byte strings add an axis of ``bytes_length``.

    Raises
    ------
    BugError
        ``schema_mismatch``: a BYTES field without ``bytes_length``.
    """
    if field.kind is not Kind.BYTES:
        return field.shape
    if field.bytes_length is None:
        raise BugError("schema_mismatch", "a bytes field needs a bytes_length", where=field.name)
    return (*field.shape, field.bytes_length)
