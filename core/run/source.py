"""The source of the cases' objects, over the object store."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from core.store import DEFAULT_PIECE_BYTES, Store, open_store


class StoreSource:
    """A :class:`core.workload.Source` that counts the bytes it hands over."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.bytes_read = 0

    def __str__(self) -> str:
        return self._store.uri

    @property
    def uri(self) -> str:
        """The location, as it stands in ``run.json``."""
        return self._store.uri

    @property
    def is_remote(self) -> bool:
        """Whether reading takes the network."""
        return self._store.is_remote

    @property
    def repeats(self) -> int:
        """Requests that were made again after a fault."""
        return self._store.repeats

    def list_objects(self) -> list[tuple[str, int]]:
        """Key and bytes of every object, and of every link that leads nowhere, with no bytes: an archive that is not
        mounted must not make a smaller cohort without a word."""
        listed = [(item.key, item.size) for item in self._store.list()]
        return sorted([*listed, *((key, 0) for key in self._store.dangling_links())])

    def tags(self) -> dict[str, str]:
        """Of every object that has one, the tag that changes with every writing."""
        return {item.key: item.e_tag for item in self._store.list() if item.e_tag}

    def read(self, key: str, piece_bytes: int = DEFAULT_PIECE_BYTES) -> Iterator[bytes]:
        for piece in self._store.stream(key, piece_bytes):
            self.bytes_read += len(piece)
            yield piece

    def read_range(self, key: str, start: int, length: int) -> bytes:
        data = self._store.get_range(key, start, length)
        self.bytes_read += len(data)
        return data

    def fingerprint(self, key: str, stop: threading.Event | None = None) -> str | None:
        """What tells this content of an object from another; see :meth:`core.store.Store.fingerprint`."""
        return self._store.fingerprint(key, stop)

    def download(self, key: str, stop: threading.Event) -> Iterator[bytes]:
        """The object in pieces, not counted; ``stop`` ends waiting for a storage that fails."""
        return self._store.stream(key, DEFAULT_PIECE_BYTES, stop)


def open_source(uri: str | None) -> StoreSource | None:
    """The source at a location, or None for workloads that read nothing.

    Raises
    ------
    BadRequestError
        The folder does not exist.
    """
    return None if uri is None else StoreSource(open_store(uri))
