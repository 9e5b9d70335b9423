"""The compiled laying out against numpy's: the same bytes."""

from __future__ import annotations

from ctypes import CDLL
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from core.compile import PLAIN
from core.examples import pack, pack_native
from core.examples.pack import pack_blocks, pack_examples
from core.examples.pack_native import LIBRARY, Laying, Part
from core.schema import Field, Kind, Role, Schema
from tests.unit.test_examples_round_trip import tables

needs_library = pytest.mark.skipif(not LIBRARY.path.exists(), reason="nothing could be compiled on this machine")

SCHEMA = Schema(
    fields=(
        Field(name="number", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
        Field(name="x", kind=Kind.FLOAT, shape=(4, 3), role=Role.INPUT),
    ),
    case_field=None,
    group_field=None,
    order_field="number",
)


def packed(schema: Schema, columns: dict[str, NDArray[Any]], block_bytes: int) -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack, "BLOCK_BYTES", block_bytes)
        return [bytes(block) for block in pack_blocks(schema, columns)]


def plainly(schema: Schema, columns: dict[str, NDArray[Any]], block_bytes: int) -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLAIN, "1")
        assert LIBRARY.usable() is None
        return packed(schema, columns, block_bytes)


@needs_library
@settings(deadline=None, max_examples=150)
@given(table=tables())
def test_any_records(table: tuple[Schema, dict[str, NDArray[Any]]]) -> None:
    assert LIBRARY.usable() is not None
    for block_bytes in (1, 2000, pack.BLOCK_BYTES):
        assert packed(*table, block_bytes) == plainly(*table, block_bytes)


VIEWS = {
    "overlapping": lambda seconds: np.lib.stride_tricks.sliding_window_view(seconds, 4, axis=0).transpose(0, 2, 1),
    "backwards": lambda seconds: seconds.reshape(24, 4, 3)[::-1],
    "all the same": lambda seconds: np.broadcast_to(seconds[:4], (30, 4, 3)),
    "every other column": lambda seconds: np.repeat(seconds, 2, axis=1).reshape(24, 4, 6)[:, :, ::2],
    "Fortran's order": lambda seconds: np.asfortranarray(seconds.reshape(24, 4, 3)),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_columns_that_are_views(view: Any) -> None:
    values = view(np.random.default_rng(1).random((96, 3), dtype=np.float32))
    columns = {"number": np.arange(len(values), dtype=np.int64)[:, None] * 40, "x": values}
    copied = {name: np.ascontiguousarray(column) for name, column in columns.items()}
    assert pack_examples(SCHEMA, columns) == pack_examples(SCHEMA, copied)
    assert packed(SCHEMA, columns, 300) == plainly(SCHEMA, copied, 300)


def test_blocks_are_of_whole_records_and_about_as_large_as_wanted() -> None:
    columns = {"number": np.full((1000, 1), 7), "x": np.zeros((1000, 4, 3), np.float32)}
    record = len(pack_examples(SCHEMA, {name: column[:1] for name, column in columns.items()}).data)
    assert {len(block) for block in packed(SCHEMA, columns, 10 * record + 1)} == {10 * record}
    assert {len(block) for block in packed(SCHEMA, columns, 1)} == {record}
    assert len(packed(SCHEMA, columns, pack.BLOCK_BYTES)) == 1


@needs_library
def test_what_does_not_fit_is_refused() -> None:
    sources = [np.zeros((5, 2), np.uint8), np.zeros((6, 0), np.uint8), np.ones((7, 1), np.uint8)]
    laying = Laying(LIBRARY.load(), sources, [Part(2, 0, 1), Part(1, 0, 0), Part(0, 0, 2), Part(0, 1, 2)])
    assert laying.records(1, 3).tolist() == [[1, 0, 0, 0]] * 2
    assert laying.records(5, 5).shape == (0, 4)
    for first, last in ((-1, 2), (3, 2), (0, 6), (6, 6)):
        with pytest.raises(ValueError, match="no records"):
            laying.records(first, last)
    for part in (Part(0, 1, 3), Part(0, -1, 1), Part(0, 2, 1), Part(1, 0, 1)):
        with pytest.raises(ValueError, match="within its source"):
            Laying(LIBRARY.load(), sources, [part])
    for rows in (np.zeros((5, 2), np.uint16), np.zeros((2, 5), np.uint8).T, np.zeros(5, np.uint8)):
        with pytest.raises(ValueError, match="stand together"):
            Laying(LIBRARY.load(), [*sources, rows], [])


@needs_library
def test_records_are_laid_out_by_the_library_unless_it_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def laying(library: CDLL, *given: Any) -> Laying:
        taken.append(library)
        return Laying(library, *given)

    taken: list[CDLL] = []
    monkeypatch.setattr(pack_native, "Laying", laying)
    columns = {"number": np.full((3, 1), 7), "x": np.zeros((3, 4, 3), np.float32)}
    by_library = packed(SCHEMA, columns, pack.BLOCK_BYTES)
    assert taken == [LIBRARY.usable()]
    assert plainly(SCHEMA, columns, pack.BLOCK_BYTES) == by_library
    assert len(taken) == 1
