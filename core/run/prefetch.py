"""Prefetch: while one case is computed, the next ones' objects come in, into a buffer with a bound.

One thread downloads the announced objects one after the other. What a case reads is the same bytes in the same order
as without it, and an error comes up at the case whose object it belongs to.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from core.run.source import StoreSource
from core.store import DEFAULT_PIECE_BYTES

BUFFER_BYTES = 64 * 1024 * 1024
"""Held at most, per worker, on top of one piece in flight."""

JOIN_SECONDS = 5.0
"""How long the end of the thread is waited for; a request that hangs ends at its own time-out, and the thread then."""


@contextmanager
def read_ahead(
    source: StoreSource | None,
    keys: Sequence[str],
    buffer_bytes: int = BUFFER_BYTES,
    needed: Callable[[int], bool] = lambda position: True,
) -> Iterator[StoreSource | None]:
    """The source, with the objects at ``keys`` downloaded ahead in that order; a local one is handed back as it is.

    ``needed`` is asked before each download, by the place in ``keys``, and may take its time.
    """
    if source is None or not source.is_remote or not keys:
        yield source
        return
    prefetch = Prefetch(source, keys, buffer_bytes, needed)
    try:
        yield prefetch
    finally:
        prefetch.close()


@dataclass(frozen=True)
class _Piece:
    """A piece of the object at ``position``; None as data is its end, and ``error`` what ended it.

    ``skipped``: it was not downloaded at all.
    """

    position: int
    data: bytes | None = None
    error: Exception | None = None
    skipped: bool = False


class Prefetch(StoreSource):
    """A source whose objects at ``keys`` are read ahead. To be read from one thread, and closed.

    An object that is skipped is dropped when a later one is read, one that is left before its end when its reading is
    closed. One that was not announced, is read out of order or was not ``needed`` comes straight from the source.
    Larger objects than the bound stream through it.
    """

    def __init__(
        self,
        source: StoreSource,
        keys: Sequence[str],
        buffer_bytes: int = BUFFER_BYTES,
        needed: Callable[[int], bool] = lambda position: True,
    ) -> None:
        super().__init__(source._store)
        self._needed = needed
        self._source = source
        self._keys = tuple(keys)
        self._bound = buffer_bytes
        self._buffer: deque[_Piece] = deque()
        self._held = 0
        self._wanted = 0
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._download_all, name="casemill-prefetch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Drop what is held and end the thread."""
        self._closed.set()
        with self._changed:
            self._buffer.clear()
            self._held = 0
            self._changed.notify_all()
        self._thread.join(JOIN_SECONDS)

    def read(self, key: str, piece_bytes: int = DEFAULT_PIECE_BYTES) -> Iterator[bytes]:
        try:
            position = self._keys.index(key, self._wanted)
        except ValueError:
            yield from self._source.read(key, piece_bytes)
            return
        self._want(position)
        try:
            while (piece := self._take(position)).data is not None:
                self._source.bytes_read += len(piece.data)
                yield piece.data
        finally:
            # A reader that has seen enough closes this: its download ends, and the next object's begins.
            self._want(position + 1)
        if piece.error is not None:
            raise piece.error
        if piece.skipped:
            yield from self._source.read(key, piece_bytes)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        return self._source.read_range(key, start, length)

    def _want(self, position: int) -> None:
        """Drop what belongs to objects before this one, and let their download end."""
        with self._changed:
            self._wanted = position
            while self._buffer and self._buffer[0].position < position:
                self._drop_first()
            self._changed.notify_all()

    def _take(self, position: int) -> _Piece:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._buffer))
            piece = self._drop_first()
            self._changed.notify_all()
            return piece

    def _drop_first(self) -> _Piece:
        piece = self._buffer.popleft()
        self._held -= len(piece.data or b"")
        return piece

    def _download_all(self) -> None:
        for position, key in enumerate(self._keys):
            error: Exception | None = None
            skipped = False
            try:
                skipped = not self._needed(position)
                for data in () if skipped else self._source.download(key, self._closed):
                    if not self._put(_Piece(position, data)):
                        break
            except Exception as caught:  # noqa: BLE001  it is raised where the case reads
                error = caught
            self._put(_Piece(position, error=error, skipped=skipped))
            if self._closed.is_set():
                return

    def _put(self, piece: _Piece) -> bool:
        """Whether the piece was taken; False where nobody wants it any more."""
        size = len(piece.data or b"")

        def unwanted() -> bool:
            return self._closed.is_set() or piece.position < self._wanted

        with self._changed:
            self._changed.wait_for(lambda: unwanted() or not self._held or self._held + size <= self._bound)
            if unwanted():
                return False
            self._buffer.append(piece)
            self._held += size
            self._changed.notify_all()
            return True
