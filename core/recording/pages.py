"""Page headers of a Parquet file, looked at before Arrow makes room for what they claim.

Arrow reserves and fills what a page header says, up to 2 GiB a page, and offers no bound. The headers are Thrift
structures in the compact protocol (Parquet format, ``PageHeader``); only their two sizes are of interest here.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import IO, Any

from core.recording.inflate import unreadable

MAXIMUM_ROWS = 50_000_000
"""Rows of one table (ours; 17 hours at 500 a second are 31 million)."""

MAXIMUM_PAGES = 100_000
MAXIMUM_PAGES_BYTES = 256 << 20
"""Pages of the needed columns, and the bytes of the largest one of each column together: these stand in memory
at the same time (ours; writers make pages of about 1 MiB)."""

_HEADER_BYTES = 16 * 1024
_MAXIMUM_DEPTH = 8

_BOOLEANS, _BYTE, _VARINTS, _DOUBLE, _BINARY, _LISTS, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 12


class _MalformedHeaderError(ValueError):
    """No page header stands here."""


def check_pages(file: IO[bytes], metadata: Any, needed: Collection[str]) -> None:
    """Hold the sizes of the ``needed`` columns' pages against the bounds; ``metadata`` is the file's footer.

    Raises
    ------
    ContentError
        ``unreadable``: too many rows or pages, pages too large, or pages that do not lie inside the file.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if sum(group.num_rows for group in groups) > MAXIMUM_ROWS or metadata.num_rows > MAXIMUM_ROWS:
        raise unreadable(f"The table claims more than {MAXIMUM_ROWS:,} rows.")
    size = file.seek(0, os.SEEK_END)
    largest: dict[str, int] = {}
    pages = 0
    for group in groups:
        for number in range(group.num_columns):
            chunk = group.column(number)
            if chunk.path_in_schema not in needed:
                continue
            try:
                sizes = _page_sizes(file, chunk, size, MAXIMUM_PAGES - pages)
            except _MalformedHeaderError:
                raise unreadable("The table is damaged: a column's pages are not where its index says.") from None
            pages += len(sizes)
            largest[chunk.path_in_schema] = max(largest.get(chunk.path_in_schema, 0), *sizes, 0)
    if sum(largest.values()) > MAXIMUM_PAGES_BYTES:
        raise unreadable("The table's pages claim more memory than any recording needs.")


def _page_sizes(file: IO[bytes], chunk: Any, size: int, most: int) -> list[int]:
    """Uncompressed bytes of each page of a column chunk."""
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < at:
        at = chunk.dictionary_page_offset
    end = at + chunk.total_compressed_size
    if at < 0 or not at <= end <= size:
        raise _MalformedHeaderError
    sizes: list[int] = []
    while at < end:
        if len(sizes) == most:
            raise unreadable(f"The table has more than {MAXIMUM_PAGES:,} pages.")
        file.seek(at)
        header = _Header(file.read(_HEADER_BYTES))
        header.struct()
        uncompressed, compressed = header.sizes.get(2, -1), header.sizes.get(3, -1)
        if uncompressed < 0 or compressed < 0:
            raise _MalformedHeaderError
        sizes.append(uncompressed)
        at += header.at + compressed
    return sizes


class _Header:
    """A walk over one compact-protocol structure; ``sizes`` are the whole numbers of its outermost fields."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        self.sizes: dict[int, int] = {}

    def struct(self, depth: int = 0) -> None:
        if depth > _MAXIMUM_DEPTH:
            raise _MalformedHeaderError
        field = 0
        while (head := self._byte()) != 0:
            kind, delta = head & 15, head >> 4
            field = field + delta if delta else self._signed()
            if kind in _VARINTS:
                value = self._signed()
                if depth == 0:
                    self.sizes[field] = value
            elif kind not in _BOOLEANS:
                self._skip(kind, depth)

    def _skip(self, kind: int, depth: int) -> None:
        if kind in _VARINTS:
            self._unsigned()
        elif kind in (*_BOOLEANS, _BYTE):
            self._byte()
        elif kind == _DOUBLE:
            self.at += 8
        elif kind == _BINARY:
            length = self._unsigned()
            self.at += length
        elif kind == _STRUCT:
            self.struct(depth + 1)
        elif kind in _LISTS:
            head = self._byte()
            for _ in range(head >> 4 if head >> 4 < 15 else self._unsigned()):
                self._skip(head & 15, depth + 1)
        else:
            raise _MalformedHeaderError

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise _MalformedHeaderError

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise _MalformedHeaderError
        self.at += 1
        return self._data[self.at - 1]
