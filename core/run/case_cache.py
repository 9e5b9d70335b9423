"""The case cache: what a workload extracts from a case's object, kept between runs (docs/grid-cache.md).

An entry is named by the digest of everything that it depends on, and is its own proof: magic and version, the digest
again, the SHA-256 of what follows, and the extract as one gzip member. Whatever does not fit is worked out afresh.

The cache saves time and is never needed. Where its storage fails for longer than the store's own repeats bear, or
refuses, the process goes on without it, and ``trouble`` says why.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import Any

from core.errors import BugError, CasemillError, IntegrityError
from core.examples.members import compress_member, decompress_members
from core.run.source import StoreSource
from core.store import Store, open_store
from core.workload import Case, ExtractingWorkload

MAGIC = b"CASEMIL\x01"
"""The last byte is the version of the envelope."""

MOST_ENTRY_BYTES = 64 * 1024 * 1024
"""Of an entry, and of the extract in it; 6 h of surgery take 0.2 MB and 0.8 MB."""

_LEVEL = 1
_DIGEST_BYTES = 32
_HEAD_BYTES = len(MAGIC) + 2 * _DIGEST_BYTES
_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class CacheUse:
    """Where the cache of a run is, and whether its entries are used or only written."""

    location: str
    recall: bool = True


@dataclass(frozen=True)
class Found:
    """The extract's bytes, None where there are none; ``spoiled`` where an entry is there that is none."""

    content: bytes | None = None
    spoiled: bool = False


def entry_digest(workload: ExtractingWorkload[Any], case: Case, source: StoreSource, fingerprint: str) -> bytes:
    """SHA-256 over the workload, what the extract depends on, and the object: location, key and fingerprint."""
    content = [workload.name, workload.extract_depends_on(case), source.uri, case.key, fingerprint]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()


def write_entry(digest: bytes, content: bytes) -> bytes:
    """The entry that keeps ``content`` under ``digest``."""
    packed = compress_member(content, _LEVEL)
    return b"".join((MAGIC, digest, hashlib.sha256(packed).digest(), packed))


def read_entry(data: bytes, digest: bytes) -> bytes | None:
    """The content of an entry, at most :data:`MOST_ENTRY_BYTES` of it whatever the entry says.

    None where it is cut, changed, of another version, or the entry of another digest.
    """
    packed = data[_HEAD_BYTES:]
    checksum = data[_HEAD_BYTES - _DIGEST_BYTES : _HEAD_BYTES]
    if not data.startswith(MAGIC + digest) or hashlib.sha256(packed).digest() != checksum:
        return None
    pieces: list[bytes] = []
    left = MOST_ENTRY_BYTES
    try:
        for piece in decompress_members((packed,)):
            left -= len(piece)
            if left < 0:
                return None
            pieces.append(piece)
    except IntegrityError:
        return None
    return b"".join(pieces)


class CaseCache:
    """The entries below one location; may be used from several threads.

    ``trouble`` is empty while all is well. A cache that refuses to be written is still read.
    """

    def __init__(self, store: Store | None, recall: bool = True, trouble: str = "") -> None:
        self._store = store
        self._reads = self._writes = store is not None
        self._reads &= recall
        self.trouble = trouble

    @property
    def is_remote(self) -> bool:
        """Whether it takes the network."""
        return self._store is not None and self._store.is_remote

    @property
    def is_of_use(self) -> bool:
        """Whether anything can be read or written."""
        return self._reads or self._writes

    def find(self, digest: bytes, stop: threading.Event | None = None) -> Found:
        """The content that is kept under ``digest``; ``stop`` ends waiting for a storage that fails."""
        if self._store is None or not self._reads:
            return Found()
        try:
            data = _whole(self._store, entry_key(digest), stop)
        except FileNotFoundError:
            return Found()
        except CasemillError as error:
            # What cannot be read in time would hardly be written in time.
            self._reads = self._writes = False
            self._remember(error)
            return Found()
        content = read_entry(data, digest)
        return Found(content, spoiled=content is None)

    def keep(self, digest: bytes, content: bytes, *, replace: bool = False) -> None:
        """Keep ``content``, unless it is too large; an entry that is there stays, but for ``replace``."""
        if self._store is None or not self._writes or len(content) > MOST_ENTRY_BYTES:
            return
        write = self._store.put if replace else self._store.put_if_absent
        try:
            write(entry_key(digest), write_entry(digest, content))
        except CasemillError as error:
            self._writes = False
            self._remember(error)

    def _remember(self, error: CasemillError) -> None:
        if isinstance(error, BugError):
            raise error
        self.trouble = self.trouble or _told(error)


def _told(error: CasemillError) -> str:
    return f"went on without the cache of cases, wholly or in part: {error}"


def open_cache(use: CacheUse | None) -> CaseCache | None:
    """The cache as a worker opens it: a location that cannot be opened is trouble, and no error."""
    if use is None:
        return None
    try:
        return CaseCache(open_store(use.location, create=True), use.recall)
    except CasemillError as error:
        return CaseCache(None, trouble=_told(error))


def entry_key(digest: bytes) -> str:
    """Where an entry stands: spread over 256 folders, named by nothing but the digest."""
    name = digest.hex()
    return f"{name[:2]}/{name}"


def _whole(store: Store, key: str, stop: threading.Event | None) -> bytes:
    """The object, or as much of it as shows that it is too large to be an entry."""
    pieces: list[bytes] = []
    size = 0
    for piece in store.stream(key, _PIECE_BYTES, stop):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_ENTRY_BYTES:
            break
    return b"".join(pieces)
